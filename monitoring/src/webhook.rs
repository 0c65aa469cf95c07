//! Tells alerts to whoever wants to know: a POST in the form of Prometheus' Alertmanager.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use monitoring::{AlertInfo, AlertState};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

/// How long a webhook may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Attempts at telling one alert; the pauses between them double from half a second on.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// Webhooks that are told at a time: one that does not answer delays no other.
const AT_A_TIME: usize = 32;

/// An alert, and whom to tell.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) webhook: String,
    pub(crate) alert: AlertInfo,
}

/// Whether it may be a webhook: plain HTTP, with a host.
pub(crate) fn is_webhook(text: &str) -> bool {
    let uri: Result<Uri, _> = text.parse();
    uri.is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some())
}

/// Tells what there is to tell; for ever. Redirects are not followed: whoever is told is whoever
/// was named.
pub(crate) async fn tell(mut notices: Receiver<Notice>) {
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let mut telling = tokio::task::JoinSet::new();
    while let Some(notice) = notices.recv().await {
        if telling.len() >= AT_A_TIME {
            telling.join_next().await;
        }
        let client = client.clone();
        telling.spawn(async move {
            let mut pause = PAUSE;
            for attempt in 1..=ATTEMPTS {
                match tell_once(&client, &notice).await {
                    Ok(()) => return,
                    Err(why) if attempt == ATTEMPTS => {
                        tracing::error!(webhook = notice.webhook, why, "an alert is not told");
                    }
                    Err(why) => {
                        tracing::debug!(webhook = notice.webhook, why, "trying again");
                        sleep(pause).await;
                        pause *= 2;
                    }
                }
            }
        });
        while telling.try_join_next().is_some() {}
    }
}

async fn tell_once(
    client: &Client<HttpConnector, Full<Bytes>>,
    notice: &Notice,
) -> Result<(), String> {
    let request = Request::post(&notice.webhook)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body(&notice.alert).to_string()))
        .map_err(|e| e.to_string())?;
    let answer = timeout(PATIENCE, client.request(request)).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned())?;
    let status = answer.map_err(|e| e.to_string())?.status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("it answers {status}"))
}

/// As Alertmanager's webhooks have it, version 4.
fn body(alert: &AlertInfo) -> Value {
    let status = if alert.state == AlertState::Resolved {
        "resolved"
    } else {
        "firing"
    };
    let mut labels: Value = json!(alert.labels);
    labels["alertname"] = json!(alert.rule);
    labels["severity"] = json!(alert.severity);
    let one = json!({
        "status": status,
        "labels": labels,
        "annotations": { "summary": alert.why },
        "startsAtMs": alert.since_ms,
        "value": alert.value,
    });
    json!({
        "version": "4",
        "status": status,
        "receiver": "orrery",
        "groupLabels": { "alertname": alert.rule },
        "commonLabels": labels,
        "alerts": [one],
    })
}
