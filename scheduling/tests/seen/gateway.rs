//! The whole fleet through its gateway, with nothing but `curl`: what the README shows.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::authorisation::{ADMIN, guarded};
use crate::harness::eventually;

struct Curl {
    base: String,
    token: String,
}

impl Curl {
    fn run(&self, more: &[&str], path: &str) -> Output {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20"])
            .args(["-H", &format!("Authorization: Bearer {}", self.token)])
            .args(more)
            .arg(format!("{}{path}", self.base))
            .stdin(Stdio::null())
            .output();
        output.expect("curl; `cargo xtask test` installs it")
    }

    /// Calls a procedure, and reads its answer.
    fn call(&self, path: &str, arguments: &Value) -> Value {
        let output = self.run(&["-d", &arguments.to_string()], path);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text:?} {output:?}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_is_run_with_curl_alone() {
    let fleet = guarded(&[]).await;
    let base = format!("http://{}", fleet.address("frontend"));
    let admin = Curl {
        base: base.clone(),
        token: ADMIN.to_owned(),
    };
    let listed = admin.run(&[], "/v1");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("configuration"));
    let grants = ["configuration:*:write", "scheduling:*:write", "echo:*:read"];
    let made = admin.call(
        "/v1/security/create_token",
        &json!({ "name": "curl", "grants": grants }),
    );
    let curl = Curl {
        base,
        token: made["token"].as_str().expect("a token").to_owned(),
    };

    let set = json!({ "key": "greeter/words", "value": "good day" });
    let get = json!({ "key": "greeter/words" });
    eventually("configuration knows the token", || async {
        curl.call("/v1/configuration/set", &set)["revision"].is_u64()
    })
    .await;
    let got = curl.call("/v1/configuration/get", &get);
    assert_eq!(got["value"], "good day");

    let scale = json!({ "name": "echo", "replicas": 4 });
    eventually("scheduling knows the token", || async {
        curl.call("/v1/scheduling/scale_service", &scale)
            .get("reason")
            .is_none()
    })
    .await;
    let list = json!({ "service": "echo" });
    eventually("four echoes are healthy", || async {
        let all = curl.call("/v1/scheduling/list_instances", &list);
        let all = all["instances"].as_array().cloned().unwrap_or_default();
        all.iter().filter(|i| i["state"] == "healthy").count() == 4
    })
    .await;
    let hello = json!({ "message": "hello" });
    eventually("every echo knows the token", || async {
        curl.call("/v1/echo/echo", &hello)["message"] == "hello"
    })
    .await;

    // A stream has no end of its own: two seconds of it are enough to see all that there is.
    let watched = curl.run(
        &["-N", "-d", "{}", "--max-time", "2"],
        "/v1/scheduling/watch",
    );
    let watched = String::from_utf8_lossy(&watched.stdout).into_owned();
    assert!(watched.starts_with("data: {"), "{watched}");
    assert!(watched.contains("echo.3.1"), "{watched}");

    let refused = curl.call("/v1/security/list_tokens", &json!({}));
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!(403), &json!("not-granted"))
    );
    let nobody = Curl {
        token: String::new(),
        ..curl
    };
    let refused = nobody.call("/v1/echo/echo", &hello);
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!(401), &json!("no-token"))
    );
    let document = nobody.run(&[], "/openapi.json");
    assert!(String::from_utf8_lossy(&document.stdout).contains("no-token"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_instance_runs_is_written_back_by_whoever_leads() {
    let fleet = guarded(&[]).await;
    let curl = Curl {
        base: format!("http://{}", fleet.address("frontend")),
        token: ADMIN.to_owned(),
    };
    let late = json!({ "generation": 0, "node": "local", "why": "I say so" });
    let one = "/api/internal/instances/echo.0.1/schedule";
    eventually("somebody leads", || async {
        curl.call(one, &late)["reason"] == scheduling::reason::DEPOSED
    })
    .await;
    let stats = json!({});
    let leads = curl.call("/v1/resource-scheduler/leader", &stats);
    let now = json!({ "generation": leads["generation"], "node": "local" });
    let refused = curl.call(one, &now);
    let why = refused["refused"][0].as_str().expect("a reason");
    assert!(why.contains("waits for no node"), "{refused}");
    let many = json!({ "generation": leads["generation"], "decisions": [] });
    let taken = curl.call("/api/internal/instances/schedule", &many);
    assert_eq!(taken["refused"], json!([]));
    let wrong = curl.call(one, &json!({ "nod": "local" }));
    assert_eq!(wrong["reason"], "bad-json", "{wrong}");
}
