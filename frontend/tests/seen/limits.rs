//! Who is too fast, too large or too slow.

use std::time::{Duration, Instant};

use chassis::testing::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::{fleet, fleet_with, get, post};

#[tokio::test]
async fn a_stranger_has_a_burst_then_waits_then_is_banned() {
    let fleet = fleet_with(&[("BAN_AFTER", "3"), ("STRANGER_RATE", "1"), ("BAN", "700ms")]);
    let at = fleet.gateway.address();
    for n in 0..30 {
        assert_eq!(get(at, "/v1", "").await.status, 200, "request {n}");
    }
    let mut statuses = Vec::new();
    loop {
        let answer = get(at, "/v1", "").await;
        if answer.status == 200 {
            // So slow a machine that a second went by.
            continue;
        }
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        statuses.push(reason.clone());
        if reason == "banned" {
            answer.check_problem(429, "banned");
            break;
        }
        answer.check_problem(429, "too-fast");
    }
    assert_eq!(statuses.last().map(String::as_str), Some("banned"));
    let deadline = Instant::now() + PATIENCE;
    while get(at, "/v1", "").await.status != 200 {
        assert!(Instant::now() < deadline, "the ban does not end");
        tokio::time::sleep(Duration::from_millis(50)).await; // why: a time has to pass
    }
    // Probes are not requests of clients.
    assert_eq!(get(at, "/livez", "").await.status, 200);
}

#[tokio::test]
async fn a_token_that_nobody_knows_does_not_make_another_client() {
    let fleet = fleet_with(&[("STRANGER_BURST", "5"), ("STRANGER_RATE", "1")]);
    let at = fleet.gateway.address();
    let mut limited = 0;
    for n in 0..15 {
        let headers = format!("authorization: Bearer guess-{n}\r\n");
        limited += u32::from(get(at, "/v1", &headers).await.status == 429);
    }
    assert!(limited >= 5, "only {limited} of 15");
}

#[tokio::test]
async fn only_a_trusted_proxy_is_believed_about_who_is_behind_it() {
    let settings = [("STRANGER_BURST", "2"), ("STRANGER_RATE", "1")];
    let plain = fleet_with(&settings);
    let trusting = fleet_with(&[settings[0], settings[1], ("TRUSTED_PROXIES", "127.0.0.1")]);
    let mut limited = [0, 0];
    for n in 0..10 {
        let headers = format!("x-forwarded-for: 10.0.0.{n}\r\n");
        for (index, fleet) in [&plain, &trusting].into_iter().enumerate() {
            let status = get(fleet.gateway.address(), "/v1", &headers).await.status;
            limited[index] += u32::from(status == 429);
        }
    }
    assert!(limited[0] >= 5, "{limited:?}");
    assert_eq!(limited[1], 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let fleet = fleet_with(&[("BODY_BYTES_MAX", "100")]);
    let at = fleet.gateway.address();
    let body = format!(r#"{{"service":"{}"}}"#, "x".repeat(100));
    let answer = post(at, "/v1/discovery/query", "", &body).await;
    answer.check_problem(413, "body-too-large");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let fleet = fleet_with(&[("BODY_TIMEOUT", "100ms")]);
    let mut stream = TcpStream::connect(fleet.gateway.address()).await.unwrap();
    let head = "POST /v1/discovery/list HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await;
    let count = read.expect("an answer in time").unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn two_hundred_slow_clients_do_not_stop_a_good_one() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream
            .write_all(b"POST /v1/discovery/list HT")
            .await
            .unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    for _ in 0..20 {
        for stream in &mut slow {
            // A byte each: some may have been sent away already.
            let _ = stream.write_all(b"T").await;
        }
        assert_eq!(get(at, "/v1", "").await.status, 200);
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn requests_at_a_time_are_bounded() {
    let fleet = fleet_with(&[("REQUESTS_MAX", "1"), ("BODY_TIMEOUT", "20s")]);
    let at = fleet.gateway.address();
    let mut held = TcpStream::connect(at).await.unwrap();
    let head = "POST /v1/discovery/list HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    held.write_all(head.as_bytes()).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(at, "/v1", "").await;
        if answer.status == 503 {
            answer.check_problem(503, "busy");
            break;
        }
        assert!(Instant::now() < deadline, "nobody is sent away: {answer:?}");
    }
}
