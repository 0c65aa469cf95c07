//! idle: what an open connection costs a server that has 10,000 of them, and does nothing.

use bytes::Bytes;
use clap::ValueEnum;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::time::Instant;

use crate::Failure;
use crate::child::{self, Server};
use crate::peers::{Connection, Role, VERSIONS};
use crate::report::{Section, table};
use crate::units::{micros, to_f64};

const CONNECTIONS: usize = 10_000;
const CONNECTIONS_QUICK: usize = 1_000;
/// Files a process has open besides its connections.
const FILES_SPARE: u64 = 50;
const PAYLOAD: Bytes = Bytes::from_static(&[7; 64]);

/// What was found about one role.
struct Found {
    role: Role,
    per_connection_bytes: f64,
    connect_s: f64,
    /// All connections, each called once in turn.
    call_us: f64,
}

/// Opens the connections, calls once on each, and weighs the server.
///
/// # Errors
/// If a connection cannot be made or does not answer, at the beginning or after the others.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let count = if quick {
        CONNECTIONS_QUICK
    } else {
        CONNECTIONS
    };
    child::raise_file_limit();
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if files < count as u64 + FILES_SPARE {
        return Err(format!(
            "{count} connections need as many open files, allowed are {files}; \
            raise the hard limit (`ulimit -Hn`)"
        )
        .into());
    }
    let mut rows = Vec::new();
    for &role in Role::value_variants() {
        eprintln!("idle: {count} connections to {}", role.name());
        let found = weigh(role, count).map_err(|e| format!("{} failed: {e}", role.name()))?;
        rows.push(found.row());
    }
    let header = [
        "",
        "server memory per connection",
        "time to open all",
        "then one call on each",
    ];
    let body = format!(
        "{count} open connections to one server, one call made on each, then nothing. Memory is \
         what the server's resident set grew by, by connection; the kernel's socket buffers are \
         not in it. {VERSIONS}\n{}\n",
        table(&header, rows)
    );
    Ok(Section { name: "idle", body })
}

fn weigh(role: Role, count: usize) -> Result<Found, Failure> {
    let server = Server::start(role, None)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let before = resident_bytes(server.id())?;
        let begun = Instant::now();
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = role.connect(server.address).await?;
            connection.call(PAYLOAD).await?;
            connections.push(connection);
        }
        let connect_s = begun.elapsed().as_secs_f64();
        let grown = resident_bytes(server.id())?.saturating_sub(before);
        let call_us = call_on_each(&mut connections).await?;
        let per_connection_bytes = to_f64(grown) / to_f64(count as u64);
        Ok(Found {
            role,
            per_connection_bytes,
            connect_s,
            call_us,
        })
    })
}

/// The mean time of a call, made on one connection after the other, in microseconds.
async fn call_on_each(connections: &mut [Connection]) -> Result<f64, Failure> {
    let begun = Instant::now();
    for connection in connections.iter_mut() {
        connection.call(PAYLOAD).await?;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / to_f64(connections.len() as u64))
}

/// The resident set of a process.
///
/// # Errors
/// If it is gone.
pub(crate) fn resident_bytes(process: u32) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .unwrap_or_default()
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib << 10)
}

impl Found {
    fn row(self) -> Vec<String> {
        vec![
            self.role.name(),
            format!("{:.1} KiB", self.per_connection_bytes / 1024.0),
            format!("{:.2} s", self.connect_s),
            micros(self.call_us),
        ]
    }
}
