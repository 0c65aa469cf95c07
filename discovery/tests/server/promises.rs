//! RELIABILITY 2.3, row by row: what happens to leases and watches when things go wrong.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::common::{
    DISCOVERY, announce, client, discovery, discovery_at, eventually, heartbeat_args, instances,
    next, register, registration, watch,
};
use chassis::Standing;
use chassis::testing::{PATIENCE, Start, fixed_address};
use discovery::{
    Cause, DiscoveryClient, Freshness, Resolver, SnapshotReason, WatchArgs, WatchEvent,
};
use rpc::{Channel, Code};
use rustix::process::Signal;

#[tokio::test]
async fn f1_whose_connection_ends_is_gone_and_watchers_learn_it_once() {
    let server = discovery();
    let mut events = watch(&client(&server), "echo").await;
    let dying = DiscoveryClient::new(server.channel());
    let (stream, lease) = register(&dying, registration("echo", "a", 10), 60_000).await;
    let WatchEvent::Registered {
        position: registered,
        ..
    } = next(&mut events).await.unwrap()
    else {
        panic!("the registration comes first");
    };
    drop((stream, dying));
    let removed = next(&mut events).await.unwrap();
    let WatchEvent::Removed {
        position,
        instance,
        epoch,
        cause,
        ..
    } = removed
    else {
        panic!("the removal comes next, not {removed:?}");
    };
    assert_eq!((instance.as_str(), epoch), ("a", lease.epoch));
    assert_eq!(cause, Cause::ConnectionLost);
    assert_eq!(position.revision, registered.revision + 1);
    // The next event is the next registration: the removal came once.
    let (_stream, _) = register(&client(&server), registration("echo", "b", 11), 60_000).await;
    assert!(matches!(
        next(&mut events).await,
        Ok(WatchEvent::Registered { .. })
    ));
}

#[tokio::test]
async fn f2_a_lease_without_heartbeats_runs_out_though_its_connection_lives() {
    let server = discovery();
    let client = client(&server);
    let mut events = watch(&client, "echo").await;
    let started = Instant::now();
    let (mut stream, lease) = register(&client, registration("echo", "a", 10), 600).await;
    let ended = next(&mut stream).await.unwrap_err();
    assert_eq!(
        (ended.code, &*ended.reason),
        (Code::Conflict, "lease-expired")
    );
    assert!(
        started.elapsed() >= Duration::from_millis(600),
        "never early"
    );
    assert!(matches!(
        next(&mut events).await,
        Ok(WatchEvent::Registered { .. })
    ));
    let removed = next(&mut events).await.unwrap();
    assert!(
        matches!(
            removed,
            WatchEvent::Removed {
                cause: Cause::Expired,
                ..
            }
        ),
        "{removed:?}"
    );
    let late = client
        .heartbeat(&heartbeat_args("echo", "a", lease))
        .await
        .unwrap_err();
    assert_eq!(late.reason, "lease-expired");
    let (_stream, anew) = register(&client, registration("echo", "a", 10), 600).await;
    assert!(anew.epoch > lease.epoch);
}

#[tokio::test]
async fn f24_registering_twice_leaves_one_and_the_first_can_do_no_harm() {
    let server = discovery();
    let client = client(&server);
    let (mut first, old) = register(&client, registration("echo", "a", 10), 60_000).await;
    let (_second, new) = register(&client, registration("echo", "a", 10), 60_000).await;
    assert!(new.epoch > old.epoch);
    assert_eq!(next(&mut first).await.unwrap_err().reason, "lease-replaced");
    let late = client
        .heartbeat(&heartbeat_args("echo", "a", old))
        .await
        .unwrap_err();
    assert_eq!(late.reason, "lease-replaced");
    let found = instances(&client, "echo").await;
    assert_eq!((found.len(), found[0].epoch), (1, new.epoch));
}

#[tokio::test]
async fn f2_a_discovery_that_was_stopped_for_longer_than_a_ttl_drops_nobody() {
    let server = discovery();
    let ttl = Duration::from_millis(600);
    let mut announced = announce(server.address(), "a", 10, ttl);
    announced
        .until(|standing| *standing == Standing::Announced)
        .await;
    let mut events = watch(&DiscoveryClient::new(server.channel()), "echo").await;
    server.signal(Signal::STOP);
    let stopped = Instant::now();
    while stopped.elapsed() < 4 * ttl {
        // The announcer goes on knocking meanwhile.
        tokio::time::sleep(ttl / 4).await;
    }
    server.signal(Signal::CONT);
    let client = client(&server);
    let resumed = Instant::now();
    while resumed.elapsed() < ttl {
        assert_eq!(instances(&client, "echo").await.len(), 1);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // If the watch has survived the pause, it has seen registrations and no removal.
    while let Ok(Some(event)) = tokio::time::timeout(ttl, events.next()).await {
        let Ok(event) = event else { break };
        assert!(!matches!(event, WatchEvent::Removed { .. }), "{event:?}");
    }
    server.says("stopped or starved");
}

#[tokio::test]
async fn a_watch_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let server = discovery();
    let client = client(&server);
    let mut held = Vec::new();
    let mut seen = BTreeSet::new();
    let mut args = WatchArgs {
        service: "echo".into(),
        after: None,
    };
    for n in 0_u16..20 {
        let name = format!("i{n}");
        held.push(register(&client, registration("echo", &name, n + 1), 60_000).await);
        if n % 4 != 3 {
            continue;
        }
        // A new stream, from where the last one ended.
        let mut events = client.watch(&args).await.unwrap();
        while seen.len() <= n.into() {
            let event = next(&mut events).await.unwrap();
            args.after = Some(event.position());
            let found = match event {
                WatchEvent::Snapshot { instances, .. } => instances,
                WatchEvent::Registered { instance, .. } => vec![instance],
                other => panic!("unexpected: {other:?}"),
            };
            for instance in found {
                assert!(seen.insert(instance.registration.instance), "twice");
            }
        }
    }
    assert_eq!(seen.len(), 20);
}

#[tokio::test]
async fn a_watch_from_too_long_ago_says_compacted_and_gets_everything() {
    let server = Start::binary(DISCOVERY).arg("--history=2").ready();
    let client = client(&server);
    let (_a, _) = register(&client, registration("echo", "a", 10), 60_000).await;
    let mut events = client.watch(&WatchArgs::default()).await.unwrap();
    let after = Some(next(&mut events).await.unwrap().position());
    let mut held = Vec::new();
    for name in ["b", "c", "d"] {
        held.push(register(&client, registration("echo", name, 11), 60_000).await);
    }
    let args = WatchArgs {
        service: "echo".into(),
        after,
    };
    let first = next(&mut client.watch(&args).await.unwrap()).await.unwrap();
    let WatchEvent::Snapshot {
        reason, instances, ..
    } = first
    else {
        panic!("a snapshot comes first, not {first:?}");
    };
    assert_eq!((reason, instances.len()), (SnapshotReason::Compacted, 4));
}

#[tokio::test]
async fn a_watch_from_an_earlier_life_says_so_and_gets_everything() {
    let address = fixed_address();
    let mut server = discovery_at(address);
    let mut events = client(&server).watch(&WatchArgs::default()).await.unwrap();
    let before = next(&mut events).await.unwrap().position();
    server.kill();
    let server = discovery_at(address);
    let args = WatchArgs {
        after: Some(before),
        ..WatchArgs::default()
    };
    let first = next(&mut client(&server).watch(&args).await.unwrap())
        .await
        .unwrap();
    let reason = SnapshotReason::OtherIncarnation;
    assert!(
        matches!(first, WatchEvent::Snapshot { reason: r, .. } if r == reason),
        "{first:?}"
    );
    assert!(first.position().incarnation != before.incarnation);
}

#[tokio::test]
async fn f30_two_thousand_registrations_at_once_are_all_taken_soon() {
    let server = discovery();
    let started = Instant::now();
    let mut registering = tokio::task::JoinSet::new();
    for connection in 0_u16..20 {
        let client = client(&server);
        registering.spawn(async move {
            let mut held = Vec::new();
            for n in 0..100 {
                let name = format!("i{connection}.{n}");
                held.push(register(&client, registration("echo", &name, n + 1), 60_000).await);
            }
            (client, held)
        });
    }
    let _held = registering.join_all().await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let client = client(&server);
    assert_eq!(instances(&client, "echo").await.len(), 2_000);
    // A watch gets them in parts, none of which is too large for a frame.
    let mut events = client
        .watch(&WatchArgs {
            service: "echo".into(),
            after: None,
        })
        .await
        .unwrap();
    let mut count = 0;
    while let WatchEvent::Snapshot {
        instances, more, ..
    } = next(&mut events).await.unwrap()
    {
        count += instances.len();
        if !more {
            break;
        }
    }
    assert_eq!(count, 2_000);
}

#[tokio::test]
async fn an_announcer_says_at_once_that_nobody_is_there_and_announces_when_somebody_is() {
    let address = fixed_address();
    let started = Instant::now();
    let mut announced = announce(address, "a", 10, Duration::from_secs(5));
    announced
        .until(|standing| matches!(standing, Standing::Unreachable(_)))
        .await;
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    let mut server = discovery_at(address);
    announced
        .until(|standing| *standing == Standing::Announced)
        .await;
    let first = instances(&client(&server), "echo").await[0].epoch;
    server.kill();
    announced
        .until(|standing| matches!(standing, Standing::Unreachable(_)))
        .await;
    let server = discovery_at(address);
    announced
        .until(|standing| *standing == Standing::Announced)
        .await;
    let again = instances(&client(&server), "echo").await[0].epoch;
    assert!(again > first, "epochs grow over restarts of discovery");
    announced.withdraw.cancel();
    announced.keeping.await.unwrap();
    assert!(
        instances(&client(&server), "echo").await.is_empty(),
        "it said farewell"
    );
}

#[tokio::test]
async fn f4_a_resolver_that_loses_discovery_keeps_what_it_knew_and_says_how_old_it_is() {
    let address = fixed_address();
    let resolver = Resolver::new(address);
    assert!(!resolver.ready("echo", Duration::from_millis(50)).await);
    let nobody = resolver.channel("echo");
    let mut server = discovery_at(address);
    let mut announced = announce(address, "a", 10, Duration::from_secs(5));
    announced
        .until(|standing| *standing == Standing::Announced)
        .await;
    let live = |r: &discovery::Resolved| r.freshness == Freshness::Live && r.instances.len() == 1;
    assert!(resolver.wait_until("echo", PATIENCE, live).await);
    // An orderly end is no other than a violent one: nobody is dropped because discovery goes.
    assert_eq!(server.terminate().code(), Some(0), "{}", server.stderr());
    let stale = |r: &discovery::Resolved| r.freshness != Freshness::Live;
    assert!(resolver.wait_until("echo", PATIENCE, stale).await);
    eventually("its age grows", async || {
        let resolved = resolver.resolve("echo");
        assert_eq!(resolved.instances.len(), 1);
        matches!(resolved.freshness, Freshness::Stale { age_ms } if age_ms >= 100)
    })
    .await;
    let before = resolver.resolve("echo").position;
    let server = discovery_at(address);
    let anew = |r: &discovery::Resolved| live(r) && r.position != before;
    assert!(
        resolver.wait_until("echo", PATIENCE, anew).await,
        "{}",
        server.stderr()
    );
    drop(nobody);
}

#[tokio::test]
async fn a_call_to_a_service_that_nobody_offers_says_so() {
    let server = discovery();
    let resolver = Resolver::new(server.address());
    assert!(resolver.ready("ghost", PATIENCE).await);
    let builtin = rpc::BuiltinClient::new(resolver.channel("ghost"));
    let error = builtin.health(&rpc::Empty {}).await.unwrap_err();
    assert_eq!(
        (error.code, &*error.reason),
        (Code::Unavailable, "no-instance")
    );
    let direct = rpc::BuiltinClient::new(Channel::to(server.address()));
    direct
        .health(&rpc::Empty {})
        .await
        .expect("discovery itself is well");
}
