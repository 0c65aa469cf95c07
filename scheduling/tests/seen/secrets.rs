//! A secret reaches the instance whose spec names it, and is nowhere else to be seen: not with
//! `ps`, not in an environment, a file, a log, an error, an explanation or the audit log.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chassis::trust::{OPERATOR_TOKEN, read_token};
use rpc::{Access, CallOptions, Codec, Empty};
use scheduling::{
    ApplyArgs, EventsArgs, ExplainArgs, GetServiceArgs, InstanceInfo, InstanceState,
    ListInstancesArgs, RestartArgs, SchedulingClient,
};
use security::{AuditArgs, GetSecretArgs, PutSecretArgs, SecurityClient};
use serde_json::{Value, json};

use crate::authorisation::{ADMIN, at};
use crate::harness::{Fleet, echo, eventually, free_ports, script};

/// A guarded fleet of discovery, security and echo, that logs all it can.
struct House {
    fleet: Fleet,
    security: SocketAddr,
}

async fn house() -> House {
    let ports = free_ports(3);
    let service = |name: &str, port: u16| {
        format!(
            "[[service]]\nname = {name:?}\nreplicas = 1\nports.well_known = [{port}]\n\
             artifact.cargo = {{ manifest_path = \"{name}/Cargo.toml\", bin_name = {name:?} }}\n"
        )
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    let services = [
        service("discovery", ports[0]),
        service("security", ports[1]),
        echo(&ports[2..]),
    ];
    fs::write(&file, services.concat()).unwrap();
    let args = vec!["--fleet".to_owned(), file.display().to_string()];
    let env = vec![
        ("ORRERY_AUTH", "auto"),
        ("ADMIN_TOKEN", ADMIN),
        ("RUST_LOG", "trace"),
    ];
    let house = House {
        fleet: Fleet::start_told(dir, args, env),
        security: SocketAddr::from(([127, 0, 0, 1], ports[1])),
    };
    eventually("security takes the admin's token", || async {
        house.security().list_secrets(&Empty {}).await.is_ok()
    })
    .await;
    house
}

impl House {
    fn data(&self) -> PathBuf {
        self.fleet.dir.path().join("data")
    }

    fn scheduling(&self) -> SchedulingClient {
        let token = read_token(&self.data().join(OPERATOR_TOKEN)).unwrap();
        SchedulingClient::new(at(self.fleet.process.address(), &token))
    }

    fn security(&self) -> SecurityClient {
        SecurityClient::new(at(self.security, ADMIN))
    }
}

fn random() -> String {
    let uuid = || fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    format!("canary-{}-{}", uuid().trim(), uuid().trim())
}

/// What `sha256sum` says of it.
fn digest(value: &str) -> String {
    let text = piped(Command::new("sha256sum"), value);
    text.split_whitespace().next().unwrap().to_owned()
}

/// What a program writes that reads this.
fn piped(mut command: Command, input: &str) -> String {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

/// A service that says the digest of what it is handed, and stays.
fn reader(name: &str, secret: &str) -> String {
    let words = "sha256sum < /proc/self/fd/$ORRERY_SECRET_DB_FD; exec sleep 1000";
    format!("{}secrets.DB = {secret:?}\n", script(name, words))
}

/// Files under this folder in which the text is.
fn found(folder: &Path, text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = path.path();
        if path.is_dir() {
            all.extend(found(&path, text));
        } else if has(&path, text) {
            all.push(path.display().to_string());
        }
    }
    all
}

fn has(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Arguments and environments of all processes of this machine in which the text is.
fn found_in_processes(text: &str) -> Vec<String> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let files = pids.flat_map(|pid| ["cmdline", "environ"].map(|file| pid.path().join(file)));
    let files = files.filter(|file| has(file, text));
    files.map(|file| file.display().to_string()).collect()
}

async fn apply(fleet: &House, spec: String) {
    let args = ApplyArgs { spec, wait_ms: 0 };
    fleet.scheduling().apply(&args).await.unwrap();
}

async fn instances(fleet: &House, service: &str) -> Vec<InstanceInfo> {
    let args = ListInstancesArgs {
        service: Some(service.to_owned()),
        ended: true,
    };
    let list = fleet.scheduling().list_instances(&args).await;
    list.unwrap().instances
}

/// Waits until the running instance of the service has said this.
async fn says(fleet: &House, service: &str, words: &str) {
    eventually(&format!("{service} says {words}"), || async {
        let all = instances(fleet, service).await;
        let mut running = all.iter().filter(|i| i.state == InstanceState::Healthy);
        let Some(instance) = running.next() else {
            return false;
        };
        let log = fleet.data().join(format!("logs/{}.out", instance.id));
        fs::read_to_string(log).is_ok_and(|log| log.contains(words))
    })
    .await;
}

/// What people are told when a call that carries the value is refused.
async fn refusals(fleet: &House, value: &str) -> Vec<String> {
    let bodies = [
        json!({ "name": "no name", "value": value }),
        json!({ "name": "db", "value": { value: 1 } }),
        json!({ "name": "db", "value": [value] }),
        json!({ "name": "db", "velue": value }),
        json!({ "name": "db", "value": value.repeat(2_000) }),
    ];
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let mut told = Vec::new();
    for body in &bodies {
        for token in [ADMIN, "wrong", ""] {
            let channel = at(fleet.security, token);
            let id = security::PUT_SECRET_PROCEDURE;
            let call = channel.call::<Value, Value>(id, Access::Write, body, &options);
            told.push(format!("{:?}", call.await.unwrap_err()));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issue_3_7_a_secret_reaches_its_instance_and_is_seen_nowhere_else() {
    let fleet = house().await;
    let security = fleet.security();
    let (first, value) = (random(), random());
    for value in [&first, &value] {
        let args = PutSecretArgs {
            name: "db".to_owned(),
            value: value.clone().into_bytes(),
        };
        security.put_secret(&args).await.unwrap();
        if *value == first {
            apply(&fleet, reader("holder", "db")).await;
            says(&fleet, "holder", &digest(&first)).await;
        }
    }
    // A new value is for new processes.
    let target = "holder".to_owned();
    let restart = RestartArgs { target };
    fleet.scheduling().restart(&restart).await.unwrap();
    says(&fleet, "holder", &digest(&value)).await;
    let mut told = refusals(&fleet, &value).await;

    // What names a secret that nobody put waits, and says for what.
    apply(&fleet, reader("poor", "nothing-of-this-name")).await;
    eventually("it is told why it does not start", || async {
        let all = instances(&fleet, "poor").await;
        all.iter()
            .any(|i| i.reason.contains("nothing-of-this-name"))
    })
    .await;

    // Another instance does not get it, with the token that it has.
    let token = fleet.data().join("scheduling/credentials/echo.0.1.token");
    let token = read_token(&token).unwrap();
    let args = GetSecretArgs {
        name: "db".to_owned(),
        reader: "echo.0.1".to_owned(),
    };
    let echo = SecurityClient::new(at(fleet.security, &token));
    let refused = echo.get_secret(&args).await.unwrap_err();
    assert_eq!(refused.reason, "not-granted", "{refused}");

    told.extend(answers(&fleet).await);
    told.push(fleet.fleet.process.stderr());
    for value in [&first, &value] {
        assert!(told.iter().all(|said| !said.contains(value.as_str())));
        assert_eq!(found_in_processes(value), [""; 0]);
        assert_eq!(found(&fleet.data(), value), [""; 0]);
    }
    // Whoever looks like this does find what is there.
    assert!(!found(&fleet.data(), "nothing-of-this-name").is_empty());
    assert!(!found_in_processes("ORRERY_SECRET_DB_FD=").is_empty());
}

/// Everything that can be asked about the service and the secret.
async fn answers(fleet: &House) -> Vec<String> {
    let scheduling = fleet.scheduling();
    let name = "holder".to_owned();
    let service = scheduling.get_service(&GetServiceArgs { name }).await;
    let mut all = vec![format!("{:?}", service.unwrap())];
    for target in ["holder", "poor"] {
        let target = target.to_owned();
        let args = ExplainArgs { target };
        all.push(format!("{:?}", scheduling.explain(&args).await.unwrap()));
    }
    let args = EventsArgs {
        tail: 10_000,
        ..EventsArgs::default()
    };
    let mut events = scheduling.events(&args).await.unwrap();
    while let Some(event) = events.next().await {
        all.push(format!("{event:?}"));
    }
    let security = fleet.security();
    all.push(format!(
        "{:?}",
        security.list_secrets(&Empty {}).await.unwrap()
    ));
    let log = security.audit(&AuditArgs::default()).await.unwrap();
    let log = format!("{log:?}");
    assert!(log.contains("db for holder.0."), "who was handed it: {log}");
    all.push(log);
    all
}
