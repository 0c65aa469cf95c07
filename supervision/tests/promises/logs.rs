//! Logs need no reader, take bounded disk, and can be followed while they are trimmed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use supervision::Runtime;
use supervision::logs::{self, Reader, Stream};
use tokio::time::timeout;

use crate::common::{DEADLINE, World, id, shell, until};

/// What a stream may take, in bytes.
const QUOTA: u64 = 128 << 10;

fn on_disk(world: &World) -> u64 {
    let entries = fs::read_dir(world.log_dir()).unwrap().flatten();
    entries
        .filter_map(|entry| Some(entry.metadata().ok()?.blocks() * 512))
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_a_gigabyte_stays_bounded_and_never_waits() {
    const QUOTA: u64 = 4 << 20;
    let world = World::with(|settings| settings.log_bytes_max = QUOTA);
    let flood = "yes 'a line of the flood' | head -c 1000000000; echo; echo last line";
    let started = Instant::now();
    let running = world.runtime.spawn(shell("a.0.1", flood)).await.unwrap();
    let mut peak = 0;
    while running.exited().is_none() {
        assert!(started.elapsed() < DEADLINE * 3, "the writer waits");
        peak = peak.max(on_disk(&world));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mib = peak >> 20;
    println!(
        "1 GB flood: {:?}, at most {mib} MiB on disk",
        started.elapsed()
    );
    assert!(peak < 500_000_000, "{mib} MiB");
    until("trimming to within the quota", || {
        (on_disk(&world) <= QUOTA).then_some(())
    })
    .await;
    let lines = logs::tail(&world.log_dir(), &id("a.0.1"), Stream::Stdout, 1).unwrap();
    assert_eq!(lines[0].text(), "last line");
}

#[tokio::test]
async fn following_goes_on_through_trims_without_loss_or_repetition() {
    let world = World::with(|settings| settings.log_bytes_max = 2 * QUOTA);
    // Whoever follows is never further behind than the quota: each part waits for its turn.
    let turns = tempfile::tempdir().unwrap();
    let turn = |part: usize| std::fs::write(turns.path().join(part.to_string()), "").unwrap();
    let script = format!(
        "i=0; while [ $i -lt 40000 ]; do \
           while [ ! -e {}/$((i / 1000)) ]; do sleep 0.002; done; \
           echo \"line $i\"; i=$((i+1)); done; echo end",
        turns.path().display()
    );
    turn(0);
    turn(1);
    let running = world.runtime.spawn(shell("a.0.1", &script)).await.unwrap();
    let mut reader = Reader::at(&world.log_dir(), &id("a.0.1"), Stream::Stdout, 0);
    let mut next = 0;
    let mut ended = false;
    while !ended {
        let lines = timeout(DEADLINE, reader.next_lines())
            .await
            .unwrap()
            .unwrap();
        for line in lines {
            ended = line.text() == "end";
            assert!(
                ended || line.text() == format!("line {next}"),
                "{next}: {}",
                line.text()
            );
            next += 1;
            if next % 1_000 == 0 {
                turn(next / 1_000 + 1);
            }
        }
    }
    assert_eq!(reader.gap_bytes(), 0);
    let oldest = Reader::before_end(&world.log_dir(), &id("a.0.1"), Stream::Stdout, u64::MAX);
    assert!(oldest.unwrap().position() > 0, "nothing was trimmed");
    // Who comes back later goes on where it was.
    let position = reader.position();
    let mut later = Reader::at(&world.log_dir(), &id("a.0.1"), Stream::Stdout, position - 4);
    assert_eq!(later.read().unwrap()[0].text(), "end");
    running.exit().await;
}

#[tokio::test]
async fn a_reader_that_comes_too_late_is_told_how_much_is_gone() {
    let world = World::with(|settings| settings.log_bytes_max = QUOTA);
    let script = "yes | head -c 1000000; echo; echo end";
    let running = world.runtime.spawn(shell("a.0.1", script)).await.unwrap();
    running.exit().await;
    until("trimming", || (on_disk(&world) <= QUOTA).then_some(())).await;
    let mut reader = Reader::at(&world.log_dir(), &id("a.0.1"), Stream::Stdout, 0);
    let mut last = String::new();
    while last != "end" {
        let lines = timeout(DEADLINE, reader.next_lines())
            .await
            .unwrap()
            .unwrap();
        last = lines.last().unwrap().text();
    }
    assert!(reader.gap_bytes() > 0);
}

#[tokio::test]
async fn what_is_written_while_no_supervisor_lives_is_trimmed_by_the_next() {
    let world = World::with(|settings| settings.log_bytes_max = QUOTA);
    let path = logs::path(&world.log_dir(), &id("b.0.1"), Stream::Stderr);
    let mut settings = world.settings.clone();
    settings.log_dir = world.file("other");
    fs::create_dir(&settings.log_dir).unwrap();
    let path = settings.log_dir.join(path.file_name().unwrap());
    fs::write(&path, vec![b'x'; 1_000_000]).unwrap();
    let _next = supervision::ProcessRuntime::start(settings).unwrap();
    until("trimming", || {
        (fs::metadata(&path).unwrap().blocks() * 512 <= QUOTA).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_last_lines_of_a_failed_instance_are_there_when_its_exit_is_told() {
    let world = World::new();
    let script = "echo starting; echo 'fatal: no disk' >&2; printf 'bye' >&2; exit 1";
    let running = world.runtime.spawn(shell("a.0.1", script)).await.unwrap();
    running.exit().await;
    let lines = world.runtime.last_lines(&id("a.0.1"), 20);
    assert_eq!(lines, ["starting", "fatal: no disk", "bye"]);
}
