//! What other systems were hurt by, and that concerns a gateway. Each test has the name of its row
//! in `../shared/RELIABILITY.md`, 4.3; rows about tokens are in `guarded.rs`, JSON bombs in
//! `src/body.rs`.

use chassis::testing::{PATIENCE, Start, http_get};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::{BINARY, Fleet, discovery, figure, fleet, fleet_with, get, post, raw, until};
use crate::streams::{pour, tap_in};

/// CVE-2024-47609: one failed `accept` ended the server.
#[tokio::test]
async fn accept_survives_cve_2024_47609() {
    let discovery = discovery();
    let gateway = Start::binary("/bin/sh")
        .arg("-c")
        .arg(&format!("ulimit -n 48; exec {BINARY}"))
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_FRONTEND_STRANGER_BURST", "100000")
        .ready();
    let fleet = Fleet { gateway, discovery };
    let at = fleet.gateway.address();
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    fleet.gateway.says("failed to accept");
    drop(silent);
    assert_eq!(get(at, "/v1", "").await.status, 200);
}

/// CVE-2020-7218, CVE-2020-7219: connections without an end that nobody has paid for. Who says
/// nothing is sent away, and meanwhile everybody else is served.
#[tokio::test]
async fn preauth_limits_cve_2020_7218() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(TcpStream::connect(at).await.unwrap());
    }
    assert_eq!(get(at, "/v1", "").await.status, 200);
    for mut stream in silent {
        let read = timeout(PATIENCE, stream.read(&mut [0; 8])).await;
        let ended = read.expect("it is sent away in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    let (_, metrics) = http_get(at, "/metrics").await;
    let line = metrics
        .lines()
        .find(|l| l.starts_with("process_resident_memory_bytes "));
    let bytes: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(bytes < 128e6, "{bytes} bytes of memory");
}

/// CVE-2024-27316: headers without an end.
#[tokio::test]
async fn header_never_ends_cve_2024_27316() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    for line in ["a: b\r\n".to_owned(), "x".repeat(1_024)] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream
            .write_all(b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n")
            .await
            .unwrap();
        let (mut reads, mut writes) = stream.into_split();
        let flood = async {
            let mut sent = 0;
            while sent < 64 << 20 {
                if writes.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
                sent += line.len();
            }
            sent
        };
        let answer = async {
            let mut answer = Vec::new();
            let _ = reads.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let both = async { tokio::join!(flood, answer) };
        let (sent, answer) = timeout(PATIENCE, both).await.expect("an end in time");
        assert!(sent < 8 << 20, "{sent} bytes of headers were taken");
        // The answer may be lost with what was still under way to it.
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    assert_eq!(get(at, "/v1", "").await.status, 200);
}

/// CVE-2023-44487, CVE-2023-26964: opened and dropped, again and again.
#[tokio::test]
async fn cancel_flood_cve_2023_44487() {
    let fleet = fleet();
    let (water, _tap) = tap_in(&fleet).await;
    for _ in 0..20 {
        let mut held = Vec::new();
        for _ in 0..20 {
            held.push(pour(&fleet, "silence", "").await);
        }
        drop(held);
    }
    until("no stream is left", async || {
        water.open() == 0 && figure(&fleet, "gateway_streams_open").await == Some(0)
    })
    .await;
    until("no request is left", async || {
        figure(&fleet, "gateway_requests_in_flight").await == Some(0)
    })
    .await;
    assert_eq!(
        post(
            fleet.gateway.address(),
            "/v1/tap/drip",
            "",
            r#"{"what":"a"}"#
        )
        .await
        .status,
        200
    );
}

/// CVE-2023-32732, CVE-2024-7246: all callers share the gateway's connections to the services; a
/// bad call must neither end those nor be mixed up with another one.
#[tokio::test]
async fn bad_call_isolated_cve_2023_32732_cve_2024_7246() {
    let fleet = fleet_with(&[
        ("STRANGER_BURST", "100000"),
        ("CLIENT_REQUESTS_MAX", "1000"),
    ]);
    let (water, _tap) = tap_in(&fleet).await;
    let at = fleet.gateway.address();
    let calls = (0..150).map(|n| async move {
        let (path, headers, body, status) = match n % 5 {
            0 => ("drip", "", format!(r#"{{"what":"{n}"}}"#), 200),
            1 => ("drip", "", format!(r#"{{"who":"{n}"}}"#), 400),
            2 => (
                "drip",
                "x-timeout-ms: 20\r\n",
                format!(r#"{{"what":"{n}"}}"#),
                504,
            ),
            3 => ("pour", "", r#"{"what":"refused"}"#.to_owned(), 403),
            _ => (
                "drip",
                "",
                format!(r#"{{"what":"{n}"}}{}"#, "]".repeat(n)),
                400,
            ),
        };
        let answer = post(at, &format!("/v1/tap/{path}"), headers, &body).await;
        assert_eq!(answer.status, status, "{n}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.json()["text"], n.to_string());
        }
    });
    futures_util::future::join_all(calls).await;
    until("every call has ended", async || water.open() == 0).await;
}

/// CVE-2018-1098, CVE-2018-1099: a page in a browser on this machine calls us, under its own name
/// (DNS rebinding) or from its own origin.
#[tokio::test]
async fn host_and_origin_cve_2018_1098_cve_2018_1099() {
    let page = "https://console.example";
    let fleet = fleet_with(&[("ALLOWED_ORIGINS", page), ("HOSTS", "api.example")]);
    let at = fleet.gateway.address();
    let as_host = async |host: &str| {
        let request = format!("GET /v1 HTTP/1.1\r\n{host}connection: close\r\n\r\n");
        raw(at, request.as_bytes()).await
    };
    for good in [&format!("host: {at}\r\n"), "host: api.example\r\n"] {
        assert_eq!(as_host(good).await.status, 200, "{good}");
    }
    as_host("host: evil.example\r\n")
        .await
        .check_problem(421, "unknown-host");
    as_host("").await.check_problem(400, "bad-host");
    as_host("host: localhost\r\nhost: a\r\n")
        .await
        .check_problem(400, "bad-host");

    let from_evil = "origin: https://evil.example\r\n";
    let refused = post(at, "/v1/discovery/list", from_evil, "{}").await;
    refused.check_problem(403, "origin-not-allowed");
    assert_eq!(refused.header("access-control-allow-origin"), None);
    let preflight = async |origin: &str| {
        let request = format!(
            "OPTIONS /v1/discovery/list HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             origin: {origin}\r\naccess-control-request-method: POST\r\n\r\n"
        );
        raw(at, request.as_bytes()).await
    };
    assert_eq!(preflight("https://evil.example").await.status, 403);
    let allowed = preflight(page).await;
    assert_eq!(allowed.status, 204, "{allowed:?}");
    assert_eq!(allowed.header("access-control-allow-origin"), Some(page));
    assert!(
        allowed
            .header("access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    let good = post(
        at,
        "/v1/discovery/list",
        &format!("origin: {page}\r\n"),
        "{}",
    )
    .await;
    assert_eq!(good.status, 200);
    assert_eq!(good.header("access-control-allow-origin"), Some(page));
    assert_eq!(good.header("vary"), Some("origin"));
}

/// CVE-2020-10944: an answer whose kind a browser guesses is a page that an attacker wrote.
#[tokio::test]
async fn content_is_never_guessed_cve_2020_10944() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let answers = [
        get(at, "/v1", "").await,
        get(at, "/v1/%3Cscript%3E", "").await,
        get(at, "/%3Cscript%3Ealert(1)%3C/script%3E", "").await,
        get(at, "/openapi.json", "").await,
        post(at, "/v1/discovery/list", "", "{}").await,
        post(at, "/v1/%3Cscript%3E/x", "", "{}").await,
        post(at, "/v1/discovery/list", "", "<script>").await,
    ];
    for answer in answers {
        let kind = answer.header("content-type").unwrap_or_default();
        let known = ["application/json", "application/problem+json"].contains(&kind);
        assert!(known, "{answer:?}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{answer:?}"
        );
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{answer:?}"
        );
    }
}

/// CVE-2018-1002105: an upgrade that failed left a tunnel behind, with the gateway's own rights.
#[tokio::test]
async fn no_upgrade_leaves_a_tunnel_cve_2018_1002105() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    for head in [
        "GET /v1 HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n",
        "POST /v1/discovery/list HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n",
        "CONNECT localhost:22 HTTP/1.1\r\n",
        "GET /v1 HTTP/1.1\r\nupgrade: nonsense\r\nconnection: upgrade, close\r\n",
    ] {
        let request = format!("{head}host: localhost\r\n\r\nGET /livez HTTP/1.0\r\n\r\n");
        let answer = raw(at, request.as_bytes()).await;
        assert!(
            answer.status != 101 && answer.status >= 200,
            "{head}: {answer:?}"
        );
        if head.starts_with("CONNECT") {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
}

/// CVE-2017-11610: a method found by a dotted name. CVE-2022-3294, CVE-2020-8562: an address in a
/// name. A name is one that discovery has, or a procedure's own; nothing else is looked up.
#[tokio::test]
async fn names_are_looked_up_and_never_followed_cve_2017_11610_cve_2022_3294() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    for (path, reason) in [
        ("/v1/127.0.0.1:22/list", "unknown-service"),
        ("/v1/localhost/list", "unknown-service"),
        ("/v1/169.254.169.254/latest", "unknown-service"),
        ("/v1/discovery.list/health", "unknown-service"),
        ("/v1/Discovery/list", "unknown-service"),
        ("/v1/discovery/builtin.health", "unknown-procedure"),
        ("/v1/discovery/204", "unknown-procedure"),
        ("/v1/discovery/LIST", "unknown-procedure"),
        ("/v1/discovery/__class__", "unknown-procedure"),
        ("/v1/discovery/list%20", "unknown-procedure"),
    ] {
        post(at, path, "", "{}").await.check_problem(404, reason);
    }
}

/// CVE-2019-11253, as its caller sees it: the gateway passes a deep text on, and the service that
/// would have to build it refuses.
#[tokio::test]
async fn json_bombs_are_refused_cve_2019_11253() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let deep = "[".repeat(400_000) + &"]".repeat(400_000);
    for body in [deep.clone(), format!(r#"{{"service":{deep}}}"#)] {
        let answer = post(at, "/v1/discovery/query", "", &body).await;
        answer.check_problem(400, "bad-payload");
    }
    assert_eq!(get(at, "/v1", "").await.status, 200);
}
