//! rpc: calls per second and latency of one connection, ours beside raw frames and two peers.
//!
//! Two processes over the loopback, each with one thread. On one core, calls per second are the
//! inverse of all the CPU a call costs, both ends and the kernel; on two cores, each end has one
//! of its own and waking across them shows.

mod load;
mod open;
mod tables;

use std::fmt;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;

pub(crate) use self::load::{Caller, LATENCY_NS_MAX, Meter, Outcome, Work, closed_loop};
pub(crate) use self::open::{Schedule, open_loop};
use self::tables::{Results, Round};
use crate::child::Server;
use crate::peers::{Role, VERSIONS};
use crate::report::Section;
use crate::units::bytes as size;
use crate::{Failure, cpu};

/// What is measured of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// So many calls in flight.
    Closed {
        payload_bytes: usize,
        in_flight: usize,
    },
    /// So many calls a second.
    Open {
        payload_bytes: usize,
        per_second: u32,
    },
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed {
                payload_bytes,
                in_flight,
            } => {
                write!(f, "{}, {in_flight} in flight", size(*payload_bytes))
            }
            Self::Open {
                payload_bytes,
                per_second,
            } => write!(
                f,
                "{}, {per_second} a second whatever comes back; latency from when a call was due",
                size(*payload_bytes)
            ),
        }
    }
}

impl Point {
    fn work(self, lasting: Duration) -> Work {
        let payload = |bytes| Bytes::from(vec![7; bytes]);
        match self {
            Self::Closed {
                payload_bytes,
                in_flight,
            } => Work::Closed {
                in_flight,
                payload: payload(payload_bytes),
                lasting,
            },
            Self::Open {
                payload_bytes,
                per_second,
            } => Work::Open {
                per_second,
                payload: payload(payload_bytes),
                lasting,
            },
        }
    }
}

/// How much is measured, and for how long.
struct Plan {
    payloads_bytes: &'static [usize],
    rounds: usize,
    lasting: Duration,
}

const FULL: Plan = Plan {
    payloads_bytes: &[64, 1 << 10, 64 << 10],
    rounds: 9,
    lasting: Duration::from_millis(250),
};
const QUICK: Plan = Plan {
    payloads_bytes: &[64],
    rounds: 5,
    lasting: Duration::from_millis(150),
};

impl Plan {
    fn closed(&self) -> Vec<Point> {
        let payloads = self.payloads_bytes.iter();
        let point = |payload_bytes, in_flight| Point::Closed {
            payload_bytes,
            in_flight,
        };
        payloads
            .flat_map(|&bytes| [1, 64, 512].map(|in_flight| point(bytes, in_flight)))
            .collect()
    }
}

/// Measures all points, on one core and, if there are two, on two.
///
/// # Errors
/// If a server does not start or a call fails.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let plan = if quick { QUICK } else { FULL };
    let one_core = apart(0, 0, &plan, &plan.closed())?;
    let mut body = VERSIONS.to_owned();
    body += &tables::of_layout("both ends on one core", &one_core);
    body += &tables::targets(&one_core);
    if available_parallelism()?.get() > 1 {
        let mut points = plan.closed();
        points.push(Point::Open {
            payload_bytes: 64,
            per_second: 20_000,
        });
        let two_cores = apart(0, 1, &plan, &points)?;
        body += &tables::of_layout("client and server on a core each", &two_cores);
    }
    Ok(Section { name: "rpc", body })
}

/// [`on_cores`] on a thread of its own, so that this one stays free to run anywhere.
fn apart(client: usize, server: usize, plan: &Plan, points: &[Point]) -> Result<Results, Failure> {
    thread::scope(|scope| {
        let measuring = scope.spawn(|| on_cores(client, server, plan, points));
        measuring
            .join()
            .unwrap_or_else(|_| Err("the measuring thread panicked".into()))
    })
}

/// All points with the client on one core and the server on another, or the same.
fn on_cores(
    client: usize,
    server: usize,
    plan: &Plan,
    points: &[Point],
) -> Result<Results, Failure> {
    cpu::stay_on(client)?;
    let start = |role: &Role| Ok((*role, Server::start(*role, Some(server))?));
    let servers = Role::value_variants().iter().map(start);
    let servers: Vec<(Role, Server)> = servers.collect::<Result<_, Failure>>()?;
    let mut results = Results::default();
    for &point in points {
        eprintln!("rpc: cores {client} and {server}, {point}");
        for number in 0..plan.rounds {
            for (role, server) in &servers {
                match one_round(*role, server, point, plan.lasting) {
                    Ok(round) => results.push(number, round),
                    Err(e) if *role == Role::Ours => {
                        return Err(format!("ours failed at {point}: {e}").into());
                    }
                    Err(e) => results.fail(*role, point, &e.to_string()),
                }
            }
        }
    }
    Ok(results)
}

/// One measurement, on a new connection and a new runtime.
fn one_round(
    role: Role,
    server: &Server,
    point: Point,
    lasting: Duration,
) -> Result<Round, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (server_ns, client_ns) = (
        cpu::used_ns(server.id())?,
        cpu::used_ns(std::process::id())?,
    );
    let outcome = runtime.block_on(role.load(server.address, point.work(lasting)))?;
    Ok(Round {
        role,
        point,
        server_cpu_ns: cpu::used_ns(server.id())? - server_ns,
        client_cpu_ns: cpu::used_ns(std::process::id())? - client_ns,
        outcome,
    })
}
