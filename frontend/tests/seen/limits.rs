//! Who is too fast, too large or too slow.

use std::io::ErrorKind::WouldBlock;
use std::time::{Duration, Instant};

use chassis::testing::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::{figure, fleet, fleet_with, get, post, raw, until};

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
    assert_eq!(figure(&fleet, "gateway_banned_total").await, Some(1));
    assert_eq!(figure(&fleet, "gateway_clients").await, Some(1));
    until("the ban ends", async || {
        get(at, "/v1", "").await.status == 200
    })
    .await;
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
    // One whose size is not said beforehand is refused when it is too large.
    let head = "POST /v1/discovery/query HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("40\r\n{}\r\n", " ".repeat(64)).repeat(2);
    let answer = raw(at, format!("{head}{chunks}").as_bytes()).await;
    answer.check_problem(413, "body-too-large");
    // And one that says that it is gigantic is not waited for, nor made room for.
    let head = "POST /v1/discovery/query HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/json\r\ncontent-length: 900000000000\r\n\r\n";
    raw(at, head.as_bytes())
        .await
        .check_problem(413, "body-too-large");
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_malformed() {
    let fleet = fleet();
    let mut stream = TcpStream::connect(fleet.gateway.address()).await.unwrap();
    let head = "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\nz";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await;
    let count = read.expect("an answer in time").unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let fleet = fleet_with(&[("BODY_TIMEOUT", "100ms")]);
    let mut stream = TcpStream::connect(fleet.gateway.address()).await.unwrap();
    let head = "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await;
    let count = read.expect("an answer in time").unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

fn waits(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0; 1]);
    read.is_err_and(|e| e.kind() == WouldBlock)
}

/// They have five seconds for their head, and every one of them is gone after that.
#[tokio::test]
async fn two_hundred_slow_clients_do_not_stop_a_good_one() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let begun = b"POST /v1/discovery/list HTTP/1.1\r\nx: ";
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    let (mut slowest, mut open) = (Duration::ZERO, slow.len());
    let deadline = Instant::now() + PATIENCE;
    while open > 0 {
        assert!(Instant::now() < deadline, "{open} of 200 are still open");
        open = 0;
        for stream in &mut slow {
            // A byte each: some may have been sent away already.
            let _ = stream.write_all(b"x").await;
            let read = stream.try_read(&mut [0; 512]);
            open += usize::from(read.is_ok_and(|n| n > 0) || waits(stream));
        }
        let begun = Instant::now();
        assert_eq!(get(at, "/v1", "").await.status, 200);
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await; // why: a byte a second
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[tokio::test]
async fn one_client_cannot_take_all_places() {
    let settings = [
        ("CLIENT_REQUESTS_MAX", "1"),
        ("BODY_TIMEOUT", "20s"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let fleet = fleet_with(&settings);
    let at = fleet.gateway.address();
    let mut held = TcpStream::connect(at).await.unwrap();
    let head = "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{";
    held.write_all(head.as_bytes()).await.unwrap();
    until("its one place is taken", async || {
        figure(&fleet, "gateway_requests_in_flight").await == Some(1)
    })
    .await;
    let second = get(at, "/v1", "").await;
    second.check_problem(429, "too-many-at-once");
    assert!(second.header("retry-after").is_some());
    let other = get(at, "/v1", "x-forwarded-for: 10.1.1.1\r\n").await;
    assert_eq!(other.status, 200);
    assert_eq!(figure(&fleet, "gateway_no_place_total").await, Some(1));
}

#[tokio::test]
async fn requests_at_a_time_are_bounded() {
    let fleet = fleet_with(&[("REQUESTS_MAX", "1"), ("BODY_TIMEOUT", "20s")]);
    let at = fleet.gateway.address();
    let mut held = TcpStream::connect(at).await.unwrap();
    let head = "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{";
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
