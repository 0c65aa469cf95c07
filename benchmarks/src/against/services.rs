//! Real programs for a benchmark: ours and others', each on a port of its own, ended with it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// How long a program may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds our programs as they are shipped, and says in which folder they are.
///
/// # Errors
/// They do not build.
pub(crate) fn build(packages: &[&str]) -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--bins"]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    if !cargo.status()?.success() {
        return Err("the programs do not build".into());
    }
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .nth(2)
        .ok_or("this program is in no target folder")?;
    Ok(target.join("release"))
}

/// A port that was free a moment ago.
///
/// # Errors
/// There is none.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// A program that listens; it is killed when this is dropped.
pub(crate) struct Program {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts it and waits until it listens at this address.
    ///
    /// # Errors
    /// It cannot be started, or does not listen in time.
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> Result<Self, Failure> {
        let name = command.get_program().to_string_lossy().into_owned();
        let quiet = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = quiet
            .spawn()
            .map_err(|e| format!("{name}: {e}; `apt-get install` it"))?;
        let program = Self { process, address };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen at {address}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(program)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first line of what a program says of its version.
pub(crate) fn version(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or("not found").trim().to_owned()
}
