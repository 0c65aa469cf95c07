//! A fleet of its own: scheduling, discovery, release and echo, all real. What it started ends
//! with it.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chassis::testing::{
    PATIENCE, Process, Start, end_fleet, fixed_address, mark_of, processes_with, workspace_binary,
};
use release::{Program, ReleaseClient, ReleaseInfo, Version, WatchArgs};
use rpc::{Channel, Code, Error};
use rustix::process::{Pid, Signal, kill_process};
use scheduling::{InstanceInfo, InstanceState, ListInstancesArgs, SchedulingClient};
use tempfile::TempDir;
use tokio::time::timeout;

pub(crate) struct Fleet {
    pub(crate) scheduling: Process,
    pub(crate) dir: TempDir,
    pub(crate) discovery: SocketAddr,
    pub(crate) release: SocketAddr,
    args: Vec<String>,
}

/// A service of the fleet that listens on these ports.
fn service(name: &str, bin: &str, replicas: usize, ports: &[u16], after: &str) -> String {
    format!(
        "[[service]]\nname = \"{name}\"\nreplicas = {replicas}\nports.well_known = {ports:?}\n\
         after = [{after}]\n\
         artifact.cargo = {{ manifest_path = \"{name}/Cargo.toml\", bin_name = \"{bin}\" }}\n"
    )
}

impl Fleet {
    /// With so many echoes of version 1, and whatever else `more` says in TOML.
    pub(crate) async fn start(echoes: usize, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (discovery, release) = (fixed_address(), fixed_address());
        let first = "\"discovery\"";
        let specs = [
            service("discovery", "discovery", 1, &[discovery.port()], ""),
            service("release", "release", 1, &[release.port()], first),
            service("echo", "server_v1", echoes, &[], first),
            more.to_owned(),
        ];
        let file = dir.path().join("fleet.toml");
        fs::write(&file, specs.concat()).unwrap();
        let args = vec![
            "--build=false".to_owned(),
            "--fleet".to_owned(),
            file.display().to_string(),
        ];
        let scheduling = launch(&dir, &args);
        let fleet = Self {
            scheduling,
            dir,
            discovery,
            release,
            args,
        };
        fleet.healthy("echo", echoes).await;
        fleet.healthy("release", 1).await;
        fleet
    }

    pub(crate) fn restart_scheduling(&mut self) {
        self.scheduling.kill();
        self.scheduling = launch(&self.dir, &self.args);
    }

    pub(crate) fn releases(&self) -> ReleaseClient {
        ReleaseClient::new(Channel::to(self.release))
    }

    pub(crate) fn scheduling(&self) -> SchedulingClient {
        SchedulingClient::new(self.scheduling.channel())
    }

    pub(crate) async fn instances(&self, service: &str) -> Vec<InstanceInfo> {
        let args = ListInstancesArgs {
            service: Some(service.to_owned()),
            ended: false,
        };
        self.scheduling()
            .list_instances(&args)
            .await
            .unwrap()
            .instances
    }

    /// Waits until exactly so many instances run, all healthy.
    pub(crate) async fn healthy(&self, service: &str, count: usize) -> Vec<InstanceInfo> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all = self.instances(service).await;
            let healthy = all
                .iter()
                .filter(|i| i.state == InstanceState::Healthy)
                .count();
            if (healthy, all.len()) == (count, count) {
                return all;
            }
            assert!(
                Instant::now() < deadline,
                "{healthy} of {count} {service}: {all:#?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await; // why: polls
        }
    }

    /// Kills the release service; scheduling starts it again.
    pub(crate) async fn kill_release(&self) {
        let instance = self.healthy("release", 1).await.remove(0);
        let pid = i32::try_from(instance.pid.unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    /// Waits until a release is over, also over restarts of the release service.
    pub(crate) async fn over(&self, id: &str) -> ReleaseInfo {
        let deadline = Instant::now() + 3 * PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            let args = WatchArgs { id: id.to_owned() };
            let Ok(mut stream) = self.releases().watch(&args).await else {
                continue;
            };
            while let Ok(Some(Ok(info))) = timeout(PATIENCE, stream.next()).await {
                if !matches!(info.phase.as_str(), "running" | "rolling-back") {
                    return info;
                }
                last = Some(info);
            }
        }
        panic!("{id} does not end: {last:#?}");
    }
}

fn launch(dir: &TempDir, args: &[String]) -> Process {
    let data = dir.path().join("data");
    let mut start =
        Start::binary(&workspace_binary("scheduling")).env("ORRERY_DATA", data.display());
    for arg in args {
        start = start.arg(arg);
    }
    start.ready()
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Scheduling first: it would start anew what is ended here.
        self.scheduling.kill();
        end_fleet(&self.dir.path().join("data"));
    }
}

/// The processes of a fleet that run a program of this name.
pub(crate) fn processes_of(dir: &TempDir, program: &str) -> BTreeSet<u32> {
    let mark = mark_of(&dir.path().join("data"));
    let runs = |pid: &u32| {
        let file = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        file.file_name().is_some_and(|name| name == program)
    };
    processes_with(&[&mark]).into_iter().filter(runs).collect()
}

/// A version of echo.
pub(crate) fn echo(bin: &str, env: &[(&str, &str)]) -> Version {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Version {
        program: Program::Cargo {
            manifest_path: "echo/Cargo.toml".to_owned(),
            bin_name: bin.to_owned(),
        },
        env: env.collect(),
    }
}

/// A program without port and probes.
pub(crate) fn sleeper(name: &str, replicas: usize) -> String {
    format!(
        "[[service]]\nname = {name:?}\nreplicas = {replicas}\nports.wanted = false\n\
         artifact.command = {{ program = \"sleep\", args = [\"1000\"] }}\n\
         probes.readiness.kind = \"none\"\nprobes.liveness.kind = \"none\"\n"
    )
}

pub(crate) fn command(program: &str, args: &[&str]) -> Version {
    Version {
        program: Program::Command {
            program: program.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        },
        env: Default::default(),
    }
}

pub(crate) fn check_refused<T: std::fmt::Debug>(
    result: Result<T, Error>,
    code: Code,
    reason: &str,
) {
    let error = result.expect_err(reason);
    assert_eq!(
        (error.code, error.reason.as_ref()),
        (code, reason),
        "{error}"
    );
    assert!(!error.hint.is_empty(), "{error:?}");
}
