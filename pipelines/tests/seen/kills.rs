//! Workers and the service are killed; rows are shown exactly once all the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pipelines::StopMode;

use crate::harness::{World, epoch, kill};
use crate::plans::{append, check_exactly_once, copy, numbers, until_shown};

/// Appends numbers all the time, until it is stopped.
struct Writer {
    over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Writer {
    fn start(input: PathBuf) -> Self {
        let (over, written) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (ends, counts) = (over.clone(), written.clone());
        let thread = std::thread::spawn(move || {
            while !ends.load(SeqCst) {
                let from = counts.load(SeqCst);
                append(&input, from..from + 50);
                counts.store(from + 50, SeqCst);
                // why: it writes at a rate, so that kills fall between rows.
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self {
            over,
            written,
            thread,
        }
    }

    fn end(self) -> u64 {
        self.over.store(true, SeqCst);
        self.thread.join().unwrap();
        self.written.load(SeqCst)
    }
}

#[tokio::test]
async fn b18_a_killed_worker_is_replaced_at_once_and_no_row_is_lost_or_doubled() {
    let world = World::new();
    let (input, output) = (world.path("in"), world.path("out"));
    world.submit("copy", &copy(&input, &output)).await;
    world.running("copy", 1).await;
    let writer = Writer::start(input);
    let mut last = 0;
    for round in 1..=3 {
        last = world.checkpointed("copy", last + 1).await;
        let info = world.running("copy", round).await;
        let asked = Instant::now();
        kill(info.workers[round as usize % 2].pid);
        world.running("copy", info.generation + 1).await;
        eprintln!("kill -9 of a worker to running: {:?}", asked.elapsed());
        assert!(asked.elapsed() < Duration::from_secs(5));
    }
    let count = writer.end();
    until_shown("all rows", || numbers(&output).len() as u64 >= count).await;
    check_exactly_once(&output, count);
    world.stop("copy", StopMode::Force).await.unwrap();
    world.state("copy", "stopped").await;
}

#[tokio::test]
async fn b24_without_the_service_workers_go_on_and_are_adopted_when_it_is_back() {
    let mut world = World::new();
    let (input, output) = (world.path("in"), world.path("out"));
    world.submit("copy", &copy(&input, &output)).await;
    world.running("copy", 1).await;
    let writer = Writer::start(input);
    let mut last = world.checkpointed("copy", 0).await;
    for _ in 0..3 {
        let before = world.running("copy", 1).await;
        world.kill_service();
        let asked = Instant::now();
        last = world.checkpointed("copy", last.max(epoch(&before))).await;
        eprintln!(
            "the service is back, to the next checkpoint: {:?}",
            asked.elapsed()
        );
        let after = world.running("copy", 1).await;
        assert_eq!(after.generation, 1, "{}", world.log("copy").await);
        assert_eq!(after.workers, before.workers);
    }
    let count = writer.end();
    until_shown("all rows", || numbers(&output).len() as u64 >= count).await;
    check_exactly_once(&output, count);
    assert!(world.log("copy").await.contains("adopted"));
    world.stop("copy", StopMode::Checkpoint).await.unwrap();
    world.state("copy", "stopped").await;
}

#[tokio::test]
async fn b13_kills_of_everything_at_any_moment_show_every_row_exactly_once() {
    let mut world = World::new();
    let (input, output) = (world.path("in"), world.path("out"));
    world.submit("copy", &copy(&input, &output)).await;
    let writer = Writer::start(input);
    for round in 0..8_u64 {
        let pause = Duration::from_millis(60 + 47 * round);
        tokio::time::sleep(pause).await; // why: the moment of a kill shall not depend on the job
        let info = world.show("copy").await;
        let victims = info.workers.iter().filter(|worker| worker.pid != 0);
        let victims: Vec<u32> = victims.map(|worker| worker.pid).collect();
        if round % 2 == 0 {
            world.service.kill();
        }
        if round % 3 != 1 {
            for pid in victims.iter().take(1 + round as usize % 2) {
                // It may have ended in the meantime.
                let pid = rustix::process::Pid::from_raw(*pid as i32).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        if round % 2 == 0 {
            world.start_service();
        }
    }
    let count = writer.end();
    until_shown("all rows", || numbers(&output).len() as u64 >= count).await;
    world.stop("copy", StopMode::Checkpoint).await.unwrap();
    world.state("copy", "stopped").await;
    check_exactly_once(&output, count);
}
