//! A whole fleet of its own, on ports of its own, with state that is thrown away.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rpc::{Channel, Credential, Streaming};
use rustix::process::{Pid, Signal, kill_process};
use scheduling::{
    DEFAULT_FLEET, InstanceInfo, InstanceState, SchedulingClient, ServiceInfo, WatchArgs, WatchItem,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::Failure;

/// Added to every well-known port: a fleet that runs here already is left alone.
const PORT_OFFSET: u16 = 20_000;
const SCHEDULING_PORT: u16 = 10_900 + PORT_OFFSET;
/// Between two looks at something that has no event to wait for.
const LOOK_EVERY: Duration = Duration::from_micros(300);
/// For whatever is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// A fleet that is asked to end has five seconds for it.
const END_MAX: Duration = Duration::from_secs(8);

/// The fleet's programs, built as `cargo run -p scheduling` builds them.
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Builds what is missing or old.
    ///
    /// # Errors
    /// If it does not compile.
    pub(crate) fn build() -> Result<Self, Failure> {
        let all = DEFAULT_FLEET.iter().map(|entry| entry.name);
        Self::build_as("debug", all)
    }

    /// `scheduling` and these, built for use.
    ///
    /// # Errors
    /// If it does not compile.
    pub(crate) fn release(packages: &[&'static str]) -> Result<Self, Failure> {
        Self::build_as("release", packages.iter().copied())
    }

    fn build_as(
        profile: &str,
        packages: impl Iterator<Item = &'static str>,
    ) -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--bins", "--package", "scheduling"]);
        if profile == "release" {
            command.arg("--release");
        }
        for package in packages {
            command.args(["--package", package]);
        }
        if !command.current_dir(root).status()?.success() {
            return Err("the fleet's programs do not build".into());
        }
        let program = std::env::current_exe()?;
        let target = program.parent().and_then(Path::parent);
        Ok(Self(
            target
                .ok_or("this program is in no target folder")?
                .join(profile),
        ))
    }
}

/// What a fleet is to be.
#[derive(Default)]
pub(crate) struct Wish {
    /// Specs in TOML instead of the default fleet.
    pub(crate) specs: Option<String>,
    /// What the environment says on top.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// A running fleet; it is asked to end when this is dropped.
pub(crate) struct Fleet {
    client: SchedulingClient,
    process: Child,
    watch: Streaming<WatchItem>,
    services: BTreeMap<String, ServiceInfo>,
    instances: BTreeMap<String, InstanceInfo>,
    data: TempDir,
    /// When `scheduling` was executed.
    pub(crate) begun: Instant,
}

impl Fleet {
    /// Executes `scheduling`, and watches it from as soon as it answers.
    ///
    /// # Errors
    /// If it ends, or does not answer.
    pub(crate) async fn start(programs: &Programs, wish: Wish) -> Result<Self, Failure> {
        let data = tempfile::tempdir_in(&programs.0)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, SCHEDULING_PORT));
        let mut command = Command::new(programs.0.join("scheduling"));
        command.arg("--data").arg(data.path());
        command.args(["--address", &address.to_string(), "--build", "false"]);
        command.args(["--port-offset", &PORT_OFFSET.to_string()]);
        if let Some(specs) = wish.specs {
            let file = data.path().join("fleet.toml");
            fs::write(&file, specs)?;
            command.arg("--fleet").arg(file);
        }
        let log = File::create(data.path().join("log"))?;
        command
            .envs(wish.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let begun = Instant::now();
        let mut process = command.spawn()?;
        let answering = until_it_listens(&mut process, address);
        let answering = match answering {
            Ok(()) => operator(data.path()).await,
            Err(failure) => Err(failure),
        };
        let mut channel = Channel::to(address);
        if let Ok(credential) = &answering {
            channel = channel.with_credential(credential.clone());
        }
        let client = SchedulingClient::new(channel);
        let watching = match answering {
            Ok(_) => client
                .watch(&WatchArgs::default())
                .await
                .map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match watching {
            Ok(watch) => {
                let (services, instances) = Default::default();
                Ok(Self {
                    client,
                    process,
                    watch,
                    services,
                    instances,
                    data,
                    begun,
                })
            }
            Err(failure) => {
                end(&mut process);
                let log = fs::read_to_string(data.path().join("log")).unwrap_or_default();
                Err(format!("scheduling did not start: {failure}\n{log}").into())
            }
        }
    }

    /// Asks it whatever it can be asked.
    pub(crate) fn scheduling(&self) -> SchedulingClient {
        self.client.clone()
    }

    /// The process id of `scheduling`.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// All instances that are known.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &InstanceInfo> {
        self.instances.values()
    }

    /// How many instances are wished for.
    pub(crate) fn wished(&self) -> u32 {
        self.services.values().map(|service| service.replicas).sum()
    }

    /// Waits until `found` finds what it looks for in the fleet.
    ///
    /// # Errors
    /// If that takes two minutes, or `scheduling` ends.
    pub(crate) async fn until<T>(
        &mut self,
        found: impl Fn(&Self) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found(self) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, self.watch.next()).await {
                Ok(Some(item)) => self.learn(item?),
                Ok(None) => return Err("scheduling ended its watch".into()),
                Err(_) => return Err(self.not_as_wished().into()),
            }
        }
    }

    /// Waits until all that is wished for is healthy.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub(crate) async fn until_healthy(&mut self) -> Result<(), Failure> {
        self.until(|fleet| {
            let healthy = fleet
                .instances()
                .filter(|i| i.state == InstanceState::Healthy)
                .count();
            let all = healthy == fleet.wished() as usize && !fleet.services.is_empty();
            all.then_some(())
        })
        .await
    }

    fn learn(&mut self, item: WatchItem) {
        if item.reset {
            self.services.clear();
            self.instances.clear();
        }
        self.services
            .extend(item.services.into_iter().map(|s| (s.name.clone(), s)));
        self.instances
            .extend(item.instances.into_iter().map(|i| (i.id.clone(), i)));
        self.services
            .retain(|name, _| !item.services_gone.contains(name));
        self.instances
            .retain(|id, _| !item.instances_gone.contains(id));
    }

    fn not_as_wished(&self) -> String {
        let unwell = self
            .instances()
            .filter(|i| i.state != InstanceState::Healthy);
        let lines: Vec<String> = unwell
            .map(|i| format!("{} is {}: {}", i.id, i.state, i.reason))
            .take(5)
            .collect();
        format!(
            "the fleet is not as wished after {PATIENCE:?}: {}",
            lines.join("; ")
        )
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !end(&mut self.process) {
            eprintln!(
                "warning: the fleet in {} had to be killed",
                self.data.path().display()
            );
        }
    }
}

fn until_it_listens(process: &mut Child, address: SocketAddr) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if let Some(status) = process.try_wait()? {
            return Err(format!("it ended ({status})").into());
        }
        if Instant::now() > deadline {
            return Err(format!("nothing listens on {address} after {PATIENCE:?}").into());
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Asks `scheduling` to end with all of its fleet; whether it did.
fn end(process: &mut Child) -> bool {
    if let Some(id) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        // Fails only for a process that is gone already.
        let _ = kill_process(id, Signal::TERM);
    }
    let deadline = Instant::now() + END_MAX;
    while Instant::now() < deadline {
        if matches!(process.try_wait(), Ok(Some(_))) {
            return true;
        }
        sleep(LOOK_EVERY);
    }
    let _ = process.kill();
    let _ = process.wait();
    false
}

/// The operator's token, as soon as the fleet has left it in its data folder.
async fn operator(data: &Path) -> Result<Credential, Failure> {
    let path = data.join(chassis::trust::OPERATOR_TOKEN);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match chassis::trust::read_token(&path) {
            Ok(token) => return Ok(Credential::new(token)),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}
