//! 8. Bad input is refused with a stable reason and a hint, and changes nothing.

use std::fs;

use rpc::{Access, CallOptions, Code, Codec, Error};
use scheduling::{
    ApplyArgs, DeleteServiceArgs, GetServiceArgs, LogsArgs, RestartArgs, ScaleServiceArgs,
    ScheduleServiceArgs, StopInstanceArgs, reason,
};
use serde_json::{Value, json};

use crate::harness::{Fleet, sleeper};

fn check(result: Result<impl std::fmt::Debug, Error>, code: Code, reason: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.code, code, "{error:?}");
    assert_eq!(error.reason, reason, "{error:?}");
    assert!(
        !error.hint.is_empty(),
        "what to do next is missing: {error:?}"
    );
    error
}

fn wish(manifest: &str, replicas: i32) -> ScheduleServiceArgs {
    ScheduleServiceArgs {
        name: "new".into(),
        manifest_path: manifest.into(),
        bin_name: "new".into(),
        replicas,
    }
}

#[tokio::test]
async fn seen_8_what_cannot_be_is_refused_with_a_reason_and_a_hint() {
    let fleet = Fleet::start(&[sleeper("a", 1)]);
    let a = fleet.healthy("a", 1).await;
    let client = fleet.client();
    let name = || "nobody".to_owned();
    let scale = |name: &str, replicas| ScaleServiceArgs {
        name: name.to_owned(),
        replicas,
    };
    let unknown = reason::UNKNOWN_SERVICE;
    check(
        client.scale_service(&scale("nobody", 1)).await,
        Code::NotFound,
        unknown,
    );
    let get = GetServiceArgs { name: name() };
    check(client.get_service(&get).await, Code::NotFound, unknown);
    let delete = DeleteServiceArgs { name: name() };
    check(
        client.delete_service(&delete).await,
        Code::NotFound,
        unknown,
    );
    let restart = RestartArgs { target: name() };
    check(client.restart(&restart).await, Code::NotFound, unknown);
    for bad in [-1, i32::MIN, 100_001] {
        let refused = client.scale_service(&scale("a", bad)).await;
        let error = check(refused, Code::InvalidArgument, reason::INVALID_REPLICAS);
        assert!(error.message.contains(&bad.to_string()), "{error:?}");
        let refused = client.schedule_service(&wish("Cargo.toml", bad)).await;
        check(refused, Code::InvalidArgument, reason::INVALID_REPLICAS);
    }
    let bad_name = scale("No Such", 1);
    let refused = client.scale_service(&bad_name).await;
    check(refused, Code::InvalidArgument, reason::INVALID_NAME);
    for (id, code, word) in [
        ("a.0.99", Code::NotFound, reason::UNKNOWN_INSTANCE),
        ("a.0", Code::InvalidArgument, reason::INVALID_NAME),
        ("", Code::InvalidArgument, reason::INVALID_NAME),
    ] {
        let instance = id.to_owned();
        let refused = client.stop_instance(&StopInstanceArgs { instance }).await;
        check(refused, code, word);
    }
    let logs = LogsArgs {
        target: name(),
        tail: 1,
        follow: false,
        stream: None,
    };
    let lines = client.logs(&logs).await.unwrap().next().await.unwrap();
    check(lines, Code::NotFound, unknown);
    assert_eq!(fleet.instances().await, a, "nothing changed");
}

#[tokio::test]
async fn seen_8_a_wrong_spec_names_the_line_or_the_field() {
    let fleet = Fleet::start(&[]);
    let command = "artifact.command = { program = \"sleep\" }\n";
    for (spec, words) in [
        ("nonsense".to_owned(), "line 1"),
        (format!("name = \"x\"\nreplicas = -1\n{command}"), "line 2"),
        (
            format!("name = \"x\"\nreplicas = 1\n{command}cpus = 3\n"),
            "cpus",
        ),
        (
            format!("name = \"x\"\nreplicas = 1\n{command}after = [\"x\"]\n"),
            "after: ",
        ),
        (
            format!("name = \"x\"\nreplicas = 1\n{command}env = {{ \"A=B\" = \"c\" }}\n"),
            "env: ",
        ),
    ] {
        let apply = ApplyArgs { spec, wait_ms: 0 };
        let refused = fleet.client().apply(&apply).await;
        let error = check(refused, Code::InvalidArgument, reason::INVALID_SPEC);
        assert!(error.message.contains(words), "{words}: {error:?}");
    }
    let one = |name: &str, after: &str| {
        format!("[[service]]\nname = {name:?}\nreplicas = 1\nafter = [{after:?}]\n{command}")
    };
    let apply = ApplyArgs {
        spec: one("x", "y") + &one("y", "x"),
        wait_ms: 0,
    };
    let refused = fleet.client().apply(&apply).await;
    check(refused, Code::InvalidArgument, reason::DEPENDENCY_CYCLE);
    assert!(fleet.instances().await.is_empty(), "all of it or nothing");
}

#[tokio::test]
async fn seen_8_a_manifest_that_is_missing_or_does_not_compile_is_refused() {
    let fleet = Fleet::start(&[sleeper("a", 1)]);
    let client = fleet.client();
    let refused = client
        .schedule_service(&wish("/no/such/Cargo.toml", 1))
        .await;
    let error = check(refused, Code::NotFound, reason::NO_SUCH_MANIFEST);
    assert!(error.message.contains("/no/such/Cargo.toml"), "{error:?}");

    let package = fleet.dir.path().join("package");
    fs::create_dir_all(package.join("src")).unwrap();
    let manifest = package.join("Cargo.toml");
    let text = "[package]\nname = \"new\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(&manifest, text).unwrap();
    fs::write(package.join("src/main.rs"), "fn main() { oops }").unwrap();
    let manifest = manifest.to_str().unwrap();
    let patient = client.with(CallOptions {
        timeout: Some(std::time::Duration::from_secs(60)),
        ..CallOptions::default()
    });
    let refused = patient.schedule_service(&wish(manifest, 1)).await;
    let error = check(refused, Code::InvalidArgument, reason::BUILD_FAILED);
    assert!(
        error.message.contains("cannot find value `oops`"),
        "{error:?}"
    );
    fleet.healthy("a", 1).await;
    assert_eq!(fleet.events("new").await, [], "nothing was wished for");

    // And one that compiles runs.
    let main = "fn main() { loop { std::thread::park() } }";
    fs::write(package.join("src/main.rs"), main).unwrap();
    let spec = format!(
        "name = \"new\"\nreplicas = 2\nports.wanted = false\n\
         artifact.cargo = {{ manifest_path = {manifest:?}, bin_name = \"new\" }}\n\
         probes.readiness.kind = \"none\"\nprobes.liveness.kind = \"none\"\n"
    );
    patient
        .apply(&ApplyArgs { spec, wait_ms: 0 })
        .await
        .unwrap();
    fleet.healthy("new", 2).await;
}

#[tokio::test]
async fn seen_8_any_procedure_can_be_called_with_json_and_garbage_is_a_typed_error() {
    let fleet = Fleet::start(&[sleeper("a", 1)]);
    fleet.healthy("a", 1).await;
    let channel = fleet.process.channel();
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let call = |id, args: Value| {
        let (channel, options) = (channel.clone(), options.clone());
        async move {
            let answer: Result<Value, Error> =
                channel.call(id, Access::Read, &args, &options).await;
            answer
        }
    };
    let listed = call(scheduling::LIST_INSTANCES_PROCEDURE, json!({}))
        .await
        .unwrap();
    assert_eq!(listed["instances"][0]["state"], "healthy");
    let refused = call(scheduling::SCALE_SERVICE_PROCEDURE, json!({"name": 7})).await;
    assert_eq!(refused.unwrap_err().code, Code::BadPayload);
    let refused = call(4_999, json!({})).await;
    assert_eq!(refused.unwrap_err().code, Code::UnknownProcedure);
    fleet.healthy("a", 1).await;
}

#[tokio::test]
async fn seen_8_a_service_whose_manifest_is_missing_fails_and_the_rest_boots() {
    let missing = "[[service]]\nname = \"lost\"\nreplicas = 2\n\
        artifact.cargo = { manifest_path = \"/no/such/Cargo.toml\", bin_name = \"lost\" }\n";
    let fleet = Fleet::start(&[missing.to_owned(), sleeper("a", 2)]);
    fleet.healthy("a", 2).await;
    let failed = fleet
        .until("the service fails", |all| {
            all.iter()
                .find(|i| i.service == "lost" && i.failure.is_some())
                .cloned()
        })
        .await;
    let why = failed.failure.unwrap();
    assert!(
        why.contains("\"/no/such/Cargo.toml\" does not exist"),
        "{why}"
    );
    crate::harness::eventually("both slots are given up at once", || async {
        let events = fleet.events("lost").await;
        events.iter().filter(|e| e.kind == "given up").count() == 2
    })
    .await;
}
