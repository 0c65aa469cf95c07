//! 1. The whole fleet boots, every instance is healthy, and an operator sees where to look.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use discovery::{DiscoveryClient, ListReply};
use scheduling::{DEFAULT_FLEET, InstanceState, ListInstancesArgs};

use crate::harness::{Fleet, SCHEDULING, eventually, free_offset, script, sleeper};

#[tokio::test]
async fn seen_1_the_default_fleet_boots_healthy_and_is_registered() {
    let offset = free_offset();
    let dir = tempfile::tempdir().unwrap();
    let args = vec![format!("--port-offset={offset}")];
    let started = Instant::now();
    let mut fleet = Fleet::start_in(dir, args.clone());
    let wished: usize = DEFAULT_FLEET.iter().map(|e| e.replicas as usize).sum();
    let all_healthy = |all: &[scheduling::InstanceInfo]| {
        let healthy = all.iter().filter(|i| i.state == InstanceState::Healthy);
        (healthy.count() == wished).then_some(())
    };
    fleet.until("every instance is healthy", all_healthy).await;
    eprintln!(
        "booted {wished} instances in {:?}, builds included",
        started.elapsed()
    );
    assert_eq!(wished, 21);

    let registry = format!("127.0.0.1:{}", 10_200 + offset).parse().unwrap();
    let discovery = DiscoveryClient::new(rpc::Channel::to(registry));
    eventually("all services are registered", || async {
        let list: Result<ListReply, _> = discovery.list(&rpc::Empty {}).await;
        list.is_ok_and(|list| list.services.len() == DEFAULT_FLEET.len() + 1)
    })
    .await;

    // Everything is built now: this is what a start takes.
    let status = fleet.process.terminate();
    assert!(status.success());
    assert_eq!(fleet.processes(), Vec::<u32>::new());
    let started = Instant::now();
    fleet.start_again();
    fleet
        .until("every instance is healthy again", all_healthy)
        .await;
    let took = started.elapsed();
    eprintln!("booted {wished} instances in {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn seen_1_the_table_fits_a_terminal_and_says_where_to_look() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    // One that would have to say that it is ready, and never does.
    let dies = script("dies", "exit 1").replacen("\"none\"", "\"procedure\"", 1);
    std::fs::write(&file, format!("{}{dies}", sleeper("sleepy", 2))).unwrap();
    let child = Command::new(SCHEDULING)
        .args(["--fleet", file.to_str().unwrap()])
        .env("PORT", "0")
        .env("ORRERY_DATA", dir.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Drained(child);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut table = Vec::new();
    for line in lines.map_while(Result::ok) {
        let last = line.contains("Ctrl-C");
        table.push(line);
        if last {
            break;
        }
    }
    drop(child);
    let text = table.join("\n");
    // How long a path is, is not the table's doing: it is counted as the README's is.
    let here = std::path::Path::new(SCHEDULING).parent().unwrap();
    let here = format!("{}/", here.display());
    let width = |line: &String| line.replace(&here, "target/debug/").chars().count();
    assert!(table.iter().all(|line| width(line) <= 80), "{text}");
    for words in [
        "sleepy.0.1",
        "healthy",
        "dies.0",
        "2 of 3 healthy",
        "rpc",
        "orrery status",
    ] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
}

/// A scheduling that ends its fleet with the test.
struct Drained(Child);

impl Drop for Drained {
    fn drop(&mut self) {
        crate::harness::kill(self.0.id(), rustix::process::Signal::TERM);
        let status = self.0.wait();
        let status = status.unwrap();
        assert!(std::thread::panicking() || status.success(), "{status}");
    }
}

#[tokio::test]
async fn seen_1_dependencies_are_started_first_and_awaited() {
    let first = script("first", "sleep 1000");
    let second = format!("{}after = [\"first\"]\n", sleeper("second", 2));
    // A key after a table's dotted keys still belongs to the service.
    let fleet = Fleet::start(&[second, first]);
    fleet.healthy("second", 2).await;
    let client = fleet.client();
    let all = ListInstancesArgs::default();
    let instances = client.list_instances(&all).await.unwrap().instances;
    let since = |id: &str| {
        let found = instances.iter().find(|i| i.id == id).unwrap();
        found.healthy_since_ms.unwrap()
    };
    assert!(since("first.0.1") <= since("second.0.1"));
    let events = fleet.events("second").await;
    let scheduled = events.iter().find(|e| e.kind == "scheduled").unwrap();
    assert!(scheduled.at_ms >= since("first.0.1"));
}
