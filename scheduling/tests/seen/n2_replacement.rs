//! 2. What dies is replaced at once, with the reason; what always dies is given up.

use std::time::{Duration, Instant};

use rpc::Channel;
use rustix::process::Signal;
use scheduling::{ExplainArgs, InstanceState};

use crate::harness::{Fleet, echo, eventually, free_ports, kill, median_ms, script};

/// Kills, of which the median counts.
const ROUNDS: usize = 20;

#[tokio::test]
async fn seen_2_a_killed_instance_serves_again_within_50_ms() {
    let ports = free_ports(1);
    // Twenty deaths within a second are given up otherwise; here only their speed matters.
    let lenient = "restart.reset_after_ms = 0\n";
    let fleet = Fleet::start(&[format!("{}{lenient}", echo(&ports))]);
    let address = format!("127.0.0.1:{}", ports[0]).parse().unwrap();
    let mut took = Vec::new();
    let mut victim = fleet.healthy("echo", 1).await.remove(0);
    for _ in 0..ROUNDS {
        let pid = victim.pid.unwrap();
        let started = Instant::now();
        kill(pid, Signal::KILL);
        eventually("a new process answers", || async {
            let builtin = rpc::BuiltinClient::new(Channel::to(address));
            let health = builtin.health(&rpc::Empty {}).await;
            health.is_ok_and(|health| health.pid != pid)
        })
        .await;
        took.push(started.elapsed());

        let old = victim.id.clone();
        victim = fleet
            .until("the replacement is healthy", |all| {
                let mut healthy = all.iter().filter(|i| i.state == InstanceState::Healthy);
                healthy.find(|i| i.id != old).cloned()
            })
            .await;
    }
    let median = median_ms(took);
    eprintln!("replaced in {median:.1} ms (median of {ROUNDS})");
    // 50 ms on a quiet machine; tests share theirs.
    assert!(median < 500.0, "{median} ms");
    let events = fleet.events("echo").await;
    let failed: Vec<_> = events.iter().filter(|e| e.kind == "failed").collect();
    assert_eq!(failed.len(), ROUNDS);
    assert!(failed.iter().all(|e| e.why.contains("killed by signal 9")));
}

#[tokio::test]
async fn seen_2_what_always_dies_backs_off_and_is_given_up_with_its_last_lines() {
    let dies = script(
        "dies",
        "echo starting; echo no such table: users >&2; exit 3",
    );
    let dies = format!("{dies}restart.attempts_max = 4\nrestart.backoff_initial_ms = 50\n");
    let fleet = Fleet::start(&[dies]);
    let last = fleet
        .until("it is given up", |all| {
            all.iter().find(|i| i.attempt == 4).cloned()
        })
        .await;
    eventually("the slot is given up", || async {
        let events = fleet.events("dies").await;
        events.iter().any(|e| e.kind == "given up")
    })
    .await;
    let last = fleet
        .until("its end is known", |all| {
            let found = all.iter().find(|i| i.id == last.id)?;
            found.state.is_terminal().then(|| found.clone())
        })
        .await;
    assert_eq!(last.state, InstanceState::Failed);
    assert_eq!(last.failure.as_deref(), Some("exit code 3"));
    assert_eq!(last.last_lines, ["starting", "no such table: users"]);
    let events = fleet.events("dies").await;
    let starts = events.iter().filter(|e| e.kind == "started").count();
    assert_eq!(starts, 4, "{events:#?}");
    let started: Vec<u64> = events
        .iter()
        .filter(|e| e.kind == "started")
        .map(|e| e.at_ms)
        .collect();
    let pause = Duration::from_millis(started[3] - started[2]);
    assert!(
        pause >= Duration::from_millis(50),
        "the fourth start waits: {started:?}"
    );
    let target = "dies.0".into();
    let why = fleet
        .client()
        .explain(&ExplainArgs { target })
        .await
        .unwrap();
    assert!(why.because[0].contains("no such table: users"), "{why:#?}");
    assert!(!why.next.is_empty());
    assert_eq!(fleet.processes(), Vec::<u32>::new());

    // An operator's restart gives it another chance.
    let target = last.id;
    fleet
        .client()
        .restart(&scheduling::RestartArgs { target })
        .await
        .unwrap();
    let again = |all: &[scheduling::InstanceInfo]| {
        all.iter()
            .find(|i| i.generation > 4 && i.attempt == 1)
            .cloned()
    };
    fleet.until("it is tried again", again).await;
}
