//! For tests: the real binary of a service, on a port of its own, ended with the test.
//!
//! ```no_run
//! # async fn example() {
//! // In tests/interface.rs of a service: env!("CARGO_BIN_EXE_greeter").
//! let greeter = chassis::testing::Start::binary("target/debug/greeter").ready();
//! let health = greeter.builtin().health(&rpc::Empty {}).await;
//! # }
//! ```

mod marked;
mod operator;

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

pub use marked::{end_fleet, mark_of, processes_with};
pub use operator::Operator;

/// How long anything in a test may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// An address at which nobody listens.
const NOWHERE: &str = "127.0.0.1:1";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A process about to be started. It gets port 0 and a discovery that is not there, unless it is
/// told otherwise, none of the test's own `ORRERY_*` variables, and asks nobody for a token.
pub struct Start {
    command: Command,
}

impl Start {
    /// A binary, by its path.
    #[must_use]
    pub fn binary(path: &str) -> Self {
        let mut command = Command::new(path);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ORRERY_") {
                command.env_remove(name);
            }
        }
        command.env_remove("RUST_LOG");
        command.env("PORT", "0").env("ORRERY_DISCOVERY", NOWHERE);
        command.env("ORRERY_AUTH", "off");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self { command }
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.command.env(name, value.to_string());
        self
    }

    /// With this argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// Starts it and waits until it says that it is ready.
    ///
    /// # Panics
    /// If it is not ready in time; with what it said on stderr.
    #[must_use]
    pub fn ready(mut self) -> Process {
        let count = COUNT.fetch_add(1, Relaxed);
        let name = format!("orrery-test-{}-{count}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("an abstract socket");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a timeout");
        self.command.env("NOTIFY_SOCKET", format!("@{name}"));
        let started = Instant::now();
        let mut process = self.start();
        let deadline = started + PATIENCE;
        loop {
            if let Some(address) = read_ready(&socket) {
                process.address = address;
                process.ready_after = started.elapsed();
                return process;
            }
            let exited = process.child.try_wait().expect("a child to wait for");
            if exited.is_some() || Instant::now() > deadline {
                panic!("it did not get ready ({exited:?}):\n{}", process.stderr());
            }
        }
    }

    /// Starts it and waits for nothing.
    #[must_use]
    pub fn spawned(mut self) -> Process {
        self.start()
    }

    /// Starts it and waits until it has ended.
    ///
    /// # Panics
    /// If it does not end in time.
    #[must_use]
    pub fn ended(mut self) -> Ended {
        let mut process = self.start();
        let status = process.wait();
        Ended {
            status,
            stderr: process.stderr(),
        }
    }

    fn start(&mut self) -> Process {
        let mut child = self.command.spawn().expect("a binary that starts");
        let stderr = child.stderr.take().expect("stderr was piped");
        let lines = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&lines);
        let collector = thread::spawn(move || collect(stderr, &collected));
        Process {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            ready_after: Duration::ZERO,
            lines,
            collector: Some(collector),
        }
    }
}

fn collect(stderr: ChildStderr, lines: &Mutex<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut lines = lines.lock();
        lines.push_str(&line);
        lines.push('\n');
    }
}

/// The address in a message like `READY=1\nSTATUS=serving on 127.0.0.1:4711`.
fn read_ready(socket: &UnixDatagram) -> Option<SocketAddr> {
    let mut bytes = [0; 1024];
    let length = match socket.recv(&mut bytes) {
        Ok(length) => length,
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
        Err(e) => panic!("the readiness socket broke: {e}"),
    };
    let message = std::str::from_utf8(&bytes[..length]).ok()?;
    let mut lines = message.lines();
    lines.clone().find(|line| *line == "READY=1")?;
    let address = lines.find_map(|line| line.strip_prefix("STATUS=serving on "))?;
    address.parse().ok()
}

/// A process that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it said.
    pub stderr: String,
}

/// A process that runs; it is killed with the end of the test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    ready_after: Duration,
    lines: Arc<Mutex<String>>,
    collector: Option<thread::JoinHandle<()>>,
}

impl Process {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How long it took from its start to its readiness.
    #[must_use]
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// What it has said on stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.lines.lock().clone()
    }

    /// Waits until it has said this on stderr.
    ///
    /// # Panics
    /// If it does not say so in time.
    pub fn says(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.stderr().contains(words) {
            let missing = format!("it does not say `{words}`:\n{}", self.stderr());
            assert!(Instant::now() < deadline, "{missing}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// A channel to it.
    #[must_use]
    pub fn channel(&self) -> rpc::Channel {
        rpc::Channel::to(self.address)
    }

    /// A client of its built-in procedures.
    #[must_use]
    pub fn builtin(&self) -> rpc::BuiltinClient {
        rpc::BuiltinClient::new(self.channel())
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a process to send a signal to");
    }

    /// Kills it, and waits for its end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Asks it to end with SIGTERM, and waits for that.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "it does not end:\n{}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(2));
        };
        // Its last words are all there when the collector has ended.
        if let Some(collector) = self.collector.take() {
            collector.join().expect("a collector that does not panic");
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stderr of process {}:\n{}", self.pid(), self.stderr());
        }
    }
}

/// An address of this machine that is free now, for a server that is to come back at the same one.
/// It lies below the range from which the kernel takes ports, so that nobody who calls it while
/// nobody is there can get that very port and meet itself.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn fixed_address() -> SocketAddr {
    let first = std::process::id() % 10_000;
    (0..1_000)
        .map(|_| first + COUNT.fetch_add(7, Relaxed))
        .map(|n| SocketAddr::from(([127, 0, 0, 1], 20_000 + (n % 10_000) as u16)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port from 20000 to 29999")
}

/// What holds for every service: it starts on port 0, says who it is and that it is healthy,
/// answers probes over HTTP on the same port, and ends with 0 when it is asked to.
///
/// # Panics
/// If that does not hold.
pub async fn check_uniform_service(binary: &str, name: &str, system_address: &str) {
    let parsed: Result<SocketAddr, _> = system_address.parse();
    assert!(
        parsed.is_ok_and(|address| address.ip().is_loopback()),
        "{system_address}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::binary(binary).env("ORRERY_DATA", folder.path().display());
    let mut process = start.ready();
    let builtin = process.builtin();
    let health = builtin
        .health(&rpc::Empty {})
        .await
        .expect("an answer of HEALTH");
    assert_eq!(health.name, name);
    assert_eq!(health.state, rpc::HealthState::Serving);
    assert_eq!(health.pid, process.pid());
    let description = builtin
        .describe(&rpc::Empty {})
        .await
        .expect("an answer of DESCRIBE");
    assert_eq!(description.name, name);
    assert_eq!(description.version, health.version);
    let metrics = builtin
        .metrics(&rpc::Empty {})
        .await
        .expect("an answer of METRICS");
    assert!(
        metrics.text.contains("process_resident_memory_bytes "),
        "{}",
        metrics.text
    );
    for (path, words) in [
        ("/livez", "ok"),
        ("/readyz", "ok"),
        ("/metrics", "rpc_calls_total"),
    ] {
        let (status, body) = http_get(process.address(), path).await;
        assert_eq!(status, 200, "{path}: {body}");
        assert!(body.contains(words), "{path}: {body}");
    }
    drop(builtin);
    assert_eq!(process.terminate().code(), Some(0), "{}", process.stderr());
}

/// Makes a plain HTTP request; returns status and body.
///
/// # Panics
/// If there is no answer.
pub async fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let talk = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, talk)
        .await
        .expect("an answer in time");
    let answer = answer.expect("an answer over HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}

/// The binary of another package of this workspace, built if need be, in the profile of the test.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn workspace_binary(package: &str) -> String {
    workspace_binaries().join(package).display().to_string()
}

/// Where the binaries of this workspace are: built if need be, in the profile of the test.
///
/// `cargo xtask test` built them before the first test, and says so in `XTASK_BUILT`.
///
/// # Panics
/// If they do not build.
#[must_use]
pub fn workspace_binaries() -> &'static Path {
    // Cargo is asked once in a process, because it may have to wait for whoever else builds.
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // The test itself is target/<profile>/deps/<name>.
        let test = std::env::current_exe().expect("a path of this test");
        let profile = test.ancestors().nth(2).expect("a folder of binaries");
        if std::env::var_os("XTASK_BUILT").is_none() {
            build(profile);
        }
        profile.to_owned()
    })
}

fn build(profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // All, as `cargo xtask test` builds them: a part has other features, and is built once more.
    build.args(["build", "--quiet", "--workspace", "--bins", "--target-dir"]);
    build.arg(profile.parent().expect("a folder of profiles"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    // What Cargo told this test about its package would have build scripts run anew.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    let built = build.stdin(Stdio::null()).output().expect("cargo");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(
        built.status.success(),
        "the workspace does not build:\n{errors}"
    );
}
