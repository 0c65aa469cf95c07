//! 9. A thousand instances under one scheduling.

use std::fs;
use std::time::Instant;

use scheduling::ScaleServiceArgs;

use crate::harness::{Fleet, sleeper};

const MANY: usize = 1_000;

fn rss_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024
}

#[tokio::test]
async fn seen_9_a_thousand_instances_run_under_one_scheduling() {
    let mut fleet = Fleet::start(&[sleeper("many", 0)]);
    fleet.healthy("many", 0).await;
    let before = rss_bytes(fleet.process.pid());
    let started = Instant::now();
    let replicas = i32::try_from(MANY).unwrap();
    let name = "many".to_owned();
    fleet
        .client()
        .scale_service(&ScaleServiceArgs { name, replicas })
        .await
        .unwrap();
    fleet.healthy("many", MANY).await;
    let took = started.elapsed();
    let each = (rss_bytes(fleet.process.pid()).saturating_sub(before)) / MANY as u64;
    eprintln!("{MANY} instances in {took:?}, {each} bytes of scheduling's memory each");
    assert_eq!(fleet.processes().len(), MANY);
    assert!(each < 256 << 10, "{each} bytes for each instance");

    let started = Instant::now();
    fleet.kill_scheduling();
    fleet.start_again();
    fleet.healthy("many", MANY).await;
    eprintln!("adopted {MANY} in {:?}", started.elapsed());
    assert_eq!(fleet.processes().len(), MANY);

    let started = Instant::now();
    assert!(fleet.process.terminate().success());
    eprintln!("ended {MANY} in {:?}", started.elapsed());
    assert_eq!(fleet.processes(), Vec::<u32>::new());
}
