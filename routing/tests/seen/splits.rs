//! Splits by version: kept to, durable, followed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use routing::{ClearSplitArgs, RouteArgs, Router, RoutingClient, SetSplitArgs, Weight, reason};
use rpc::{Code, Empty};

use crate::common::{check_refused, fleet, hello, start};

fn split(weights: &[(&str, u32)], ttl_ms: Option<u64>) -> SetSplitArgs {
    let weight = |(version, permille): &(&str, u32)| Weight {
        version: (*version).to_owned(),
        permille: *permille,
    };
    SetSplitArgs {
        service: "echo".to_owned(),
        weights: weights.iter().map(weight).collect(),
        ttl_ms,
    }
}

async fn share_of_two(client: &RoutingClient, calls: usize) -> f64 {
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..calls {
        let reply = client.route(&hello("a")).await.unwrap();
        *by.entry(reply.instance).or_default() += 1;
    }
    by.get("echo.1.1").copied().unwrap_or(0) as f64 / calls as f64
}

#[tokio::test]
async fn a_version_gets_its_share_within_three_of_a_hundred() {
    let fleet = fleet();
    let (_one, _two) = (
        fleet.echo("echo.0.1", "1").await,
        fleet.echo("echo.1.1", "2").await,
    );
    let client = fleet.client();
    client
        .set_split(&split(&[("1", 900), ("2", 100)], None))
        .await
        .unwrap();
    client.route(&hello("a")).await.unwrap();
    let share = share_of_two(&client, 10_000).await;
    assert!((0.07..0.13).contains(&share), "{share}");
    let keyed = RouteArgs {
        key: "ada".to_owned(),
        ..hello("a")
    };
    let first = client.route(&keyed).await.unwrap().instance;
    for _ in 0..50 {
        assert_eq!(client.route(&keyed).await.unwrap().instance, first);
    }
    client
        .set_split(&split(&[("2", 1_000)], None))
        .await
        .unwrap();
    assert_eq!(share_of_two(&client, 100).await, 1.0);
    let service = "echo".to_owned();
    client
        .clear_split(&ClearSplitArgs { service })
        .await
        .unwrap();
    assert!(client.splits(&Empty {}).await.unwrap().splits.is_empty());
    let deadline = Instant::now() + chassis::testing::PATIENCE;
    while !(0.1..0.9).contains(&share_of_two(&client, 100).await) {
        assert!(Instant::now() < deadline, "both are to be called");
    }
}

#[tokio::test]
async fn a_split_lasts_as_long_as_it_was_told_to() {
    let fleet = fleet();
    let client = fleet.client();
    let mut watch = client.watch_splits(&Empty {}).await.unwrap();
    assert!(watch.next().await.unwrap().unwrap().splits.is_empty());
    client
        .set_split(&split(&[("2", 100)], Some(200)))
        .await
        .unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().splits.len(), 1);
    assert!(watch.next().await.unwrap().unwrap().splits.is_empty());
}

#[tokio::test]
async fn routers_in_other_processes_follow_and_go_on_without_routing() {
    let mut fleet = fleet();
    let (_one, _two) = (
        fleet.echo("echo.0.1", "1").await,
        fleet.echo("echo.1.1", "2").await,
    );
    let resolver = discovery::Resolver::new(fleet.discovery.address());
    let router = Router::new(resolver.clone(), "");
    let client = RoutingClient::new(resolver.channel(routing::SYSTEM_NAME));
    tokio::spawn(router.clone().follow_splits(client));
    fleet
        .client()
        .set_split(&split(&[("2", 1_000)], None))
        .await
        .unwrap();
    let args = hello("a");
    let call = routing::Call::new(args.procedure, args.payload).idempotent();
    let deadline = Instant::now() + chassis::testing::PATIENCE;
    while !router.has_split("echo") {
        assert!(Instant::now() < deadline, "the split is not followed");
        tokio::time::sleep(Duration::from_millis(2)).await; // why: polls
    }
    // Both are known by then, or will be: the one that the split is for has to be there.
    while router.call("echo", &call).await.unwrap().instance != "echo.1.1" {
        assert!(Instant::now() < deadline, "the split is not kept to");
    }
    fleet.routing.kill();
    for _ in 0..50 {
        assert_eq!(
            router.call("echo", &call).await.unwrap().instance,
            "echo.1.1"
        );
    }
}

#[tokio::test]
async fn splits_are_there_after_every_kill() {
    let mut fleet = fleet();
    let mut seed = 0x0bad_cafe_u32;
    for kill in 0..50_u32 {
        let wanted = split(&[("2", kill)], None);
        fleet.client().set_split(&wanted).await.unwrap();
        let client = fleet.client();
        let writer = tokio::spawn(async move {
            // More writes in flight; what they say is not acknowledged.
            while client.set_split(&split(&[("2", 999)], None)).await.is_ok() {}
        });
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_micros(u64::from(seed >> 16) % 5_000);
        tokio::time::sleep(pause).await; // why: the moment of the kill is what is random here
        fleet.routing.kill();
        writer.await.unwrap();
        fleet.routing = start(&fleet.folder, &fleet.discovery);
        let found = fleet.client().splits(&Empty {}).await.unwrap().splits;
        let permille = found[0].weights[0].permille;
        assert!(
            permille == kill || permille == 999,
            "{permille} after kill {kill}"
        );
    }
}

#[tokio::test]
async fn a_split_that_makes_no_sense_is_refused() {
    let fleet = fleet();
    let client = fleet.client();
    let bad = [
        split(&[], None),
        split(&[("1", 600), ("2", 600)], None),
        split(&[("1", 1), ("1", 1)], None),
        split(&[("", 1)], None),
        split(&[("1", 1)], Some(0)),
        SetSplitArgs {
            service: "a/b".to_owned(),
            ..split(&[("1", 1)], None)
        },
    ];
    for args in bad {
        let refused = client.set_split(&args).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_SPLIT);
    }
}
