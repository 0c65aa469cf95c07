//! Agents of other machines pull what they have to do; scheduling never dials them.

use chassis::testing::{Process, Start};
use rustix::process::Signal;
use scheduling::{InstanceInfo, ScaleServiceArgs};

use crate::harness::{AGENT, Fleet, eventually, kill, sleeper};

fn agent(fleet: &Fleet) -> Process {
    let data = fleet.dir.path().join("data");
    Start::binary(AGENT)
        .env("ORRERY_DATA", data.display())
        .arg("--node=far")
        .arg(&format!("--scheduling={}", fleet.process.address()))
        .ready()
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
    eventually("the node is ready", || async {
        let nodes = fleet.client().nodes(&rpc::Empty {}).await.unwrap().nodes;
        nodes.iter().any(|n| n.name == "far" && n.status == "ready")
    })
    .await;
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
