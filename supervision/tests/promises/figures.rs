//! What it costs. The figures are printed; the limits asserted are loose, for busy machines.

use std::time::{Duration, Instant};

use model::Exit;
use supervision::{Launch, Runtime};

use crate::common::{World, id};

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawn_takes_milliseconds_and_an_instance_little_memory() {
    const INSTANCES: usize = 200;
    for world in [World::new(), World::without_cgroups()] {
        let mut times = Vec::new();
        let (memory, files) = (resident_bytes(), open_files());
        let mut all = Vec::new();
        for n in 0..INSTANCES {
            let launch = Launch::new(id(&format!("a.{n}.1")), "/bin/sleep").arg("300");
            let started = Instant::now();
            all.push(world.runtime.spawn(launch).await.unwrap());
            times.push(started.elapsed());
        }
        times.sort();
        let each = resident_bytes().saturating_sub(memory) / INSTANCES as u64;
        let kind = world.settings.cgroups;
        let (half, most) = (times[INSTANCES / 2], times[INSTANCES - 1]);
        println!("{kind:?}: spawn median {half:?}, worst {most:?}; {each} bytes an instance");
        println!("{} files for {INSTANCES} instances", open_files() - files);
        let started = Instant::now();
        for running in &all {
            assert_eq!(world.runtime.usage(running).unwrap().pids, 1);
        }
        println!("usage of {INSTANCES}: {:?}", started.elapsed());
        assert!(half < Duration::from_millis(50));
        for running in &all {
            assert_eq!(
                world.runtime.kill_now(running).await.unwrap(),
                Exit::Signal(9)
            );
        }
    }
}
