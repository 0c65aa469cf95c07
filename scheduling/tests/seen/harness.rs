//! A fleet of its own for each test: the real bin, a data directory that goes away, free ports.
//! Everything it started is ended when it is dropped, also when the test fails.

use std::fs;
use std::future::Future;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Process, Start, end_fleet, processes_with};
use rustix::process::{Pid, Signal, kill_process};
use scheduling::{
    DEFAULT_FLEET, EventItem, EventsArgs, InstanceInfo, InstanceState, ListInstancesArgs,
    SchedulingClient, WatchArgs,
};
use tempfile::TempDir;

pub(crate) const SCHEDULING: &str = env!("CARGO_BIN_EXE_scheduling");
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_agent");

/// A running fleet.
pub(crate) struct Fleet {
    pub(crate) process: Process,
    pub(crate) dir: TempDir,
    args: Vec<String>,
    env: Vec<(&'static str, &'static str)>,
}

impl Fleet {
    /// Starts scheduling with these services; specs in TOML.
    pub(crate) fn start(services: &[String]) -> Self {
        Self::start_with(services, &[])
    }

    /// As `start`, with more arguments.
    pub(crate) fn start_with(services: &[String], more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("fleet.toml");
        let text = if services.is_empty() {
            "service = []\n".to_owned()
        } else {
            services.concat()
        };
        fs::write(&file, text).unwrap();
        let mut args = vec!["--fleet".to_owned(), file.display().to_string()];
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        Self::start_in(dir, args)
    }

    /// Starts scheduling in a directory.
    pub(crate) fn start_in(dir: TempDir, args: Vec<String>) -> Self {
        Self::start_told(dir, args, Vec::new())
    }

    /// Starts scheduling in a directory, with these variables in its environment.
    pub(crate) fn start_told(
        dir: TempDir,
        args: Vec<String>,
        env: Vec<(&'static str, &'static str)>,
    ) -> Self {
        let process = launch(dir.path(), &args, &env);
        Self {
            process,
            dir,
            args,
            env,
        }
    }

    /// Starts scheduling again, on the same data.
    pub(crate) fn start_again(&mut self) {
        self.process = launch(self.dir.path(), &self.args, &self.env);
    }

    pub(crate) fn client(&self) -> SchedulingClient {
        SchedulingClient::new(self.process.channel())
    }

    /// All instances that have not ended.
    pub(crate) async fn instances(&self) -> Vec<InstanceInfo> {
        let all = ListInstancesArgs::default();
        self.client().list_instances(&all).await.unwrap().instances
    }

    /// Waits until the instances, those that ended included, are such that `found` finds.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        found: impl Fn(&[InstanceInfo]) -> Option<T>,
    ) -> T {
        let client = self.client();
        let wait = async {
            let mut changes = client.watch(&WatchArgs::default()).await.unwrap();
            let all = ListInstancesArgs {
                ended: true,
                ..ListInstancesArgs::default()
            };
            loop {
                changes.next().await.expect("the watch goes on").unwrap();
                let list = client.list_instances(&all).await.unwrap().instances;
                if let Some(found) = found(&list) {
                    return found;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("never so: {what}; {:#?}", self.instances().await),
        }
    }

    /// Waits until so many instances of a service are healthy, and none else of it is left.
    pub(crate) async fn healthy(&self, service: &str, count: usize) -> Vec<InstanceInfo> {
        self.until(&format!("{count} of {service} healthy"), |all| {
            let running = all
                .iter()
                .filter(|i| i.service == service && !i.state.is_terminal());
            let running: Vec<InstanceInfo> = running.cloned().collect();
            let healthy = running.iter().filter(|i| i.state == InstanceState::Healthy);
            (running.len() == count && healthy.count() == count).then_some(running)
        })
        .await
    }

    /// The events so far.
    pub(crate) async fn events(&self, service: &str) -> Vec<EventItem> {
        let args = EventsArgs {
            service: Some(service.to_owned()),
            tail: 10_000,
            ..EventsArgs::default()
        };
        let mut stream = self.client().events(&args).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event.unwrap());
        }
        events
    }

    /// The processes that carry this fleet's mark.
    pub(crate) fn processes(&self) -> Vec<u32> {
        marked(self.dir.path())
    }

    /// Ends scheduling alone, as a crash would.
    pub(crate) fn kill_scheduling(&mut self) {
        self.process.kill();
    }
}

fn launch(dir: &Path, args: &[String], env: &[(&str, &str)]) -> Process {
    let _ = chassis::testing::workspace_binaries();
    let data = dir.join("data");
    let mut start = Start::binary(SCHEDULING)
        .env("ORRERY_DATA", data.display())
        .arg("--build=false");
    for arg in args {
        start = start.arg(arg);
    }
    for (name, value) in env {
        start = start.env(name, value);
    }
    start.ready()
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Scheduling first, and awaited: it would start anew what is ended here.
        if is_running(self.process.pid(), SCHEDULING) {
            self.process.kill();
        }
        end_fleet(&self.dir.path().join("data"));
    }
}

fn is_running(pid: u32, program: &str) -> bool {
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.starts_with(program)
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process runs, zombies apart.
pub(crate) fn is_alive(pid: u32) -> bool {
    !fs::read(format!("/proc/{pid}/cmdline"))
        .unwrap_or_default()
        .is_empty()
}

/// Instances that were started for the data directories in here, zombies apart.
fn marked(dir: &Path) -> Vec<u32> {
    let scopes: Vec<String> = ["scheduling", "agent-far"]
        .iter()
        .filter_map(|own| fs::read_to_string(dir.join("data").join(own).join("scope")).ok())
        .map(|scope| format!("ORRERY_SCOPE={}", scope.trim()))
        .collect();
    let of = |scope: &String| processes_with(&[scope]);
    scopes.iter().flat_map(of).collect()
}

/// Waits for something that no stream tells of.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never so: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let (ports, _held): (Vec<u16>, Vec<TcpListener>) = (0..count)
        .map(|_| chassis::testing::fixed_address())
        .map(|address| (address.port(), TcpListener::bind(address).unwrap()))
        .unzip();
    ports
}

/// An offset at which every port of the default fleet is free: beyond its own ports and the
/// dynamic ones, and below those the kernel gives to callers.
pub(crate) fn free_offset() -> u16 {
    let first = u16::try_from(std::process::id() % 300).unwrap();
    let candidates = (0..300).map(|n| 12_000 + (first + n) % 300 * 30);
    let free = |offset: &u16| {
        let ports = DEFAULT_FLEET.iter().flat_map(|entry| entry.ports);
        let all: Result<Vec<_>, _> = ports
            .map(|port| TcpListener::bind(("127.0.0.1", port + offset)))
            .collect();
        all.is_ok()
    };
    candidates
        .into_iter()
        .find(free)
        .expect("a free range of ports")
}

/// A program that does nothing, well.
pub(crate) fn sleeper(name: &str, replicas: usize) -> String {
    command(name, replicas, "sleep", &["1000"])
}

/// A shell script without port and probes.
pub(crate) fn script(name: &str, script: &str) -> String {
    command(name, 1, "sh", &["-c", script])
}

fn command(name: &str, replicas: usize, program: &str, args: &[&str]) -> String {
    format!(
        "[[service]]\nname = {name:?}\nreplicas = {replicas}\nports.wanted = false\n\
         artifact.command = {{ program = {program:?}, args = {args:?} }}\n\
         probes.readiness.kind = \"none\"\nprobes.liveness.kind = \"none\"\n"
    )
}

/// The real echo, on these ports.
pub(crate) fn echo(ports: &[u16]) -> String {
    format!(
        "[[service]]\nname = \"echo\"\nreplicas = {}\nports.well_known = {ports:?}\n\
         artifact.cargo = {{ manifest_path = \"echo/Cargo.toml\", bin_name = \"server_v1\" }}\n",
        ports.len()
    )
}

/// The median of some durations, in milliseconds.
pub(crate) fn median_ms(mut all: Vec<Duration>) -> f64 {
    all.sort();
    all[all.len() / 2].as_secs_f64() * 1_000.0
}
