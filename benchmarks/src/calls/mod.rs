//! rpc: calls per second and latency of one connection, ours beside raw frames and two peers.
//!
//! Two processes over the loopback, each with one thread. On one core, calls per second are the
//! inverse of all the CPU a call costs, both ends and the kernel; on two cores, each end has one
//! of its own and waking across them shows.

#[cfg(feature = "peers")]
mod grpc;
mod load;
mod ours;
mod raw;
mod tables;
#[cfg(feature = "peers")]
mod tarpc;

use std::net::SocketAddr;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;

use self::load::Outcome;
use self::tables::{Results, Round};
use crate::child::{Role, Server};
use crate::report::Section;
use crate::units::bytes as size;
use crate::{Failure, cpu};

#[cfg(feature = "peers")]
const ROLES: &[Role] = &[Role::Raw, Role::Ours, Role::Tonic, Role::Tarpc];
#[cfg(not(feature = "peers"))]
const ROLES: &[Role] = &[Role::Raw, Role::Ours];

/// What is measured of a connection: so many bytes, so many calls in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    payload_bytes: usize,
    in_flight: usize,
}

/// How much is measured, and for how long.
struct Plan {
    payloads_bytes: &'static [usize],
    rounds: usize,
    lasting: Duration,
}

const FULL: Plan = Plan {
    payloads_bytes: &[64, 1 << 10, 64 << 10],
    rounds: 7,
    lasting: Duration::from_millis(300),
};
const QUICK: Plan = Plan {
    payloads_bytes: &[64],
    rounds: 5,
    lasting: Duration::from_millis(150),
};

/// Serves one of the roles.
pub(crate) async fn serve(role: Role, listener: TcpListener) -> Result<(), Failure> {
    match role {
        Role::Raw => raw::serve(listener).await,
        Role::Ours => ours::serve(listener).await,
        #[cfg(feature = "peers")]
        Role::Tonic => grpc::serve(listener).await,
        #[cfg(feature = "peers")]
        Role::Tarpc => tarpc::serve(listener).await,
        #[cfg(not(feature = "peers"))]
        Role::Tonic | Role::Tarpc => Err("built without the feature `peers`".into()),
    }
}

/// Measures all points, on one core and, if there are two, on two.
///
/// # Errors
/// If a server does not start or a call fails.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let plan = if quick { QUICK } else { FULL };
    let mut body = tables::versions();
    let one_core = apart(0, 0, &plan)?;
    body += &tables::of_layout("both ends on one core", &one_core);
    body += &tables::targets(&one_core);
    if available_parallelism()?.get() > 1 {
        body += &tables::of_layout("client and server on a core each", &apart(0, 1, &plan)?);
    }
    Ok(Section { name: "rpc", body })
}

/// [`on_cores`] on a thread of its own, so that this one stays free to run anywhere.
fn apart(client: usize, server: usize, plan: &Plan) -> Result<Results, Failure> {
    thread::scope(|scope| {
        let measuring = scope.spawn(|| on_cores(client, server, plan));
        measuring
            .join()
            .unwrap_or_else(|_| Err("the measuring thread panicked".into()))
    })
}

/// All points with the client on one core and the server on another, or the same.
fn on_cores(client: usize, server: usize, plan: &Plan) -> Result<Results, Failure> {
    cpu::stay_on(client)?;
    let start = |role: &Role| Ok((*role, Server::start(*role, server)?));
    let servers: Vec<(Role, Server)> = ROLES.iter().map(start).collect::<Result<_, Failure>>()?;
    let mut results = Results::default();
    for &payload_bytes in plan.payloads_bytes {
        for in_flight in [1, 64, 512] {
            let point = Point {
                payload_bytes,
                in_flight,
            };
            eprintln!(
                "rpc: cores {client} and {server}, {}, {in_flight} in flight",
                size(payload_bytes)
            );
            for _ in 0..plan.rounds {
                for (role, server) in &servers {
                    results.push(one_round(*role, server, point, plan.lasting)?);
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
    let before_ns = cpu::used_ns(server.id())?;
    let outcome = runtime
        .block_on(closed_loop(role, server.address, point, lasting))
        .map_err(|e| format!("{role:?} with {point:?} failed: {e}"))?;
    let used_ns = cpu::used_ns(server.id())? - before_ns;
    Ok(Round {
        role,
        point,
        outcome,
        server_cpu_ns: used_ns,
    })
}

async fn closed_loop(
    role: Role,
    address: SocketAddr,
    point: Point,
    lasting: Duration,
) -> Result<Outcome, Failure> {
    let payload = Bytes::from(vec![7; point.payload_bytes]);
    let depth = point.in_flight;
    match role {
        Role::Raw => raw::closed_loop(address, depth, payload, lasting).await,
        Role::Ours => load::closed_loop(ours::connect(address), depth, payload, lasting).await,
        #[cfg(feature = "peers")]
        Role::Tonic => {
            load::closed_loop(grpc::connect(address).await?, depth, payload, lasting).await
        }
        #[cfg(feature = "peers")]
        Role::Tarpc => {
            load::closed_loop(tarpc::connect(address).await?, depth, payload, lasting).await
        }
        #[cfg(not(feature = "peers"))]
        Role::Tonic | Role::Tarpc => Err("built without the feature `peers`".into()),
    }
}
