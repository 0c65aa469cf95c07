//! idle: what an open connection costs a server that has 10,000 of them, and does nothing.

use bytes::Bytes;
use clap::ValueEnum;
use hdrhistogram::Histogram;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::time::Instant;

use crate::Failure;
use crate::calls::LATENCY_NS_MAX;
use crate::child::{self, Server};
use crate::peers::{Connection, Role, VERSIONS};
use crate::report::{Section, table};
use crate::units::{micros, nanos, to_f64};

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
    latency: Histogram<u64>,
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
        "memory per connection",
        "time to open all",
        "a call then, p50",
        "p99",
        "slowest",
    ];
    let body = format!(
        "{count} open connections to one server, one call made on each, then nothing, then one on \
         each again. Memory is what the server's resident set grew by, by connection; the kernel's \
         socket buffers are not in it.\n\n{VERSIONS}\n{}\n",
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
        let latency = call_on_each(&mut connections).await?;
        let per_connection_bytes = to_f64(grown) / to_f64(count as u64);
        Ok(Found {
            role,
            per_connection_bytes,
            connect_s,
            latency,
        })
    })
}

/// How long a call takes, on one connection after the other, in nanoseconds.
async fn call_on_each(connections: &mut [Connection]) -> Result<Histogram<u64>, Failure> {
    let mut latency = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)?;
    for connection in connections.iter_mut() {
        let begun = Instant::now();
        connection.call(PAYLOAD).await?;
        latency.saturating_record(nanos(begun.elapsed()));
    }
    Ok(latency)
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
            micros(to_f64(self.latency.value_at_quantile(0.5)) / 1e3),
            micros(to_f64(self.latency.value_at_quantile(0.99)) / 1e3),
            micros(to_f64(self.latency.max()) / 1e3),
        ]
    }
}
