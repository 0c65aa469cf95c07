//! Calls: spread, passed on, retried, hedged, refused.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use routing::{RouteArgs, SYSTEM_ADDRESS, SYSTEM_NAME, StatsArgs, reason};
use rpc::{AUTHORIZATION, CallOptions, Code, Metadata};

use crate::common::{Fleet, check_refused, fleet, hello, said};

/// So many calls one after the other; how many each instance answered, and how many failed.
async fn calls(fleet: &Fleet, count: usize, args: &RouteArgs) -> (BTreeMap<String, usize>, usize) {
    let client = fleet.client();
    let (mut by, mut failed) = (BTreeMap::new(), 0);
    for _ in 0..count {
        match client.route(args).await {
            Ok(reply) => *by.entry(reply.instance).or_default() += 1,
            Err(_) => failed += 1,
        }
    }
    (by, failed)
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_routing");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn a_call_is_made_in_the_callers_place_and_with_its_token() {
    let fleet = fleet();
    let _echo = fleet.echo("echo.0.1", "1").await;
    let mut metadata = Metadata::new();
    metadata.set(AUTHORIZATION, "the caller's");
    let client = fleet.client().with(CallOptions {
        metadata,
        ..CallOptions::default()
    });
    let reply = client.route(&hello("token")).await.unwrap();
    assert_eq!(
        (said(&reply).as_str(), reply.instance.as_str()),
        ("the caller's", "echo.0.1")
    );
    assert_eq!(reply.tries, 1);
    let json = RouteArgs {
        payload: r#"{"message":"hi"}"#.into(),
        json: true,
        ..hello("")
    };
    let reply = client.route(&json).await.unwrap();
    assert_eq!(reply.payload.as_ref(), br#"{"message":"hi"}"#);
}

#[tokio::test]
async fn errors_of_the_service_come_back_unchanged_and_are_not_held_against_it() {
    let fleet = fleet();
    let _echo = fleet.echo("echo.0.1", "1").await;
    for _ in 0..30 {
        let refused = fleet.client().route(&hello("mine")).await;
        check_refused(refused, Code::InvalidArgument, "your-own");
    }
    let stats = fleet
        .client()
        .stats(&StatsArgs::default())
        .await
        .unwrap()
        .services;
    assert_eq!(
        (stats[0].breaker.as_str(), stats[0].endpoints[0].failures),
        ("closed", 0)
    );
    let nobody = RouteArgs {
        service: "nobody".to_owned(),
        ..hello("")
    };
    check_refused(
        fleet.client().route(&nobody).await,
        Code::Unavailable,
        reason::NO_INSTANCE,
    );
    let circle = RouteArgs {
        service: "routing".to_owned(),
        ..hello("")
    };
    check_refused(
        fleet.client().route(&circle).await,
        Code::InvalidArgument,
        reason::IN_CIRCLES,
    );
}

#[tokio::test]
async fn calls_are_spread_and_a_slow_one_gets_fewer() {
    let fleet = fleet();
    let echoes = [
        fleet.echo("echo.0.1", "1").await,
        fleet.echo("echo.1.1", "1").await,
        fleet.echo("echo.2.1", "1").await,
    ];
    calls(&fleet, 10, &hello("a")).await;
    // A new one begins slowly, and on a busy machine one looks slow for a moment.
    let mut by = BTreeMap::<String, usize>::new();
    let deadline = Instant::now() + chassis::testing::PATIENCE;
    while by.len() < 3 || by.values().any(|count| *count < 300) {
        assert!(Instant::now() < deadline, "{by:?}");
        for (instance, count) in calls(&fleet, 100, &hello("a")).await.0 {
            *by.entry(instance).or_default() += count;
        }
    }
    echoes[1].nature.pause_ms.store(20, Relaxed);
    let (by, failed) = calls(&fleet, 600, &hello("a")).await;
    assert!(by.get("echo.1.1").copied().unwrap_or(0) < 100, "{by:?}");
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn whoever_answers_errors_is_left_out_and_comes_back() {
    let fleet = fleet();
    let echoes = [
        fleet.echo("echo.0.1", "1").await,
        fleet.echo("echo.1.1", "1").await,
        fleet.echo("echo.2.1", "1").await,
    ];
    calls(&fleet, 100, &hello("a")).await;
    echoes[2].nature.fails.store(1, Relaxed);
    // One that looked slow at first is called a little later, and then found out.
    let deadline = Instant::now() + chassis::testing::PATIENCE;
    let mut failures = 0;
    loop {
        failures += calls(&fleet, 100, &hello("a")).await.1;
        let stats = fleet
            .client()
            .stats(&StatsArgs::default())
            .await
            .unwrap()
            .services;
        if stats[0].endpoints[2].out_for_ms.is_some() {
            break;
        }
        assert!(Instant::now() < deadline, "it is never left out: {stats:?}");
    }
    assert!((1..=20).contains(&failures), "{failures}");
    echoes[2].nature.fails.store(0, Relaxed);
    let deadline = Instant::now() + chassis::testing::PATIENCE;
    loop {
        let (by, _) = calls(&fleet, 100, &hello("a")).await;
        if by.contains_key("echo.2.1") {
            break;
        }
        assert!(Instant::now() < deadline, "it does not come back");
    }
}

#[tokio::test]
async fn one_that_dies_costs_no_call_that_may_be_made_again() {
    let fleet = fleet();
    let mut echoes = Vec::new();
    for n in 0..4 {
        echoes.push(fleet.echo(&format!("echo.{n}.1"), "1").await);
    }
    calls(&fleet, 100, &hello("a")).await;
    for _ in 0..3 {
        drop(echoes.pop());
        let (_, failed) = calls(&fleet, 100, &hello("a")).await;
        assert_eq!(failed, 0);
    }
}

#[tokio::test]
async fn when_everything_fails_calls_are_refused_at_once_and_made_again_later() {
    let fleet = fleet();
    let echo = fleet.echo("echo.0.1", "1").await;
    calls(&fleet, 5, &hello("a")).await;
    echo.nature.fails.store(1, Relaxed);
    let before = echo.nature.calls.load(Relaxed);
    let (_, failed) = calls(&fleet, 500, &hello("a")).await;
    assert_eq!(failed, 500);
    let reached = echo.nature.calls.load(Relaxed) - before;
    assert!(reached < 100, "{reached} of 500 calls still went there");
    check_refused(
        fleet.client().route(&hello("a")).await,
        Code::Unavailable,
        reason::CIRCUIT_OPEN,
    );
    echo.nature.fails.store(0, Relaxed);
    let deadline = Instant::now() + chassis::testing::PATIENCE;
    while calls(&fleet, 10, &hello("a")).await.1 > 0 {
        assert!(Instant::now() < deadline, "it stays open");
        tokio::time::sleep(Duration::from_millis(20)).await; // why: a time has to pass
    }
}

#[tokio::test]
async fn a_second_call_beside_a_slow_one_answers_first() {
    let fleet = fleet();
    let echoes = [
        fleet.echo("echo.0.1", "1").await,
        fleet.echo("echo.1.1", "1").await,
    ];
    let hedged = RouteArgs {
        hedge: true,
        ..hello("a")
    };
    calls(&fleet, 200, &hedged).await;
    for echo in &echoes {
        echo.nature.pause_ms.store(0, Relaxed);
    }
    echoes[0].nature.pause_ms.store(2_000, Relaxed);
    let begun = Instant::now();
    let (_, failed) = calls(&fleet, 20, &hedged).await;
    let took = begun.elapsed();
    assert_eq!(failed, 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn the_callers_deadline_is_kept() {
    let fleet = fleet();
    let echo = fleet.echo("echo.0.1", "1").await;
    echo.nature.pause_ms.store(60_000, Relaxed);
    let client = fleet.client().with(CallOptions {
        timeout: Some(Duration::from_millis(100)),
        ..CallOptions::default()
    });
    let begun = Instant::now();
    let error = client.route(&hello("a")).await.unwrap_err();
    assert_eq!(error.code, Code::DeadlineExceeded);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
