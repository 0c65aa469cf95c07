//! Points: asked for, reported, queried, bounded, and there after a kill.

use chassis::testing::check_uniform_service;
use monitoring::{
    Function, HealthArgs, HeartbeatArgs, NamesArgs, QueryArgs, ReportArgs, SYSTEM_ADDRESS,
    SYSTEM_NAME, Sample, reason,
};
use rpc::{Code, Empty};

use crate::common::{check_refused, fleet, start, until};

fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Sample {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
        value,
    }
}

fn report(samples: Vec<Sample>) -> ReportArgs {
    ReportArgs { samples }
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_monitoring");
    check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn everything_that_discovery_knows_is_asked_and_a_dead_one_is_seen() {
    let mut fleet = fleet();
    let client = fleet.client();
    let all = HealthArgs::default();
    let health = until("three are up", || async {
        client
            .health(&all)
            .await
            .ok()
            .filter(|health| health.up == 3)
    })
    .await;
    let services: Vec<&str> = health
        .instances
        .iter()
        .map(|i| i.service.as_str())
        .collect();
    assert_eq!(services, ["discovery", "monitoring", "routing"]);
    until("it is called now and then", || async {
        let health = client.health(&all).await.ok()?;
        let discovery = health
            .instances
            .into_iter()
            .find(|i| i.service == "discovery")?;
        (discovery.calls_per_second > 1.0 && discovery.p99_ms.is_some()).then_some(())
    })
    .await;
    fleet.other.kill();
    let only = HealthArgs {
        service: Some("routing".to_owned()),
    };
    let health = until("it is down", || async {
        let health = client.health(&only).await.ok()?;
        (health.up == 0 && !health.instances.is_empty()).then_some(health)
    })
    .await;
    assert!(!health.instances[0].why.is_empty());
    let up = QueryArgs::now("up", Function::Least).equal("service", "discovery");
    let series = client.query(&up).await.unwrap().series;
    assert_eq!(series[0].points[0].value, 1.0);
}

#[tokio::test]
async fn what_is_reported_is_there_and_after_a_kill_too() {
    let mut fleet = fleet();
    let client = fleet.client();
    let taken = client
        .report(&report(vec![
            sample("jobs_waiting", &[("queue", "a")], 3.0),
            sample("jobs_waiting", &[("queue", "b")], 4.0),
        ]))
        .await
        .unwrap();
    assert_eq!((taken.taken, taken.left_out), (2, 0));
    let job = "backup".to_owned();
    client.heartbeat(&HeartbeatArgs { job }).await.unwrap();
    let sum = QueryArgs::now("jobs_waiting", Function::Last).by(&[]);
    assert_eq!(
        client.query(&sum).await.unwrap().series[0].points[0].value,
        7.0
    );
    fleet.monitoring.kill();
    fleet.monitoring = start(&fleet.folder, &fleet.discovery, &[]);
    let client = fleet.client();
    assert_eq!(
        client.query(&sum).await.unwrap().series[0].points[0].value,
        7.0
    );
    until("all four are known", || async {
        let names = client.names(&NamesArgs::default()).await.ok()?.names;
        let all = ["heartbeat_ms", "jobs_waiting", "rpc_calls_total", "up"];
        let known = |name: &&str| names.iter().any(|known| known == name);
        all.iter().all(known).then_some(())
    })
    .await;
    let values = NamesArgs {
        label: Some("queue".to_owned()),
        name: "jobs_waiting".to_owned(),
    };
    assert_eq!(client.names(&values).await.unwrap().names, ["a", "b"]);
}

#[tokio::test]
async fn a_rate_is_a_rate() {
    let fleet = fleet();
    let client = fleet.client();
    let builtin = fleet.other.builtin();
    for _ in 0..500 {
        builtin.health(&Empty {}).await.unwrap();
    }
    let grown = QueryArgs::now("rpc_calls_total", Function::Greatest)
        .equal("service", "routing")
        .equal("procedure", "health")
        .equal("outcome", "succeeded");
    until("all are counted", || async {
        let series = client.query(&grown).await.ok()?.series;
        (series.first()?.points.last()?.value >= 500.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn series_are_bounded_and_what_is_left_out_is_counted() {
    let fleet = fleet();
    let folder = tempfile::tempdir().unwrap();
    let small = start(&folder, &fleet.discovery, &[("SERIES_MAX", "10")]);
    let client = monitoring::MonitoringClient::new(small.channel());
    let many = (0..50).map(|n| sample("many", &[("n", &n.to_string())], 1.0));
    let reply = client.report(&report(many.collect())).await.unwrap();
    assert!(reply.left_out >= 40, "{reply:?}");
    let health = client.health(&HealthArgs::default()).await.unwrap();
    assert_eq!((health.series, health.series_max), (10, 10));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let fleet = fleet();
    let client = fleet.client();
    let long = "x".repeat(201);
    let bad = [
        sample("", &[], 1.0),
        sample("1a", &[], 1.0),
        sample("a b", &[], 1.0),
        sample(&long, &[], 1.0),
        sample("a", &[("b c", "d")], 1.0),
        sample("a", &[("b", &long)], 1.0),
        sample("a", &[], f64::NAN),
    ];
    for sample in bad {
        let refused = client.report(&report(vec![sample])).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_SAMPLE);
    }
    let many = report(vec![sample("a", &[], 1.0); 10_001]);
    check_refused(
        client.report(&many).await,
        Code::InvalidArgument,
        reason::TOO_MANY,
    );
    let backwards = QueryArgs {
        from_ms: 2,
        to_ms: 1,
        ..QueryArgs::now("a", Function::Last)
    };
    check_refused(
        client.query(&backwards).await,
        Code::InvalidArgument,
        reason::BAD_RANGE,
    );
    let nothing = client
        .query(&QueryArgs::now("nothing", Function::Last))
        .await
        .unwrap();
    assert_eq!(nothing.series, []);
}
