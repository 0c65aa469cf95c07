//! Rules, alerts, and who is told.

use std::net::SocketAddr;
use std::sync::Arc;

use monitoring::{
    AlertState, Condition, DeleteRuleArgs, Function, MonitoringClient, QueryArgs, ReportArgs, Rule,
    Sample, reason,
};
use parking_lot::Mutex;
use rpc::{Code, Empty};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::common::{check_refused, fleet, start, until};

fn rule(name: &str, condition: Condition) -> Rule {
    Rule {
        name: name.to_owned(),
        query: QueryArgs {
            window_ms: 400,
            ..QueryArgs::now("load", Function::Last)
        },
        condition,
        for_ms: 0,
        severity: "page".to_owned(),
        webhook: String::new(),
    }
}

async fn say(client: &MonitoringClient, value: f64) {
    let samples = vec![Sample {
        name: "load".to_owned(),
        labels: Default::default(),
        value,
    }];
    client.report(&ReportArgs { samples }).await.unwrap();
}

/// Takes what is posted to it; answers the first with an error, as a busy server would.
async fn webhook() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let posted = Arc::new(Mutex::new(Vec::new()));
    let posts = Arc::clone(&posted);
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4_096];
            while !text.contains("\r\n\r\n") || !text.trim_end().ends_with('}') {
                let count = stream.read(&mut buffer).await.unwrap();
                if count == 0 {
                    break;
                }
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            let status = if first { "503 Busy" } else { "200 OK" };
            if !first {
                posts.lock().push(text);
            }
            first = false;
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, posted)
}

#[tokio::test]
async fn an_alert_fires_is_told_and_is_resolved() {
    let fleet = fleet();
    let client = fleet.client();
    let (address, posted) = webhook().await;
    let rule = Rule {
        for_ms: 200,
        webhook: format!("http://{address}/alerts"),
        ..rule("busy", Condition::Above(10.0))
    };
    client.set_rule(&rule).await.unwrap();
    let mut watch = client.watch_alerts(&Empty {}).await.unwrap();
    let sayer = fleet.client();
    let saying = tokio::spawn(async move {
        loop {
            say(&sayer, 11.0).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await; // why: says it often
        }
    });
    let pending = watch.next().await.unwrap().unwrap();
    assert_eq!(
        (pending.rule.as_str(), pending.state),
        ("busy", AlertState::Pending)
    );
    let firing = watch.next().await.unwrap().unwrap();
    assert_eq!(
        (firing.state, firing.value),
        (AlertState::Firing, Some(11.0))
    );
    assert!(firing.since_ms >= pending.since_ms + 200);
    saying.abort();
    let resolved = watch.next().await.unwrap().unwrap();
    assert_eq!(resolved.state, AlertState::Resolved);
    until("both are told", || async {
        (posted.lock().len() >= 2).then_some(())
    })
    .await;
    let posts = posted.lock().clone();
    assert!(
        posts[0].starts_with("POST /alerts HTTP/1.1"),
        "{}",
        posts[0]
    );
    for words in [
        "\"status\":\"firing\"",
        "\"alertname\":\"busy\"",
        "\"version\":\"4\"",
    ] {
        assert!(
            posts.iter().any(|post| post.contains(words)),
            "{words} is not in {posts:?}"
        );
    }
    assert!(
        posts
            .iter()
            .any(|post| post.contains("\"status\":\"resolved\""))
    );
}

#[tokio::test]
async fn absence_is_noticed_and_rules_and_what_fires_survive_a_kill() {
    let mut fleet = fleet();
    let client = fleet.client();
    client
        .set_rule(&rule("gone", Condition::Absent))
        .await
        .unwrap();
    let firing = |client: MonitoringClient| async move {
        let alerts = client.alerts(&Empty {}).await.ok()?.alerts;
        let alert = alerts.into_iter().find(|alert| alert.rule == "gone")?;
        (alert.state == AlertState::Firing).then_some(alert)
    };
    let before = until("it fires", || firing(client.clone())).await;
    fleet.monitoring.kill();
    fleet.monitoring = start(&fleet.folder, &fleet.discovery, &[]);
    let client = fleet.client();
    let after = until("it still fires", || firing(client.clone())).await;
    assert_eq!(after.since_ms, before.since_ms);
    let rules = client.alerts(&Empty {}).await.unwrap().rules;
    assert_eq!(rules, [rule("gone", Condition::Absent)]);
    let name = "gone".to_owned();
    client
        .delete_rule(&DeleteRuleArgs { name: name.clone() })
        .await
        .unwrap();
    client.delete_rule(&DeleteRuleArgs { name }).await.unwrap();
    let left = client.alerts(&Empty {}).await.unwrap();
    assert!(left.rules.is_empty() && left.alerts.is_empty());
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused() {
    let fleet = fleet();
    let client = fleet.client();
    let good = rule("a", Condition::Absent);
    let bad = [
        Rule {
            name: String::new(),
            ..good.clone()
        },
        Rule {
            name: "a/b".to_owned(),
            ..good.clone()
        },
        Rule {
            query: QueryArgs::now("", Function::Last),
            ..good.clone()
        },
        Rule {
            webhook: "https://example.org".to_owned(),
            ..good.clone()
        },
        Rule {
            webhook: "nonsense".to_owned(),
            ..good
        },
    ];
    for rule in bad {
        let refused = client.set_rule(&rule).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_RULE);
    }
}
