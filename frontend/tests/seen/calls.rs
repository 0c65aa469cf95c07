//! Every procedure of every service, for whoever speaks HTTP.

use std::time::Instant;

use chassis::testing::{PATIENCE, Start, check_uniform_service};
use discovery::{DiscoveryClient, Protocol, RegisterArgs, Registration};
use echo::{Echo, EchoArgs, EchoDispatch, EchoReply};
use frontend::{SYSTEM_ADDRESS, SYSTEM_NAME};
use rpc::{Code, Context, Error, Running, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::{BINARY, Fleet, fleet, get, post};

/// An echo that says what came with the call, or fails as it is told to.
struct Mirror;

impl Echo for Mirror {
    async fn echo(&self, context: &Context, args: EchoArgs) -> Result<EchoReply, Error> {
        let text = |name: &str| context.metadata().text(name).map(str::to_owned);
        match args.message.as_str() {
            "token" => Ok(EchoReply {
                message: text(rpc::AUTHORIZATION).unwrap_or("none came".to_owned()),
            }),
            "trace" => Ok(EchoReply {
                message: text("traceparent").unwrap_or_default(),
            }),
            "wait" => std::future::pending().await,
            "denied" => {
                Err(Error::new(Code::PermissionDenied, "not-granted", "no").with_hint("ask"))
            }
            "stranger" => Err(Error::new(Code::Unauthenticated, "no-token", "who are you")),
            _ => Ok(EchoReply {
                message: args.message,
            }),
        }
    }
}

struct Held {
    _server: Running,
    _stream: rpc::Streaming<discovery::RegisterEvent>,
}

/// Registers the mirror as echo, for as long as what is returned lives.
async fn echo_in(fleet: &Fleet) -> Held {
    let server = Server::new("echo", "1").service(EchoDispatch::new(Mirror));
    let server = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = DiscoveryClient::new(fleet.discovery.channel());
    let registration = Registration {
        service: "echo".to_owned(),
        instance: "echo.0.1".to_owned(),
        address: server.address().to_string(),
        version: "1".to_owned(),
        zone: String::new(),
        weight: 100,
        protocol: Protocol::Rpc,
        procedures: vec![101],
        labels: Default::default(),
    };
    let args = RegisterArgs {
        ttl_ms: 60_000,
        registration,
    };
    let mut stream = client.register(&args).await.unwrap();
    stream.next().await.unwrap().unwrap();
    Held {
        _server: server,
        _stream: stream,
    }
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    check_uniform_service(BINARY, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn a_procedure_is_called_with_json() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    let answer = post(at, "/v1/echo/echo", "", r#"{"message":"hi"}"#).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"message": "hi"}))
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
    let health = post(at, "/v1/echo/health", "", "").await;
    assert_eq!(health.json()["name"], "echo");
}

#[tokio::test]
async fn the_callers_token_goes_on_and_the_gateways_own_never_does() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    let token = r#"{"message":"token"}"#;
    for (headers, arrives) in [
        ("authorization: Bearer abc\r\n", "abc"),
        ("authorization: bearer abc \r\n", "abc"),
        ("authorization: Basic abc\r\n", ""),
        ("", ""),
    ] {
        let answer = post(at, "/v1/echo/echo", headers, token).await;
        assert_eq!(answer.json()["message"], arrives, "{headers}");
    }
    assert!(!fleet.gateway.stderr().contains("abc"));
}

#[tokio::test]
async fn a_callers_trace_goes_on() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let headers = format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
    let body = r#"{"message":"trace"}"#;
    let answer = post(fleet.gateway.address(), "/v1/echo/echo", &headers, body).await;
    assert!(answer.json()["message"].as_str().unwrap().contains(trace));
    assert_eq!(answer.header("x-request-id"), Some(trace));
}

#[tokio::test]
async fn what_goes_wrong_is_a_problem_with_a_reason() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    let say = |word: &str| format!(r#"{{"message":"{word}"}}"#);
    let denied = post(at, "/v1/echo/echo", "", &say("denied")).await;
    denied.check_problem(403, "not-granted");
    assert_eq!(denied.json()["hint"], "ask");
    let stranger = post(at, "/v1/echo/echo", "", &say("stranger")).await;
    stranger.check_problem(401, "no-token");
    assert!(stranger.header("www-authenticate").is_some());
    let late = post(at, "/v1/echo/echo", "x-timeout-ms: 50\r\n", &say("wait")).await;
    late.check_problem(504, "deadline");
    let service = post(at, "/v1/ehco/echo", "", "").await;
    service.check_problem(404, "unknown-service");
    assert!(service.json()["hint"].as_str().unwrap().contains("echo"));
    let procedure = post(at, "/v1/echo/ecko", "", "").await;
    procedure.check_problem(404, "unknown-procedure");
    assert!(procedure.json()["hint"].as_str().unwrap().contains("echo"));
    let arguments = post(at, "/v1/echo/echo", "", r#"{"massage":"hi"}"#).await;
    arguments.check_problem(400, "bad-payload");
    post(at, "/v1/echo/echo", "", "{")
        .await
        .check_problem(400, "bad-json");
    let timeout = post(at, "/v1/echo/echo", "x-timeout-ms: soon\r\n", "").await;
    timeout.check_problem(400, "bad-timeout");
    get(at, "/nowhere", "")
        .await
        .check_problem(404, "no-such-path");
    get(at, "/v1/echo/echo", "")
        .await
        .check_problem(405, "wrong-method");
    let kind = "POST /v1/echo/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: text/xml\r\ncontent-length: 4\r\n\r\n<a/>";
    let answer = crate::common::raw(at, kind.as_bytes()).await;
    answer.check_problem(415, "not-json");
}

#[tokio::test]
async fn a_service_that_goes_away_is_a_503_and_not_a_hang() {
    let fleet = fleet();
    let echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    assert_eq!(
        post(at, "/v1/echo/echo", "", r#"{"message":"a"}"#)
            .await
            .status,
        200
    );
    drop(echo);
    let answer = post(
        at,
        "/v1/echo/echo",
        "x-timeout-ms: 500\r\n",
        r#"{"message":"a"}"#,
    )
    .await;
    assert!(matches!(answer.status, 503 | 504), "{answer:?}");
}

#[tokio::test]
async fn services_describe_themselves() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    let names = get(at, "/v1", "").await.json();
    assert_eq!(
        names,
        json!({"services": ["discovery", "echo", "frontend"]})
    );
    let echo = get(at, "/v1/echo", "").await.json();
    assert_eq!(echo["name"], "echo");
    let procedures = echo["procedures"].as_array().unwrap();
    let echo = procedures.iter().find(|p| p["name"] == "echo").unwrap();
    assert_eq!(echo["id"], 101);
    assert_eq!(echo["arguments"]["properties"]["message"]["type"], "string");
    get(at, "/v1/nobody", "")
        .await
        .check_problem(404, "unknown-service");
}

#[tokio::test]
async fn the_openapi_document_has_every_procedure_and_every_reference_leads_somewhere() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let document = get(fleet.gateway.address(), "/openapi.json", "")
        .await
        .json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    // Four that every server has, and their own: echo's one, discovery's seven.
    assert_eq!(paths.len(), 4 * 3 + 1 + 7);
    let watch = &paths["/v1/discovery/watch"]["post"]["responses"]["200"]["content"];
    assert!(watch["text/event-stream"].is_object());
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#").skip(1);
    let mut count = 0;
    for reference in references.map(|rest| rest.split('"').next().unwrap()) {
        let found = document.pointer(reference);
        assert!(found.is_some(), "{reference} leads nowhere");
        count += 1;
    }
    assert!(count > 2 * paths.len());
    let ids: std::collections::BTreeSet<_> = paths
        .values()
        .map(|path| path["post"]["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), paths.len());
}

#[tokio::test]
async fn a_stream_comes_as_events_and_ends_with_its_reader() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = "POST /v1/discovery/watch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\
                   \r\ncontent-length: 14\r\n\r\n{\"service\":\"\"}";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4_096];
    let mut read_until = async |seen: &mut String, words: &str| {
        while !seen.contains(words) {
            let read = timeout(PATIENCE, stream.read(&mut buffer)).await;
            let count = read.expect("more in time").unwrap();
            assert!(count > 0, "it ended after {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    read_until(&mut seen, "\"instance\":\"frontend@").await;
    assert!(seen.contains("text/event-stream"), "{seen}");
    assert!(seen.contains("data: {\"snapshot\""), "{seen}");
    let _echo = echo_in(&fleet).await;
    read_until(&mut seen, "echo.0.1").await;
    let calls = async || {
        let metrics = fleet
            .discovery
            .builtin()
            .metrics(&rpc::Empty {})
            .await
            .unwrap()
            .text;
        let line = metrics
            .lines()
            .find(|l| l.starts_with("rpc_calls_in_flight") && l.contains("watch"));
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    let before = calls().await;
    drop(stream);
    let deadline = Instant::now() + PATIENCE;
    while before.is_some() && calls().await == before {
        assert!(
            Instant::now() < deadline,
            "the watch goes on without a reader"
        );
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_is_a_problem_and_not_a_stream() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let answer = post(at, "/v1/discovery/register", "", r#"{"ttl_ms":1}"#).await;
    answer.check_problem(400, "bad-payload");
}

#[tokio::test]
async fn a_request_in_flight_ends_well_when_the_gateway_is_asked_to_end() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    let body = r#"{"message":"wait"}"#;
    let call =
        tokio::spawn(async move { post(at, "/v1/echo/echo", "x-timeout-ms: 700\r\n", body).await });
    // Until it is under way.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await; // why: nobody says so
    let mut gateway = fleet.gateway;
    let status = gateway.terminate();
    assert_eq!(status.code(), Some(0));
    call.await.unwrap().check_problem(504, "deadline");
    let refused = Start::binary(BINARY)
        .env("ORRERY_FRONTEND_TRUSTED_PROXIES", "nonsense")
        .ended();
    assert_eq!(refused.status.code(), Some(78));
}
