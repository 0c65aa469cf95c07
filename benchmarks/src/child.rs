//! This program, once more, as the server of a benchmark.
//!
//! The child says its port on stdout and serves until its stdin closes, so that it cannot outlive
//! whoever started it, however that one ends.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;

use crate::peers::Role;
use crate::{Failure, cpu};

/// Serves `role` on a free port of the loopback, until stdin closes.
///
/// # Errors
/// If the port or the core cannot be had, or the server fails.
pub(crate) fn serve(role: Role, core: Option<usize>) -> Result<(), Failure> {
    if let Some(core) = core {
        cpu::stay_on(core)?;
    }
    raise_file_limit();
    std::thread::spawn(|| {
        // Whether it ended or failed: the parent is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        role.serve(listener).await
    })
}

/// Lets this process have as many files open as it may have at most.
pub(crate) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused: then the limit stays, and whoever needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// A running child; it is killed and reaped when this is dropped.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server, on `core` or wherever the kernel likes, and waits until it listens.
    ///
    /// # Errors
    /// If the program cannot start itself, or the child ends before it listens.
    pub(crate) fn start(role: Role, core: Option<usize>) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve", &role.name()]);
        if let Some(core) = core {
            command.args(["--core", &core.to_string()]);
        }
        let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = streams.spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().parse();
        let address = address.map_err(|_| format!("the {role:?} server did not start"))?;
        Ok(Self { process, address })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either call fails only for a child that is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
