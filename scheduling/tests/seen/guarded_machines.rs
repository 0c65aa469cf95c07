//! A machine joins a fleet that asks for tokens.

use std::net::SocketAddr;

use chassis::testing::Start;
use chassis::trust::read_token;
use discovery::DiscoveryClient;
use rpc::{BuiltinClient, Empty};
use scheduling::{
    ApplyArgs, GetServiceArgs, InstanceState, InstanceTokensArgs, ListInstancesArgs,
    SchedulingClient, reason,
};

use crate::authorisation::{ADMIN, Guarded, at, guarded};
use crate::harness::{AGENT, eventually};

fn agent(fleet: &Guarded, token: &str) -> Start {
    Start::binary(AGENT)
        .env("ORRERY_DATA", fleet.data().display())
        .env("ORRERY_AUTH", "auto")
        .env("ORRERY_AGENT_TOKEN", token)
        .arg("--node=far")
        .arg("--host=127.0.0.2")
        .arg(&format!("--join={}", fleet.fleet.process.address()))
        .arg(&format!("--discovery={}", fleet.address("discovery")))
}

#[tokio::test]
async fn a_machine_joins_with_a_token_and_its_instances_speak_with_tokens_of_their_own() {
    let fleet = guarded(&[]).await;
    let (_, token) = fleet.token(&["scheduling:*:write"], None).await;
    let _agent = agent(&fleet, &token).ready();
    let operator = fleet.scheduling();
    eventually("the node is ready", || async {
        let nodes = operator.nodes(&Empty {}).await.unwrap().nodes;
        nodes.iter().any(|n| n.name == "far" && n.status == "ready")
    })
    .await;
    // Routing moves there.
    let name = "routing".to_owned();
    let spec = operator
        .get_service(&GetServiceArgs { name })
        .await
        .unwrap()
        .spec;
    let spec = spec.replace("node = \"local\"", "node = \"far\"");
    operator
        .apply(&ApplyArgs { spec, wait_ms: 0 })
        .await
        .unwrap();
    let routing = ListInstancesArgs {
        service: Some("routing".to_owned()),
        ..ListInstancesArgs::default()
    };
    let there = || async {
        let all = operator.list_instances(&routing).await.unwrap().instances;
        let healthy = |i: &&scheduling::InstanceInfo| i.state == InstanceState::Healthy;
        let mut far = all
            .iter()
            .filter(|i| i.node.as_deref() == Some("far"))
            .filter(healthy);
        far.next().cloned()
    };
    eventually("routing is there", || async { there().await.is_some() }).await;
    let instance = there().await.unwrap();
    let address: SocketAddr = instance.address.clone().unwrap().parse().unwrap();
    assert_eq!(address.ip().to_string(), "127.0.0.2");
    // Only who has its token is let in by discovery under its name.
    let discovery = DiscoveryClient::new(at(fleet.address("discovery"), ADMIN));
    eventually("it is registered", || async {
        let args = discovery::QueryArgs {
            service: "routing".to_owned(),
            which: discovery::Which::default(),
        };
        let found = discovery.query(&args).await.unwrap().instances;
        found.iter().any(|i| i.registration.instance == instance.id)
    })
    .await;
    let own = fleet
        .data()
        .join(format!("agent-far/credentials/{}.token", instance.id));
    assert!(read_token(&own).unwrap().starts_with("v4.public."));
    let nobody = BuiltinClient::new(at(address, ""));
    let refused = nobody.metrics(&Empty {}).await.unwrap_err();
    assert_eq!(refused.reason, "no-token", "it believes its fleet");
    // An instance that may do everything here gets nobody else's token, and of the instances here
    // nobody does.
    let passes = fleet.data().join("scheduling/credentials/passes.0.1.token");
    let passes = read_token(&passes).unwrap();
    for (token, node, instance) in [
        (passes.as_str(), "far", instance.id.as_str()),
        (passes.as_str(), "local", "security.0.1"),
        (ADMIN, "local", "security.0.1"),
    ] {
        let asks = SchedulingClient::new(at(fleet.fleet.process.address(), token));
        let args = InstanceTokensArgs {
            node: node.to_owned(),
            instances: vec![instance.to_owned()],
        };
        let refused = asks.instance_tokens(&args).await.unwrap_err();
        assert_eq!(
            refused.reason,
            reason::NOT_ITS_AGENT,
            "{instance}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_machine_with_a_token_that_nobody_made_does_not_join() {
    let fleet = guarded(&[]).await;
    let agent = agent(&fleet, "orrery_a_wrong_secret").spawned();
    agent.says("scheduling does not say how this fleet is guarded");
    let nodes = fleet.scheduling().nodes(&Empty {}).await.unwrap().nodes;
    assert!(nodes.iter().all(|n| n.name != "far"), "{nodes:?}");
}
