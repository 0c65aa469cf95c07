//! The interface: the lib's client against the real bin.

use std::collections::BTreeMap;

use scheduling::{
    ApplyArgs, DeleteServiceArgs, EventsArgs, ExplainArgs, GetServiceArgs, InstanceState,
    ListInstancesArgs, LogsArgs, PlanArgs, ProposedChange, StopInstanceArgs, UsageArgs, WatchArgs,
};

use crate::harness::{Fleet, script, sleeper};

#[tokio::test]
async fn the_five_procedures_of_the_contract_have_their_numbers() {
    let fleet = Fleet::start(&[]);
    let described = fleet
        .process
        .builtin()
        .describe(&rpc::Empty {})
        .await
        .unwrap();
    assert_eq!(described.name, scheduling::SYSTEM_NAME);
    let names: BTreeMap<u32, &str> = described
        .procedures
        .iter()
        .map(|procedure| (procedure.id, procedure.name.as_str()))
        .collect();
    for (id, name) in [
        (401, "schedule_service"),
        (402, "list_instances"),
        (403, "scale_service"),
        (404, "stop_instance"),
        (405, "get_service"),
    ] {
        assert_eq!(names.get(&id), Some(&name));
    }
}

#[tokio::test]
async fn a_spec_is_applied_shown_and_deleted() {
    let fleet = Fleet::start(&[]);
    let client = fleet.client();
    let apply = |spec: String| ApplyArgs {
        spec,
        wait_ms: 10_000,
    };
    let spec = sleeper("a", 2);
    let applied = client.apply(&apply(spec.clone())).await.unwrap();
    assert!(applied.changed && applied.converged, "{applied:?}");
    assert_eq!(applied.services[0].healthy, 2);
    let again = client.apply(&apply(spec)).await.unwrap();
    assert!(!again.changed, "the same wish changes nothing: {again:?}");
    let name = || "a".to_owned();
    let shown = client
        .get_service(&GetServiceArgs { name: name() })
        .await
        .unwrap();
    let again = client.apply(&apply(shown.spec.clone())).await.unwrap();
    assert!(
        !again.changed,
        "what is shown can be applied: {}",
        shown.spec
    );
    let deleted = client
        .delete_service(&DeleteServiceArgs { name: name() })
        .await
        .unwrap();
    assert_eq!(deleted.ending, 2);
    fleet.healthy("a", 0).await;
    assert!(fleet.processes().is_empty());
}

#[tokio::test]
async fn a_stopped_instance_gets_a_successor_and_a_changed_spec_replaces_one_at_a_time() {
    let fleet = Fleet::start(&[sleeper("a", 3)]);
    let client = fleet.client();
    let first = fleet.healthy("a", 3).await;
    let instance = first[1].id.clone();
    client
        .stop_instance(&StopInstanceArgs { instance })
        .await
        .unwrap();
    let stopped = fleet.until("it is stopped", |all| {
        all.iter()
            .find(|i| i.id == first[1].id && i.state == InstanceState::Stopped)
            .cloned()
    });
    assert_eq!(stopped.await.failure, None);
    let second = fleet.healthy("a", 3).await;
    assert_eq!(second[1].id, "a.1.2");
    assert_eq!((&second[0], &second[2]), (&first[0], &first[2]));

    let changed = sleeper("a", 3).replace("1000", "1001");
    let change = ProposedChange::Apply {
        spec: changed.clone(),
    };
    let plan = PlanArgs {
        change: Some(change),
    };
    let planned = client.plan(&plan).await.unwrap();
    let verbs: Vec<&str> = planned.actions.iter().map(|a| a.verb.as_str()).collect();
    assert_eq!(
        verbs,
        ["stop", "create", "stop", "create", "stop", "create"]
    );
    assert_eq!(
        fleet.healthy("a", 3).await,
        second,
        "a plan changes nothing"
    );
    let mut watch = client.watch(&WatchArgs::default()).await.unwrap();
    let apply = ApplyArgs {
        spec: changed,
        wait_ms: 0,
    };
    client.apply(&apply).await.unwrap();
    let mut healthy: BTreeMap<String, InstanceState> = BTreeMap::new();
    loop {
        let item = watch.next().await.unwrap().unwrap();
        for instance in &item.instances {
            healthy.insert(instance.id.clone(), instance.state);
        }
        for gone in &item.instances_gone {
            healthy.remove(gone);
        }
        let count = healthy
            .values()
            .filter(|s| **s == InstanceState::Healthy)
            .count();
        assert!(count >= 2, "never fewer than two of three: {healthy:?}");
        if item
            .services
            .iter()
            .any(|s| s.healthy == 3 && s.spec_revision > 1)
            && healthy.contains_key("a.2.2")
        {
            break;
        }
    }
}

#[tokio::test]
async fn logs_and_events_begin_with_the_past_and_follow() {
    let talks = script("talks", "echo one; echo two; echo bad >&2; exec sleep 1000");
    let fleet = Fleet::start(&[talks]);
    let client = fleet.client();
    fleet.healthy("talks", 1).await;
    let args = LogsArgs {
        target: "talks".into(),
        tail: 1,
        follow: true,
        stream: None,
    };
    let mut logs = client.logs(&args).await.unwrap();
    let mut texts = Vec::new();
    while texts.len() < 2 {
        texts.push(logs.next().await.unwrap().unwrap().text);
    }
    texts.sort();
    assert!(texts.contains(&"bad".to_owned()), "{texts:?}");
    drop(logs);
    let args = EventsArgs {
        service: Some("talks".into()),
        tail: 2,
        follow: true,
        ..EventsArgs::default()
    };
    let mut events = client.events(&args).await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        kinds.push(events.next().await.unwrap().unwrap().kind);
    }
    assert_eq!(kinds, ["started", "healthy"]);
    let name = "talks".to_owned();
    client
        .delete_service(&DeleteServiceArgs { name })
        .await
        .unwrap();
    let next = events.next().await.unwrap().unwrap();
    assert_eq!(next.kind, "deleted");
}

#[tokio::test]
async fn usage_and_explanations_are_there_for_every_instance() {
    let fleet = Fleet::start(&[sleeper("a", 2)]);
    fleet.healthy("a", 2).await;
    let usage = fleet.client().usage(&UsageArgs::default()).await.unwrap();
    assert_eq!(usage.instances.len(), 2);
    assert!(
        usage
            .instances
            .iter()
            .all(|u| u.rss_bytes > 0 && u.pids >= 1),
        "{usage:?}"
    );
    for target in ["a", "a.0", "a.0.1", "a.7"] {
        let target = target.to_owned();
        let explained = fleet
            .client()
            .explain(&ExplainArgs { target })
            .await
            .unwrap();
        assert!(!explained.because.is_empty(), "{explained:?}");
    }
    let metrics = fleet
        .process
        .builtin()
        .metrics(&rpc::Empty {})
        .await
        .unwrap();
    let counted = "orrery_instances{state=\"healthy\"} 2\n";
    assert!(metrics.text.contains(counted), "{}", metrics.text);
    let all = ListInstancesArgs {
        service: Some("a".into()),
        ended: false,
    };
    let listed = fleet.client().list_instances(&all).await.unwrap();
    assert_eq!(listed.instances.len(), 2);
}
