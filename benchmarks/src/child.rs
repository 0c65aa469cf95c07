//! This program, once more, as the server of a benchmark.
//!
//! The child says its port on stdout and serves until its stdin closes, so that it cannot outlive
//! whoever started it, however that one ends.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::{Failure, calls, cpu};

/// What a child serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Length-delimited frames, sent back as they came: the ceiling.
    Raw,
    /// Our rpc.
    Ours,
    /// gRPC by tonic.
    Tonic,
    /// tarpc with bincode over TCP.
    Tarpc,
}

/// Serves `role` on a free port of the loopback, until stdin closes.
///
/// # Errors
/// If the port or the core cannot be had, or the server fails.
pub(crate) fn serve(role: Role, core: Option<usize>) -> Result<(), Failure> {
    if let Some(core) = core {
        cpu::stay_on(core)?;
    }
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
        calls::serve(role, listener).await
    })
}

/// A running child; it is killed and reaped when this is dropped.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server on `core`, and waits until it listens.
    ///
    /// # Errors
    /// If the program cannot start itself, or the child ends before it listens.
    pub(crate) fn start(role: Role, core: usize) -> Result<Self, Failure> {
        let name = role.to_possible_value().map(|v| v.get_name().to_owned());
        let mut process = Command::new(std::env::current_exe()?)
            .args([
                "--serve",
                &name.unwrap_or_default(),
                "--core",
                &core.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
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
