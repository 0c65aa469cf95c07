//! Streams as Server-Sent Events, for readers of every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rpc::{Code, Context, Deserializable, Error, Serializable, Server, StreamSender};
use serde_json::Value;

use crate::common::{Events, Fleet, Held, figure, fleet, fleet_with, get, post, register, until};

#[derive(Clone, Debug, Serializable, Deserializable)]
pub(crate) struct PourArgs {
    what: String,
}

#[derive(Clone, Debug, Serializable, Deserializable)]
pub(crate) struct Drop {
    text: String,
}

rpc::service! {
    /// Streams of every kind.
    trait Tap, client TapClient, dispatch TapDispatch, name "tap";
    /// Pours.
    read_stream 9101 POUR_PROCEDURE pour(PourArgs) -> Drop;
    /// One drop, after half a second.
    read 9102 DRIP_PROCEDURE drip(PourArgs) -> Drop;
}

/// Counts the streams that are open and the items that were sent.
#[derive(Clone, Default)]
pub(crate) struct Water {
    open: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

struct Open(Arc<AtomicUsize>);

impl std::ops::Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Tap for Water {
    async fn drip(&self, _: &Context, args: PourArgs) -> Result<Drop, Error> {
        self.open.fetch_add(1, SeqCst);
        let _open = Open(Arc::clone(&self.open));
        tokio::time::sleep(Duration::from_millis(500)).await; // why: a call that takes a while
        Ok(Drop { text: args.what })
    }

    async fn pour(
        &self,
        _: &Context,
        args: PourArgs,
        out: StreamSender<Drop>,
    ) -> Result<(), Error> {
        self.open.fetch_add(1, SeqCst);
        let _open = Open(Arc::clone(&self.open));
        let drop = |text: &str| Drop {
            text: text.to_owned(),
        };
        match args.what.as_str() {
            "three" => {
                for text in ["a\r\nb", "data: x", "\u{e9}"] {
                    out.send(&drop(text)).await?;
                }
                Ok(())
            }
            "nothing" => Ok(()),
            "silence" => std::future::pending().await,
            "one-then-silence" => {
                out.send(&drop("one")).await?;
                std::future::pending().await
            }
            "one-then-error" => {
                out.send(&drop("one")).await?;
                Err(Error::new(Code::Conflict, "dry", "no more").with_hint("wait for rain"))
            }
            "refused" => Err(Error::new(Code::PermissionDenied, "not-granted", "no")),
            _ => loop {
                out.send(&drop(&"x".repeat(64 << 10))).await?;
                self.sent.fetch_add(1, SeqCst);
            },
        }
    }
}

pub(crate) async fn tap_in(fleet: &Fleet) -> (Water, Held) {
    let water = Water::default();
    let server = Server::new("tap", "1").service(TapDispatch::new(water.clone()));
    (water, register(fleet, "tap", "1", server).await)
}

impl Water {
    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }
}

pub(crate) async fn pour(fleet: &Fleet, what: &str, headers: &str) -> Events {
    let body = format!(r#"{{"what":"{what}"}}"#);
    Events::open(fleet.gateway.address(), "/v1/tap/pour", headers, &body).await
}

const CLOSE: &str = "connection: close\r\n";

#[tokio::test]
async fn items_come_as_events_and_the_end_is_one_too() {
    let fleet = fleet();
    let (_water, _tap) = tap_in(&fleet).await;
    let seen = pour(&fleet, "three", CLOSE).await.rest().await;
    assert!(
        seen.contains("content-type: text/event-stream\r\n"),
        "{seen}"
    );
    assert!(seen.contains("cache-control: no-store\r\n"), "{seen}");
    let events = seen
        .lines()
        .filter(|line| line.starts_with("data: {\"text\""));
    let texts = events.map(|line| {
        let item: Value = serde_json::from_str(&line["data: ".len()..]).unwrap();
        item["text"].as_str().unwrap().to_owned()
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["a\r\nb", "data: x", "\u{e9}"]);
    assert!(seen.contains("event: end\ndata: {}\n\n"), "{seen}");
    let nothing = pour(&fleet, "nothing", CLOSE).await.rest().await;
    assert!(nothing.contains("event: end\n"), "{nothing}");
    assert!(nothing.ends_with("0\r\n\r\n"), "{nothing}");
}

#[tokio::test]
async fn what_goes_wrong_at_once_is_a_problem_and_later_an_event() {
    let fleet = fleet();
    let (_water, _tap) = tap_in(&fleet).await;
    let at = fleet.gateway.address();
    let refused = post(at, "/v1/tap/pour", "", r#"{"what":"refused"}"#).await;
    refused.check_problem(403, "not-granted");
    let malformed = post(at, "/v1/tap/pour", "", r#"{"who":1}"#).await;
    malformed.check_problem(400, "bad-payload");
    let seen = pour(&fleet, "one-then-error", CLOSE).await.rest().await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    let (_, error) = seen.split_once("event: error\ndata: ").expect("an error");
    let problem: Value = serde_json::from_str(error.lines().next().unwrap()).unwrap();
    assert_eq!(problem["reason"], "dry");
    assert_eq!(problem["status"], 409);
    assert_eq!(problem["hint"], "wait for rain");
    assert!(!seen.contains("event: end"), "{seen}");
}

#[tokio::test]
async fn a_deadline_that_was_asked_for_ends_a_stream() {
    let fleet = fleet();
    let (water, _tap) = tap_in(&fleet).await;
    let headers = "connection: close\r\nx-timeout-ms: 600\r\n";
    let seen = pour(&fleet, "silence", headers).await.rest().await;
    assert!(seen.contains("event: error\n"), "{seen}");
    assert!(seen.contains("\"status\":504"), "{seen}");
    until("the stream has ended", async || water.open() == 0).await;
}

#[tokio::test]
async fn a_stream_without_news_shows_that_it_lives() {
    let fleet = fleet_with(&[("HEARTBEAT", "50ms")]);
    let (_water, _tap) = tap_in(&fleet).await;
    let mut events = pour(&fleet, "one-then-silence", "").await;
    events.until(":\n\n\r\n3\r\n:\n\n").await;
    assert!(
        events.seen.contains("data: {\"text\":\"one\"}"),
        "{}",
        events.seen
    );
}

#[tokio::test]
async fn discovery_is_watched_and_the_watch_ends_with_its_reader() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let mut events = Events::open(at, "/v1/discovery/watch", "", "{}").await;
    events.until("\"instance\":\"frontend@").await;
    assert!(
        events.seen.contains("data: {\"snapshot\""),
        "{}",
        events.seen
    );
    let (water, _tap) = tap_in(&fleet).await;
    events.until("tap.0.1").await;
    drop(events);
    let silent = pour(&fleet, "silence", "").await;
    until("the stream is open", async || water.open() == 1).await;
    assert_eq!(figure(&fleet, "gateway_streams_open").await, Some(1));
    drop(silent);
    until("the service hears that nobody reads", async || {
        water.open() == 0
    })
    .await;
    assert_eq!(figure(&fleet, "gateway_streams_open").await, Some(0));
}

/// What is not read is not sent, and who reads nothing for too long is cut off: it finds no end.
#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off() {
    let fleet = fleet_with(&[("WRITE_TIMEOUT", "500ms")]);
    let (water, _tap) = tap_in(&fleet).await;
    let events = pour(&fleet, "flood", "").await;
    until("the stream is open", async || water.open() == 1).await;
    until("the service hears that nobody reads", async || {
        water.open() == 0
    })
    .await;
    let sent = water.sent.load(SeqCst);
    // Ours and the kernel's buffers, on both sides; without a bound it would be gigabytes.
    assert!(sent < 400, "{sent} items of 64 KiB");
    assert_eq!(figure(&fleet, "gateway_slow_readers_total").await, Some(1));
    let seen = events.rest().await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{}", &seen[..100]);
    assert!(!seen.contains("event: end"));
    assert!(!seen.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn streams_at_a_time_are_bounded_for_each_client() {
    let settings = [
        ("CLIENT_STREAMS_MAX", "2"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let fleet = fleet_with(&settings);
    let (water, _tap) = tap_in(&fleet).await;
    let at = fleet.gateway.address();
    let mut held = Vec::new();
    for n in 1..=2 {
        held.push(pour(&fleet, "silence", "").await);
        until("it is open", async || water.open() == n).await;
    }
    let third = post(at, "/v1/tap/pour", "", r#"{"what":"silence"}"#).await;
    third.check_problem(429, "too-many-at-once");
    assert_eq!(get(at, "/v1", "").await.status, 200);
    let behind = "x-forwarded-for: 10.1.1.1\r\n";
    let mut other = pour(&fleet, "one-then-error", behind).await;
    other.until("event: error").await;
    held.pop();
    until("a place comes back", async || water.open() == 1).await;
    let mut again = pour(&fleet, "one-then-silence", "").await;
    again.until("\"one\"").await;
}
