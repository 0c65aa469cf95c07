//! A fleet that asks for tokens: every procedure of every instance, over real sockets.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use chassis::testing::PATIENCE;
use chassis::trust::{OPERATOR_TOKEN, read_token};
use discovery::{DiscoveryClient, Protocol, RegisterArgs, Registration};
use echo::{EchoArgs, EchoClient};
use rpc::{
    Access, BuiltinClient, CallOptions, Channel, Codec, Credential, Empty, Error, HEALTH_PROCEDURE,
    ProcedureDescription,
};
use rustix::process::Signal;
use scheduling::{InstanceInfo, InstanceState, ListInstancesArgs, SchedulingClient};
use security::{AuditArgs, CreateTokenArgs, RevokeTokenArgs, SecurityClient};
use serde_json::{Value, json};

use crate::harness::{Fleet, eventually, free_offset, kill};

pub(crate) const ADMIN: &str = "the-admin-token-of-this-test-no-secret";

/// A guarded default fleet, with every instance healthy.
pub(crate) struct Guarded {
    pub(crate) fleet: Fleet,
    pub(crate) instances: Vec<InstanceInfo>,
}

pub(crate) fn at(address: SocketAddr, token: &str) -> Channel {
    Channel::to(address).with_credential(Credential::new(token.to_owned()))
}

pub(crate) async fn guarded(more: &[&str]) -> Guarded {
    guarded_told(more, &[]).await
}

/// As `guarded`, with more variables in the environment.
pub(crate) async fn guarded_told(
    more: &[&str],
    variables: &[(&'static str, &'static str)],
) -> Guarded {
    let dir = tempfile::tempdir().unwrap();
    let mut args = vec![format!("--port-offset={}", free_offset())];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let mut env = vec![("ORRERY_AUTH", "auto"), ("ADMIN_TOKEN", ADMIN)];
    env.extend(variables);
    let mut guarded = Guarded {
        fleet: Fleet::start_told(dir, args, env),
        instances: Vec::new(),
    };
    guarded.settled().await;
    guarded
}

impl Guarded {
    pub(crate) fn scheduling(&self) -> SchedulingClient {
        SchedulingClient::new(at(self.fleet.process.address(), &self.operator()))
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.fleet.dir.path().join("data")
    }

    fn operator(&self) -> String {
        read_token(&self.data().join(OPERATOR_TOKEN)).unwrap()
    }

    /// Waits until all 21 are healthy and take the admin token.
    async fn settled(&mut self) {
        let all = ListInstancesArgs::default();
        let deadline = Instant::now() + PATIENCE;
        let healthy = |i: &InstanceInfo| i.state == InstanceState::Healthy;
        loop {
            let list = self.scheduling().list_instances(&all).await.unwrap();
            self.instances = list.instances;
            if self.instances.len() == 21 && self.instances.iter().all(healthy) {
                break;
            }
            let told = self
                .instances
                .iter()
                .map(|i| format!("{} {:?} {}\n", i.id, i.state, i.reason));
            assert!(Instant::now() < deadline, "{}", told.collect::<String>());
            tokio::time::sleep(Duration::from_millis(5)).await; // why: no stream says this
        }
        for (name, address) in self.servers() {
            let builtin = BuiltinClient::new(at(address, ADMIN));
            let what = format!("{name} knows the admin");
            eventually(&what, || async {
                builtin.describe(&Empty {}).await.is_ok()
            })
            .await;
        }
    }

    /// Every server there is, by name.
    fn servers(&self) -> Vec<(String, SocketAddr)> {
        let address = |i: &InstanceInfo| i.address.as_ref().unwrap().parse().unwrap();
        let mut all: Vec<_> = self
            .instances
            .iter()
            .map(|i| (i.id.clone(), address(i)))
            .collect();
        all.push(("scheduling".to_owned(), self.fleet.process.address()));
        all
    }

    pub(crate) fn address(&self, service: &str) -> SocketAddr {
        let found = self.instances.iter().find(|i| i.service == service);
        found.unwrap().address.as_ref().unwrap().parse().unwrap()
    }

    pub(crate) fn security(&self) -> SecurityClient {
        SecurityClient::new(at(self.address("security"), ADMIN))
    }

    /// A token that may do this, made by the admin: its id, and itself.
    pub(crate) async fn token(&self, grants: &[&str], ttl_ms: Option<u64>) -> (String, String) {
        let args = CreateTokenArgs {
            name: "test".to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            roles: Vec::new(),
            ttl_ms,
        };
        let made = self.security().create_token(&args).await.unwrap();
        (made.id, made.token)
    }
}

/// How the server refuses this call; `None` if the guard lets it in.
async fn refusal(at: &Channel, procedure: &ProcedureDescription) -> Option<Error> {
    let options = CallOptions {
        codec: Codec::Json,
        ..CallOptions::default()
    };
    let (id, nothing) = (procedure.id, json!({}));
    let result: Result<(), Error> = if procedure.stream {
        match at.open::<Value, Value>(id, &nothing, &options).await {
            Ok(mut stream) => stream.next().await.unwrap_or(Ok(json!({}))).map(drop),
            Err(error) => Err(error),
        }
    } else {
        let answer = at.call::<Value, Value>(id, Access::Write, &nothing, &options);
        answer.await.map(drop)
    };
    let reasons = [
        "no-token",
        "unknown-token",
        "token-revoked",
        "token-expired",
        "not-granted",
    ];
    result
        .err()
        .filter(|e| reasons.contains(&e.reason.as_ref()))
}

#[tokio::test]
async fn every_procedure_of_every_service_refuses_each_bad_token() {
    let fleet = guarded(&[]).await;
    let (_, expired) = fleet.token(&["*:*:write"], Some(1)).await;
    let (id, revoked) = fleet.token(&["*:*:write"], None).await;
    fleet
        .security()
        .revoke_token(&RevokeTokenArgs { id })
        .await
        .unwrap();
    let (_, weaker) = fleet.token(&["nothing:at_all:write"], None).await;
    let (_, reader) = fleet.token(&["*:*:read"], None).await;
    let bad = [
        ("", "no-token"),
        ("wrong", "unknown-token"),
        ("orrery_0000", "unknown-token"),
        ("v4.public.AAAA", "unknown-token"),
        (expired.as_str(), "token-expired"),
        (revoked.as_str(), "token-revoked"),
        (weaker.as_str(), "not-granted"),
    ];
    let mut checked = 0;
    for (name, address) in fleet.servers() {
        let builtin = BuiltinClient::new(at(address, &weaker));
        let what = format!("{name} knows the newest token");
        let knows = |error: Error| error.reason == "not-granted";
        eventually(&what, || async {
            builtin.describe(&Empty {}).await.is_err_and(knows)
        })
        .await;
        let described = BuiltinClient::new(at(address, ADMIN))
            .describe(&Empty {})
            .await;
        let all = described.unwrap().procedures;
        assert!(all.len() >= 4, "{name}");
        for procedure in all.iter().filter(|p| p.id != HEALTH_PROCEDURE) {
            for (token, reason) in &bad {
                let refused = refusal(&at(address, token), procedure).await;
                let told = refused.as_ref().map(|e| e.reason.as_ref());
                assert_eq!(told, Some(*reason), "{name} {} {token:?}", procedure.name);
            }
            if procedure.access != "read" {
                let refused = refusal(&at(address, &reader), procedure).await;
                let told = refused.as_ref().map(|e| e.reason.as_ref());
                assert_eq!(told, Some("not-granted"), "{name} {}", procedure.name);
            }
            checked += 1;
        }
    }
    eprintln!("{checked} procedures of {} servers", fleet.servers().len());
    assert!(checked >= 22 * 3, "only {checked}");
}

#[tokio::test]
async fn a_revoked_token_is_refused_everywhere_within_a_second() {
    let fleet = guarded(&[]).await;
    let (id, token) = fleet.token(&["*:describe:read"], None).await;
    let describe = |address| {
        let builtin = BuiltinClient::new(at(address, &token));
        async move { builtin.describe(&Empty {}).await }
    };
    for (name, address) in fleet.servers() {
        eventually(&name, || async { describe(address).await.is_ok() }).await;
    }
    fleet
        .security()
        .revoke_token(&RevokeTokenArgs { id })
        .await
        .unwrap();
    let revoked = Instant::now();
    for (name, address) in fleet.servers() {
        let gone = |answer: Result<_, Error>| answer.is_err_and(|e| e.reason == "token-revoked");
        eventually(&name, || async { gone(describe(address).await) }).await;
    }
    let took = revoked.elapsed();
    eprintln!("refused by all after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn without_security_the_fleet_goes_on_with_what_it_knew() {
    let fleet = guarded(&[]).await;
    let (_, token) = fleet.token(&["echo:echo:read"], None).await;
    let echo = EchoClient::new(at(fleet.address("echo"), &token));
    let hello = EchoArgs {
        message: "hello".to_owned(),
    };
    eventually("echo knows the token", || async {
        echo.echo(&hello).await.is_ok()
    })
    .await;
    let scheduling = fleet.scheduling();
    let nobody = scheduling::ScaleServiceArgs {
        name: "security".to_owned(),
        replicas: 0,
    };
    scheduling.scale_service(&nobody).await.unwrap();
    let all = ListInstancesArgs::default();
    let gone = |list: scheduling::ListInstancesReply| {
        list.instances.iter().all(|i| i.service != "security")
    };
    eventually("security is gone", || async {
        scheduling.list_instances(&all).await.is_ok_and(gone)
    })
    .await;
    assert_eq!(echo.echo(&hello).await.unwrap().message, "hello");
    // One that starts now believes its fleet, and says of people that it has heard of nobody yet.
    let caching = fleet
        .instances
        .iter()
        .find(|i| i.service == "caching")
        .unwrap();
    kill(caching.pid.unwrap(), Signal::KILL);
    let again = format!("{}.2", caching.id.rsplit_once('.').unwrap().0);
    let back = |list: scheduling::ListInstancesReply| {
        let found = list.instances.into_iter().find(|i| i.id == again);
        found.is_some_and(|i| i.state == InstanceState::Healthy)
    };
    eventually("caching is back", || async {
        scheduling.list_instances(&all).await.is_ok_and(back)
    })
    .await;
    let address = caching.address.as_ref().unwrap().parse().unwrap();
    let options = CallOptions {
        timeout: Some(Duration::from_millis(300)),
        ..CallOptions::default()
    };
    let asked = BuiltinClient::new(at(address, &token)).with(options);
    let error = asked.metrics(&Empty {}).await.unwrap_err();
    assert_eq!(error.reason, "tokens-not-known-yet", "{error}");
    // The operator's token is signed by the fleet, and needs nobody to be known.
    let operator = BuiltinClient::new(at(address, &fleet.operator()));
    operator.metrics(&Empty {}).await.unwrap();
}

#[tokio::test]
async fn an_instance_registers_under_its_own_name_and_no_other() {
    let fleet = guarded(&[]).await;
    let credentials = fleet.data().join("scheduling/credentials");
    let token = read_token(&credentials.join("echo.0.1.token")).unwrap();
    let discovery = DiscoveryClient::new(at(fleet.address("discovery"), &token));
    let register = |service: &str, instance: &str| RegisterArgs {
        ttl_ms: 10_000,
        registration: Registration {
            service: service.to_owned(),
            instance: instance.to_owned(),
            address: "127.0.0.1:1".to_owned(),
            version: "1".to_owned(),
            zone: String::new(),
            weight: 1,
            protocol: Protocol::Rpc,
            procedures: Vec::new(),
            labels: Default::default(),
        },
    };
    for (service, instance) in [("security", "security.0.1"), ("echo", "echo.1.1")] {
        let mut stream = discovery
            .register(&register(service, instance))
            .await
            .unwrap();
        let refused = stream.next().await.unwrap().unwrap_err();
        assert_eq!(refused.reason, "not-its-name", "{instance}");
    }
    let mut own = discovery
        .register(&register("echo", "echo.0.1"))
        .await
        .unwrap();
    own.next().await.unwrap().unwrap();
}

#[tokio::test]
async fn tokens_are_renewed_before_they_expire() {
    let fleet = guarded(&["--token-lifetime=12s"]).await;
    let path = fleet.data().join("scheduling/credentials/echo.0.1.token");
    let first = read_token(&path).unwrap();
    eventually("a newer token", || async {
        read_token(&path).unwrap() != first
    })
    .await;
    let born = Instant::now();
    let discovery = DiscoveryClient::new(at(fleet.address("discovery"), ADMIN));
    // Past the life of the first tokens everybody is still registered: heartbeats go on.
    while born.elapsed() < Duration::from_secs(14) {
        let services = discovery.list(&Empty {}).await.unwrap().services;
        assert_eq!(services.len(), 15, "after {:?}", born.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await; // why: a time has to pass
    }
}

#[tokio::test]
async fn no_secret_is_in_arguments_environments_logs_errors_or_the_audit_log() {
    let fleet = guarded(&[]).await;
    let (_, made) = fleet.token(&["*:*:read"], None).await;
    for (_, address) in fleet.servers() {
        let builtin = BuiltinClient::new(at(address, &made));
        eventually("it is known", || async {
            builtin.describe(&Empty {}).await.is_ok()
        })
        .await;
        let wrong = BuiltinClient::new(at(address, "orrery_a_wrong_secret"));
        let error = wrong.describe(&Empty {}).await.unwrap_err();
        let told = format!("{error:?}");
        assert!(!told.contains("a_wrong_secret"), "{told}");
    }
    let key = read_token(&fleet.data().join("scheduling/fleet.key")).unwrap();
    let credentials = fs::read_dir(fleet.data().join("scheduling/credentials")).unwrap();
    let mut secrets = vec![made, ADMIN.to_owned(), fleet.operator(), key];
    secrets.push("orrery_a_wrong_secret".to_owned());
    secrets.extend(
        credentials
            .flatten()
            .map(|file| read_token(&file.path()).unwrap()),
    );
    assert!(secrets.len() >= 26);
    let mut places = vec![(
        "stderr of scheduling".to_owned(),
        fleet.fleet.process.stderr(),
    )];
    for pid in fleet.fleet.processes() {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            places.push((
                format!("{file} of {pid}"),
                String::from_utf8_lossy(&bytes).into(),
            ));
        }
    }
    assert!(places.len() >= 43, "only {}", places.len());
    read_all(&fleet.data().join("logs"), &mut places);
    let audit = fleet.security().audit(&AuditArgs::default()).await.unwrap();
    assert!(!audit.entries.is_empty());
    places.push(("the audit log".to_owned(), format!("{audit:?}")));
    for (place, text) in &places {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "a secret is in {place}");
        }
    }
    // The folder's secrets are its owner's alone.
    for name in ["operator.token", "scheduling/fleet.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(fleet.data().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

fn read_all(folder: &Path, places: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, places);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            places.push((
                path.display().to_string(),
                String::from_utf8_lossy(&bytes).into(),
            ));
        }
    }
}

#[test]
fn an_admin_token_that_can_be_guessed_boots_no_fleet() {
    for bad in ["admin", "a long one, with spaces in it"] {
        let dir = tempfile::tempdir().unwrap();
        let ended = chassis::testing::Start::binary(crate::harness::SCHEDULING)
            .env("ORRERY_DATA", dir.path().display())
            .env("ORRERY_AUTH", "auto")
            .env("ADMIN_TOKEN", bad)
            .ended();
        assert_eq!(ended.status.code(), Some(78), "{}", ended.stderr);
        assert!(ended.stderr.contains("at least 20"), "{}", ended.stderr);
        assert!(!ended.stderr.contains(bad), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn what_people_do_anywhere_is_in_the_audit_log() {
    let fleet = guarded(&[]).await;
    let (id, token) = fleet.token(&["scheduling:*:write"], None).await;
    let scheduling = SchedulingClient::new(at(fleet.fleet.process.address(), &token));
    let scale = scheduling::ScaleServiceArgs {
        name: "echo".to_owned(),
        replicas: 2,
    };
    eventually("scaled", || async {
        scheduling.scale_service(&scale).await.is_ok()
    })
    .await;
    let security = fleet.security();
    let only = AuditArgs {
        caller: Some(format!("test ({id})")),
        ..AuditArgs::default()
    };
    let found = |reply: security::AuditReply| {
        let mut calls = reply.entries.into_iter().map(|entry| entry.call);
        calls.any(|c| {
            let what = (c.service.as_str(), c.procedure.as_str(), c.verdict.as_str());
            what == ("scheduling", "scale_service", "allowed")
        })
    };
    eventually("it is on record", || async {
        security.audit(&only).await.is_ok_and(found)
    })
    .await;
}
