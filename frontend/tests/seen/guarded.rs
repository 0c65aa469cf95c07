//! A gateway and a discovery that ask for tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chassis::testing::{Process, Start, http_get, workspace_binary};
use chassis::trust::{Claims, FleetKey, Kind, write_token};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{BINARY, Events, get, post, until};

struct Guarded {
    key: FleetKey,
    gateway: Process,
    discovery: Process,
    _folder: TempDir,
}

const ALL: &[&str] = &["*:*:write"];

fn sign(key: &FleetKey, grants: &[&str], lives: Duration) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = Claims {
        name: "ada".to_owned(),
        kind: Kind::Person,
        grants: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
        expires_ms: u64::try_from((since + lives).as_millis()).unwrap(),
    };
    key.sign(&claims).unwrap()
}

impl Guarded {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (key, folder) = (FleetKey::generate().unwrap(), tempfile::tempdir().unwrap());
        let own = folder.path().join("token");
        let hour = Duration::from_secs(3_600);
        write_token(&own, &sign(&key, ALL, hour)).unwrap();
        let start = |binary: &str| {
            let mut start = Start::binary(binary)
                .env("ORRERY_AUTH", "required")
                .env("ORRERY_FLEET_KEY", key.public().to_hex())
                .env("ORRERY_CREDENTIAL", own.display());
            for (name, value) in settings {
                start = start.env(name, value);
            }
            start
        };
        let discovery = start(&workspace_binary("discovery")).ready();
        let gateway = start(BINARY)
            .env("ORRERY_DISCOVERY", discovery.address())
            .ready();
        Self {
            key,
            gateway,
            discovery,
            _folder: folder,
        }
    }

    fn token(&self, grants: &[&str], lives: Duration) -> String {
        sign(&self.key, grants, lives)
    }

    fn lasting(&self, grants: &[&str]) -> String {
        self.token(grants, Duration::from_secs(3_600))
    }
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// Every procedure that there is, with its arguments' schema left unread: whoever may not call it
/// is told so before anybody looks at what it sends.
async fn procedures(guarded: &Guarded) -> Vec<(String, Value)> {
    let headers = bearer(&guarded.lasting(ALL));
    let at = guarded.gateway.address();
    let mut all = Vec::new();
    let services = get(at, "/v1", &headers).await.json();
    for service in services["services"].as_array().unwrap() {
        let service = service.as_str().unwrap();
        let described = get(at, &format!("/v1/{service}"), &headers).await.json();
        for procedure in described["procedures"].as_array().unwrap() {
            all.push((service.to_owned(), procedure.clone()));
        }
    }
    all
}

/// CVE-2026-33413: some APIs had no check at all. CVE-2023-1782: requests over HTTP went around it.
/// CVE-2023-44981: an identity that was left out passed. One table over every procedure of
/// `DESCRIBE`, through the gateway.
#[tokio::test]
async fn authz_every_procedure_cve_2026_33413_cve_2023_1782_cve_2023_44981() {
    let settings = [
        ("ORRERY_FRONTEND_STRANGER_BURST", "100000"),
        ("ORRERY_FRONTEND_BAN_AFTER", "100000"),
    ];
    let guarded = Guarded::start(&settings);
    let at = guarded.gateway.address();
    let all = procedures(&guarded).await;
    assert!(all.len() >= 4 + 11, "{}", all.len());
    let expired = guarded.token(ALL, Duration::ZERO);
    let elsewhere = sign(&FleetKey::generate().unwrap(), ALL, Duration::from_secs(60));
    let weak = guarded.lasting(&["echo:*:write", "frontend:nothing:read"]);
    let shows = [
        (String::new(), 401),
        ("authorization:\r\n".to_owned(), 401),
        ("authorization: Bearer\r\n".to_owned(), 401),
        (bearer(""), 401),
        (bearer("nonsense"), 0),
        (bearer("v4.public.nonsense"), 401),
        (bearer(&expired), 401),
        (bearer(&elsewhere), 401),
        (
            format!("authorization: Basic {}\r\n", guarded.lasting(ALL)),
            401,
        ),
        (
            format!("x-authorization: Bearer {}\r\n", guarded.lasting(ALL)),
            401,
        ),
        (bearer(&weak), 403),
    ];
    for (service, procedure) in all {
        let name = procedure["name"].as_str().unwrap();
        let path = format!("/v1/{service}/{name}");
        for (headers, status) in &shows {
            let answer = post(at, &path, headers, "{}").await;
            if name == "health" {
                assert_eq!(answer.status, 200, "{path}, {headers}: {answer:?}");
                continue;
            }
            // An opaque token may be one of which security has not told yet: 503 then.
            let wanted = if *status == 0 { 503 } else { *status };
            assert_eq!(answer.status, wanted, "{path}, {headers}: {answer:?}");
            assert_eq!(answer.header("www-authenticate").is_some(), wanted == 401);
        }
    }
    // Whoever may do one thing may do that.
    let one = bearer(&guarded.lasting(&["discovery:list:read"]));
    assert_eq!(post(at, "/v1/discovery/list", &one, "{}").await.status, 200);
    assert_eq!(
        post(at, "/v1/discovery/query", &one, "{}").await.status,
        403
    );
    let read = bearer(&guarded.lasting(&["discovery:*:read"]));
    let write = post(at, "/v1/discovery/heartbeat", &read, "{}").await;
    write.check_problem(403, "not-granted");
}

/// CVE-2023-48022: a control plane that asks nobody who they are. CVE-2019-11248: more on a port
/// than anybody meant. What is there without a token is this list and nothing else.
#[tokio::test]
async fn default_is_closed_cve_2023_48022_and_route_inventory_cve_2019_11248() {
    let settings = [("ORRERY_FRONTEND_STRANGER_BURST", "100000")];
    let guarded = Guarded::start(&settings);
    let at = guarded.gateway.address();
    for open in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(http_get(at, open).await.0, 200, "{open}");
    }
    for (path, status) in [
        ("/v1", 401),
        ("/v1/discovery", 401),
        ("/v1/nobody", 401),
        ("/openapi.json", 401),
        ("/v1/discovery/list", 405),
        ("/", 404),
        ("/debug/pprof", 404),
        ("/v1/", 404),
        ("/v2", 404),
        ("/v1/a/b/c", 404),
        ("/metrics/", 404),
        ("/.env", 404),
    ] {
        let answer = get(at, path, "").await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    // What there is, is not told to who may not ask for it: not even as a hint.
    let service = post(at, "/v1/discovary/list", "", "{}").await;
    service.check_problem(404, "unknown-service");
    assert!(!service.body.contains("did you mean"), "{service:?}");
    let procedure = post(at, "/v1/discovery/lost", "", "{}").await;
    procedure.check_problem(404, "unknown-procedure");
    assert!(!procedure.body.contains("did you mean"), "{procedure:?}");
    let all = bearer(&guarded.lasting(ALL));
    let service = post(at, "/v1/discovary/list", &all, "{}").await;
    assert!(
        service.body.contains("did you mean discovery"),
        "{service:?}"
    );
}

/// CVE-2021-28235, CVE-2019-11250, CVE-2020-8565: tokens in what a server logs, however much it is
/// asked to say.
#[tokio::test]
async fn canary_scan_cve_2021_28235_cve_2019_11250() {
    let settings = [("ORRERY_LOG", "trace")];
    let guarded = Guarded::start(&settings);
    let at = guarded.gateway.address();
    let good = guarded.lasting(ALL);
    let canaries = [
        good.as_str(),
        "canary-opaque-4711",
        "canary-basic-4712",
        "canary-query-4713",
    ];
    let mut answers = Vec::new();
    for headers in [
        bearer(&good),
        bearer(canaries[1]),
        bearer(&format!("v4.public.{}", canaries[1])),
        format!("authorization: Basic {}\r\n", canaries[2]),
        format!("{}{}", bearer(canaries[1]), bearer(canaries[2])),
        format!("{}origin: http://evil.example\r\n", bearer(canaries[1])),
    ] {
        let query = format!("?token={}", canaries[3]);
        answers.push(get(at, &format!("/v1{query}"), &headers).await);
        answers.push(get(at, &format!("/nowhere{query}"), &headers).await);
        for path in ["discovery/list", "discovery/lost", "nobody/list"] {
            answers.push(post(at, &format!("/v1/{path}{query}"), &headers, "{}").await);
            answers.push(post(at, &format!("/v1/{path}{query}"), &headers, "{").await);
        }
    }
    answers.push(
        Events::open(at, "/v1/discovery/watch", &bearer(&good), "{}")
            .await
            .head()
            .await,
    );
    guarded
        .gateway
        .says("path=\"/v1/discovery/list\" status=200");
    let (_, metrics) = http_get(at, "/metrics").await;
    let said = [
        ("gateway's log", guarded.gateway.stderr()),
        ("discovery's log", guarded.discovery.stderr()),
        ("metrics", metrics),
        ("answers", format!("{answers:?}")),
    ];
    for canary in canaries {
        // A piece of it is as bad as all of it.
        let piece = &canary[canary.len() / 3..];
        for (whose, text) in &said {
            assert!(!text.contains(piece), "{piece} is in the {whose}:\n{text}");
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let guarded = Guarded::start(&[]);
    let at = guarded.gateway.address();
    let headers = bearer(&guarded.token(ALL, Duration::from_millis(2_500)));
    let mut events = Events::open(at, "/v1/discovery/watch", &headers, "{}").await;
    events.until("data: {\"snapshot\"").await;
    events.until("\"reason\":\"token-ended\"").await;
    assert!(events.seen.contains("event: error\n"), "{}", events.seen);
}

/// A good token has a bucket of its own, and what strangers do from the same address is no matter.
#[tokio::test]
async fn a_good_token_is_a_client_of_its_own() {
    let settings = [
        ("ORRERY_FRONTEND_STRANGER_BURST", "2"),
        ("ORRERY_FRONTEND_BAN_AFTER", "2"),
        ("ORRERY_FRONTEND_TOKEN_BURST", "5"),
        ("ORRERY_FRONTEND_TOKEN_RATE", "1"),
    ];
    let guarded = Guarded::start(&settings);
    let at = guarded.gateway.address();
    until("a stranger is banned", async || {
        let answer = get(at, "/v1", &bearer("v4.public.guess")).await;
        answer.body.contains("\"banned\"")
    })
    .await;
    let good = bearer(&guarded.lasting(ALL));
    for n in 0..5 {
        assert_eq!(get(at, "/v1", &good).await.status, 200, "request {n}");
    }
    until("it is limited too", async || {
        get(at, "/v1", &good).await.status == 429
    })
    .await;
}
