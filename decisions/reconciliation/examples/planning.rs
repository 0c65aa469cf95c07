//! How long planning takes: `cargo run --release -p reconciliation --example planning`.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it measures time"
)]

use std::time::Instant;

use model::{Artifact, NodeId, NodeStatus, ServiceName, ServiceSpec, Timestamp};
use reconciliation::{Command, Snapshot, assignments, check, command, execute, plan};

const SERVICES: u32 = 100;
const REPLICAS: u32 = 100;
const ROUNDS: u32 = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = NodeId::new("here")?;
    let now = Timestamp(1_000_000);
    let mut empty = Snapshot::new(Some(node.clone()), 7);
    let status = NodeStatus::Ready;
    command(
        &mut empty,
        Command::SetNode {
            node: node.clone(),
            status,
        },
        now,
    )?;
    for number in 0..SERVICES {
        let (program, args) = ("/bin/true".to_owned(), Vec::new());
        let name = ServiceName::new(format!("service-{number}"))?;
        let mut spec = ServiceSpec::new(name, Artifact::Command { program, args }, REPLICAS);
        spec.ports.wanted = number % 2 == 0;
        command(&mut empty, Command::ApplySpec(Box::new(spec)), now)?;
    }
    let mut full = empty.clone();
    let first = plan(&full, now);
    execute(&mut full, &first, now)?;
    time("plan: 10,000 instances to create", || plan(&empty, now));
    time("plan: 10,000 instances as wished", || plan(&full, now));
    time("check: 10,000 creations", || check(&empty, &first, now));
    time("assignments: 10,000 on one node", || {
        assignments(&full, &node)
    });
    Ok(())
}

fn time<T>(what: &str, work: impl Fn() -> T) {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{what}: median {:?}", times[times.len() / 2]);
}
