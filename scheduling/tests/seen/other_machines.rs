//! Agents of other machines pull what they have to do; scheduling never dials them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chassis::testing::{Process, Start};
use rustix::process::Signal;
use scheduling::{
    ApplyArgs, InstanceInfo, InstanceState, RemoveNodeArgs, ScaleServiceArgs, SchedulingClient,
    SetDutyArgs, WatchArgs,
};

use crate::harness::{AGENT, Fleet, echo, eventually, free_ports, is_alive, kill, sleeper};

fn agent(fleet: &Fleet) -> Process {
    agent_with(fleet, &[])
}

fn agent_with(fleet: &Fleet, more: &[&str]) -> Process {
    let data = fleet.dir.path().join("data");
    let start = Start::binary(AGENT)
        .env("ORRERY_DATA", data.display())
        .arg("--node=far")
        .arg(&format!("--join={}", fleet.process.address()));
    more.iter().fold(start, |start, arg| start.arg(arg)).ready()
}

async fn status(fleet: &Fleet, node: &str) -> String {
    let nodes = fleet.client().nodes(&rpc::Empty {}).await.unwrap().nodes;
    let node = nodes.into_iter().find(|n| n.name == node);
    node.map(|n| n.status).unwrap_or_default()
}

async fn until_node_is(fleet: &Fleet, wanted: &str) {
    let what = format!("the node is {wanted}");
    eventually(&what, || async { status(fleet, "far").await == wanted }).await;
}

fn far(instances: &[InstanceInfo]) -> Vec<InstanceInfo> {
    let far = instances
        .iter()
        .filter(|i| i.node.as_deref() == Some("far"));
    far.cloned().collect()
}

#[tokio::test]
async fn an_agent_pulls_its_share_survives_its_own_death_and_replaces_what_dies() {
    let fleet = Fleet::start_with(&[sleeper("a", 2)], &["--place=spread"]);
    fleet.healthy("a", 2).await;
    let mut first = agent(&fleet);
    until_node_is(&fleet, "ready").await;
    let args = ScaleServiceArgs {
        name: "a".into(),
        replicas: 6,
    };
    fleet.client().scale_service(&args).await.unwrap();
    let six = fleet.healthy("a", 6).await;
    let there = far(&six);
    assert_eq!(there.len(), 3, "work is spread: {six:#?}");

    first.kill();
    let _second = agent(&fleet);
    kill(there[0].pid.unwrap(), Signal::KILL);
    let replaced = fleet
        .until("what died is replaced", |all| {
            all.iter()
                .find(|i| i.index == there[0].index && i.generation == 2)
                .cloned()
        })
        .await;
    assert_ne!(replaced.pid, there[0].pid);
    let now = fleet.healthy("a", 6).await;
    for kept in &there[1..] {
        let same = now.iter().find(|i| i.id == kept.id).unwrap();
        assert_eq!(same.pid, kept.pid, "the new agent took it over");
    }
    assert_eq!(fleet.processes().len(), 6);
}

/// How few instances were healthy at any moment.
async fn watch_lowest(client: SchedulingClient, lowest: Arc<AtomicUsize>) {
    let mut changes = client.watch(&WatchArgs::default()).await.unwrap();
    let mut known = BTreeMap::new();
    while let Some(Ok(item)) = changes.next().await {
        for gone in item.instances_gone {
            known.remove(&gone);
        }
        let put = item.instances.into_iter();
        known.extend(put.map(|i| (i.id, i.state == InstanceState::Healthy)));
        let healthy = known.values().filter(|healthy| **healthy).count();
        lowest.fetch_min(healthy, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_drained_machine_loses_everything_and_the_service_never_has_less_than_it_wished_for() {
    let fleet = Fleet::start_with(&[sleeper("a", 1)], &["--place=spread"]);
    let _agent = agent(&fleet);
    until_node_is(&fleet, "ready").await;
    let args = ScaleServiceArgs {
        name: "a".into(),
        replicas: 4,
    };
    fleet.client().scale_service(&args).await.unwrap();
    assert_eq!(far(&fleet.healthy("a", 4).await).len(), 2);
    let lowest = Arc::new(AtomicUsize::new(4));
    let watching = tokio::spawn(watch_lowest(fleet.client(), Arc::clone(&lowest)));
    let drain = SetDutyArgs {
        node: "far".into(),
        duty: "draining".into(),
    };
    let reply = fleet.client().set_duty(&drain).await.unwrap();
    assert_eq!((reply.changed, reply.instances), (true, 2));
    eventually("the machine is empty", || async {
        let here = fleet.instances().await;
        far(&here).is_empty() && here.len() == 4
    })
    .await;
    fleet.healthy("a", 4).await;
    watching.abort();
    assert_eq!(lowest.load(Ordering::Relaxed), 4, "healthy at the lowest");
    let remove = RemoveNodeArgs { node: "far".into() };
    fleet.client().remove_node(&remove).await.unwrap();
    assert_eq!(status(&fleet, "far").await, "");
}

#[tokio::test]
async fn what_ran_on_a_lost_machine_runs_elsewhere_and_ends_there_when_the_machine_comes_back() {
    let patience = ["--place=spread", "--node-patience=1s", "--lost-after=1s"];
    let fleet = Fleet::start_with(&[sleeper("a", 1)], &patience);
    let agent = agent(&fleet);
    until_node_is(&fleet, "ready").await;
    let args = ScaleServiceArgs {
        name: "a".into(),
        replicas: 2,
    };
    fleet.client().scale_service(&args).await.unwrap();
    let before = far(&fleet.healthy("a", 2).await);
    let old = before[0].pid.unwrap();
    kill(agent.pid(), Signal::STOP);
    until_node_is(&fleet, "away").await;
    let same = fleet.instances().await;
    assert_eq!(far(&same), before, "away is not lost yet");
    until_node_is(&fleet, "lost").await;
    let now = fleet.healthy("a", 2).await;
    assert!(far(&now).is_empty(), "{now:#?}");
    assert!(
        is_alive(old),
        "nobody can end it as long as its machine is not reached"
    );
    kill(agent.pid(), Signal::CONT);
    until_node_is(&fleet, "ready").await;
    eventually("the old one has ended", || async { !is_alive(old) }).await;
    assert_eq!(fleet.healthy("a", 2).await, now, "the new ones stay");
}

#[tokio::test]
async fn a_machine_says_what_it_has_and_its_instances_listen_on_its_address() {
    let told = [
        "--host=127.0.0.2",
        "--zone=attic",
        "--labels=disk=ssd",
        "--resources=gpu=2",
    ];
    let fleet = Fleet::start_with(&[sleeper("a", 0)], &["--place=spread"]);
    let _agent = agent_with(&fleet, &told);
    until_node_is(&fleet, "ready").await;
    eventually("it has said what it has", || async {
        let nodes = fleet.client().nodes(&rpc::Empty {}).await.unwrap().nodes;
        let far = nodes.into_iter().find(|n| n.name == "far").unwrap().facts;
        let cores = far.resources.get("cpu_millicores");
        far.host == "127.0.0.2"
            && far.zone == "attic"
            && far.labels["disk"] == "ssd"
            && far.resources["gpu"] == 2
            && cores.is_some_and(|cores| *cores >= 1_000)
    })
    .await;
    let spec = echo(&free_ports(1)).replace("[[service]]\n", "");
    let apply = ApplyArgs { spec, wait_ms: 0 };
    fleet.client().apply(&apply).await.unwrap();
    let there = far(&fleet.healthy("echo", 1).await);
    let address = there[0].address.clone().unwrap();
    assert!(address.starts_with("127.0.0.2:"), "{address}");
}
