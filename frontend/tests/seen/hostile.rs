//! Requests that mean to be read differently by somebody else, and bytes that are no request.

use crate::common::{fleet, fleet_with, raw};

#[tokio::test]
async fn a_request_whose_length_is_ambiguous_is_refused() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let cases = [
        "content-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
        "content-length: 2, 3\r\n\r\n{}x",
        "content-length: +2\r\n\r\n{}",
        "content-length: -1\r\n\r\n",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n , identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        "content-length: 0x2\r\n\r\n{}",
        "content-length: 2 2\r\n\r\n{}",
        "content-length: 2\r\n continued\r\n\r\n{}",
        "content-length: 99999999999999999999999\r\n\r\n",
    ];
    for case in cases {
        let request = format!(
            "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\n{case}"
        );
        let answer = raw(at, request.as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{case:?}: {answer:?}");
    }
}

/// RFC 9112, 6.3: where both lengths are said the chunks count, whatever the order.
#[tokio::test]
async fn where_both_lengths_are_said_the_chunks_count() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let chunked = "transfer-encoding: chunked\r\n";
    let length = "content-length: 3\r\n";
    for (first, second) in [(chunked, length), (length, chunked)] {
        let request = format!(
            "POST /v1/discovery/query HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\n{first}{second}\r\n\
             14\r\n{{\"service\":\"nobody\"}}\r\n0\r\n\r\n"
        );
        let answer = raw(at, request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["instances"], serde_json::json!([]));
    }
}

/// RFC 9112, 6.1: after such a request the connection is closed, so that what comes behind it is
/// never taken for another one.
#[tokio::test]
async fn nothing_is_smuggled_behind_a_request_with_two_lengths() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let behind = "GET /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let cases = [
        // By its length the body would be everything that follows.
        "content-length: 60\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        // Of two lengths, of a fold, of a chunk without a size: refused, and then it is over.
        "content-length: 2\r\ncontent-length: 5\r\n\r\n{}",
        "content-length:\r\n 2\r\n\r\n{}",
        "transfer-encoding: chunked\r\n\r\n2;a=\n\r\n{}\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
    ];
    for case in cases {
        let request = format!(
            "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\n{case}{behind}"
        );
        let answer = raw(at, request.as_bytes()).await;
        let second = answer.body.contains("HTTP/1.1 ");
        assert!(!second, "{case:?}: {answer:?}");
        assert!(answer.status >= 200, "{case:?}: {answer:?}");
    }
    // What is said once may be followed by more.
    let good = format!(
        "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}{}",
        behind.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
    );
    let answer = raw(at, good.as_bytes()).await;
    assert!(answer.body.contains("HTTP/1.1 200 OK"), "{answer:?}");
}

#[tokio::test]
async fn chunks_that_lie_about_their_size_are_refused() {
    // What is announced and does not come is waited for so long.
    let fleet = fleet_with(&[("STRANGER_BURST", "100000"), ("BODY_TIMEOUT", "300ms")]);
    let at = fleet.gateway.address();
    for chunk in [
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "zz\r\n{}\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "7fffffffffffffff\r\n{}",
        "2\r\n{}zz",
        "0x2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
    ] {
        let request = format!(
            "POST /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"
        );
        let answer = raw(at, request.as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{chunk:?}: {answer:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_request_end_their_connection_and_nothing_else() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let long_head = format!(
        "GET /v1 HTTP/1.1\r\nhost: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let many = format!("GET /v1 HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    let cases: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v1 HTTP/9.9\r\n\r\n",
        b"GET  /v1\x00 HTTP/1.1\r\n\r\n",
        long_head.as_bytes(),
        many.as_bytes(),
    ];
    for case in cases {
        let answer = raw(at, case).await;
        let refused = answer.status == 0 || (400..500).contains(&answer.status);
        let shown = String::from_utf8_lossy(&case[..case.len().min(40)]);
        assert!(refused, "{shown}: {answer:?}");
    }
    let health = fleet
        .gateway
        .builtin()
        .health(&rpc::Empty {})
        .await
        .unwrap();
    assert_eq!(health.name, "frontend");
}

#[tokio::test]
async fn paths_do_not_lead_anywhere_else() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    for path in [
        "/v1/../metrics",
        "/v1/discovery/../../livez",
        "/v1//list",
        "/v1/%2e%2e/list",
        "/v1/discovery%2flist",
        "/v1/discovery/list/",
        "/v1/discovery/list%00",
        "*",
        "http://localhost/v1/discovery/../list",
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: 0\r\n\r\n"
        );
        let answer = raw(at, request.as_bytes()).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
}
