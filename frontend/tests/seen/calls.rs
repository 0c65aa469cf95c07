//! Every procedure of every service, for whoever speaks HTTP.

use std::sync::Arc;

use chassis::testing::{Start, check_uniform_service};
use chassis::trust::write_token;
use echo::{Echo, EchoArgs, EchoDispatch, EchoReply};
use frontend::{SYSTEM_ADDRESS, SYSTEM_NAME};
use parking_lot::Mutex;
use rpc::{Code, Context, Error, Guard, Procedure, Server};
use serde_json::json;

use crate::common::{
    BINARY, Fleet, Held, discovery, figure, fleet, get, post, raw, register, until,
};

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
            "patience" => Ok(EchoReply {
                message: context
                    .remaining()
                    .map_or_else(|| "none".to_owned(), |left| left.as_millis().to_string()),
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

/// What came with the calls: procedure and token.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Guard for Seen {
    fn check(&self, context: &Context, procedure: &Procedure) -> Result<(), Error> {
        let token = context.metadata().text(rpc::AUTHORIZATION);
        let token = token.unwrap_or("none came").to_owned();
        self.0.lock().push((procedure.name, token));
        Ok(())
    }
}

/// Registers the mirror as echo, for as long as what is returned lives.
async fn echo_in(fleet: &Fleet) -> Held {
    let server = Server::new("echo", "1").service(EchoDispatch::new(Mirror));
    register(fleet, "echo", "1", server).await
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
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("token");
    write_token(&own, "the-gateways-own").unwrap();
    let discovery = discovery();
    let gateway = Start::binary(BINARY)
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_CREDENTIAL", own.display())
        .ready();
    let fleet = Fleet { gateway, discovery };
    let seen = Seen::default();
    let server = Server::new("echo", "1").service(EchoDispatch::new(Mirror));
    let _echo = register(&fleet, "echo", "1", server.guard(seen.clone())).await;
    let at = fleet.gateway.address();
    let token = r#"{"message":"token"}"#;
    for (headers, arrives) in [
        ("authorization: Bearer abc\r\n", "abc"),
        ("authorization: bearer abc \r\n", "abc"),
        ("authorization: Basic abc\r\n", ""),
        ("authorization: the-gateways-own\r\n", ""),
        ("authorization:\r\n", ""),
        ("", ""),
    ] {
        let answer = post(at, "/v1/echo/echo", headers, token).await;
        assert_eq!(answer.json()["message"], arrives, "{headers}");
    }
    // What the gateway asks for itself it does ask as itself.
    let seen = seen.0.lock();
    let (own, others): (Vec<_>, Vec<_>) = seen.iter().partition(|(name, _)| *name == "describe");
    assert!(!own.is_empty());
    assert!(
        own.iter().all(|(_, token)| token == "the-gateways-own"),
        "{own:?}"
    );
    assert!(
        others.iter().all(|(_, token)| token != "the-gateways-own"),
        "{others:?}"
    );
}

/// Deadlines are kept by the kernel's coarse clock, which each of two hops may read when it is one
/// tick behind: 4 ms here, 10 ms with the slowest tick there is.
const TICKS_MS: u64 = 20;

#[tokio::test]
async fn a_callers_patience_goes_on() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    for (headers, most) in [
        ("", 10_000),
        ("x-timeout-ms: 2500\r\n", 2_500),
        ("x-timeout-ms: 30000\r\n", 30_000),
        ("x-timeout-ms: 3600000\r\n", 60_000),
    ] {
        let answer = post(at, "/v1/echo/echo", headers, r#"{"message":"patience"}"#).await;
        let left: u64 = answer.json()["message"].as_str().unwrap().parse().unwrap();
        assert!(
            left > most / 2 && left <= most + TICKS_MS,
            "{headers}: {left} ms are left"
        );
    }
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
    let json = post(at, "/v1/echo/echo", "", "{\n x").await;
    json.check_problem(400, "bad-json");
    assert_eq!(
        (&json.json()["line"], &json.json()["column"]),
        (&json!(2), &json!(2))
    );
    let timeout = post(at, "/v1/echo/echo", "x-timeout-ms: soon\r\n", "").await;
    timeout.check_problem(400, "bad-timeout");
    get(at, "/nowhere", "")
        .await
        .check_problem(404, "no-such-path");
    get(at, "/v1/echo/echo", "")
        .await
        .check_problem(405, "wrong-method");
    let kind = "POST /v1/echo/echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: text/xml\r\ncontent-length: 4\r\n\r\n<a/>";
    let answer = raw(at, kind.as_bytes()).await;
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

/// Fail static: what is known goes on being called, and is said to be old.
#[tokio::test]
async fn calls_go_on_while_discovery_is_away() {
    let mut fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    let hello = r#"{"message":"hi"}"#;
    assert_eq!(post(at, "/v1/echo/echo", "", hello).await.status, 200);
    assert!(get(at, "/v1", "").await.json()["age_ms"].is_null());
    fleet.discovery.kill();
    for _ in 0..5 {
        assert_eq!(post(at, "/v1/echo/echo", "", hello).await.status, 200);
    }
    let names = get(at, "/v1", "").await.json();
    assert!(names["age_ms"].is_u64(), "{names}");
    assert_eq!(names["services"], json!(["discovery", "echo", "frontend"]));
    assert_eq!(get(at, "/v1/echo", "").await.status, 200);
    // Who is not known now may be known to discovery.
    assert_eq!(post(at, "/v1/ehco/echo", "", hello).await.status, 503);
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
    let at = fleet.gateway.address();
    let document = get(at, "/openapi.json", "").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    // Four that every server has, and their own: echo's one, discovery's seven; three lists.
    let mut named = 0;
    for service in ["discovery", "echo", "frontend"] {
        let described = get(at, &format!("/v1/{service}"), "").await.json();
        for procedure in described["procedures"].as_array().unwrap() {
            let name = procedure["name"].as_str().unwrap();
            let operation = &document["paths"][format!("/v1/{service}/{name}")]["post"];
            assert_eq!(
                operation["x-orrery-id"], procedure["id"],
                "{service} {name}"
            );
            named += 1;
        }
    }
    assert_eq!((named, paths.len()), (4 * 3 + 1 + 7, named + 3));
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
    let operations = paths
        .values()
        .map(|path| path.get("post").unwrap_or(&path["get"]));
    let ids: std::collections::BTreeSet<_> = operations
        .map(|operation| {
            let problem = &operation["responses"]["default"]["$ref"];
            assert_eq!(problem, "#/components/responses/Problem");
            operation["operationId"].as_str().unwrap()
        })
        .collect();
    assert_eq!(ids.len(), paths.len());
    let scheme = &document["components"]["securitySchemes"]["token"]["scheme"];
    assert_eq!(scheme, "bearer");
}

#[tokio::test]
async fn a_new_version_of_a_service_is_described_anew() {
    let fleet = fleet();
    let at = fleet.gateway.address();
    let empty = Server::new("echo", "1");
    let first = register(&fleet, "echo", "1", empty).await;
    assert_eq!(get(at, "/v1/echo", "").await.json()["version"], "1");
    let body = r#"{"message":"hi"}"#;
    let unknown = post(at, "/v1/echo/echo", "", body).await;
    unknown.check_problem(404, "unknown-procedure");
    let server = Server::new("echo", "2").service(EchoDispatch::new(Mirror));
    let _second = register(&fleet, "echo", "2", server).await;
    drop(first);
    // Sooner than a description is too old: what discovery says of its instances has changed.
    until("the second version is called", async || {
        post(at, "/v1/echo/echo", "", body).await.status == 200
    })
    .await;
    until("the second version is described", async || {
        get(at, "/v1/echo", "").await.json()["version"] == "2"
    })
    .await;
}

#[tokio::test]
async fn numbers_keep_every_digit() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let body = r#"{"message":"é","more":123456789012345678901234567890.10}"#;
    let answer = post(fleet.gateway.address(), "/v1/echo/echo", "", body).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"message":"é"}"#)
    );
}

#[tokio::test]
async fn what_is_answered_is_counted_by_route_and_status() {
    let fleet = fleet();
    let _echo = echo_in(&fleet).await;
    let at = fleet.gateway.address();
    post(at, "/v1/echo/echo", "", r#"{"message":"hi"}"#).await;
    post(at, "/v1/echo/echo", "", "{").await;
    get(at, "/v1", "").await;
    get(at, "/nowhere", "").await;
    for (labels, count) in [
        ("route=\"call\",status=\"200\"", 1),
        ("route=\"call\",status=\"400\"", 1),
        ("route=\"describe\",status=\"200\"", 1),
        ("route=\"other\",status=\"404\"", 1),
    ] {
        let name = format!("gateway_requests_total{{{labels}}}");
        assert_eq!(figure(&fleet, &name).await, Some(count), "{name}");
    }
    assert_eq!(
        figure(&fleet, "gateway_latency_seconds_count").await,
        Some(2)
    );
    assert_eq!(figure(&fleet, "gateway_requests_in_flight").await, Some(0));
}
