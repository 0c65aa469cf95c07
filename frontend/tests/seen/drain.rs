//! How it ends: first nobody new is sent here, then what is under way may end.

use chassis::testing::{PATIENCE, Start, http_get};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::common::{BINARY, fleet, fleet_with, get, post, until};
use crate::streams::{pour, tap_in};

#[tokio::test]
async fn readyz_fails_first_while_requests_are_still_answered() {
    let fleet = fleet_with(&[("DRAIN_NOTICE", "2s")]);
    let at = fleet.gateway.address();
    let mut gateway = fleet.gateway;
    assert_eq!(http_get(at, "/readyz").await.0, 200);
    gateway.signal(Signal::TERM);
    until("readyz fails", async || {
        http_get(at, "/readyz").await.0 == 503
    })
    .await;
    assert_eq!(http_get(at, "/livez").await.0, 200);
    assert_eq!(post(at, "/v1/discovery/list", "", "{}").await.status, 200);
    let status = tokio::task::spawn_blocking(move || gateway.wait());
    assert_eq!(status.await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_request_in_flight_ends_well_when_the_gateway_is_asked_to_end() {
    let fleet = fleet();
    let (water, _tap) = tap_in(&fleet).await;
    let at = fleet.gateway.address();
    let events = pour(&fleet, "one-then-silence", "").await;
    until("the stream is under way", async || water.open() == 1).await;
    let call = tokio::spawn(async move { post(at, "/v1/tap/drip", "", r#"{"what":"a"}"#).await });
    until("the call is, too", async || water.open() == 2).await;
    let mut gateway = fleet.gateway;
    let status = tokio::task::spawn_blocking(move || {
        let status = gateway.terminate();
        (status, gateway.stderr())
    });
    let seen = events.rest().await;
    assert!(seen.contains("event: error\n"), "{seen}");
    assert!(seen.contains("\"reason\":\"gateway-ends\""), "{seen}");
    assert!(seen.contains("\"retry\":true"), "{seen}");
    assert!(seen.ends_with("0\r\n\r\n"), "{seen}");
    let answer = timeout(PATIENCE, call).await.unwrap().unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"text":"a"}"#)
    );
    let (status, stderr) = status.await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!stderr.contains("cut off"), "{stderr}");
}

#[tokio::test]
async fn a_setting_that_means_nothing_is_said_at_the_start() {
    let refused = Start::binary(BINARY)
        .env("ORRERY_FRONTEND_TRUSTED_PROXIES", "nonsense")
        .ended();
    assert_eq!(refused.status.code(), Some(78));
    assert!(refused.stderr.contains("nonsense"), "{}", refused.stderr);
    assert_eq!(get(fleet().gateway.address(), "/v1", "").await.status, 200);
}
