//! routing: what a call costs more when somebody else decides where it goes, beside HAProxy.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use echo::{EchoArgs, EchoClient};
use routing::{RouteArgs, RoutingClient};
use rpc::{Channel, Codec, Serializable as _};

use super::callers::{Caller, Found, round};
use super::services::{Program, build, free_address, version};
use crate::Failure;
use crate::report::{Section, table};
use crate::units::{median, micros, rate};

const BACKENDS: usize = 3;

fn hello() -> EchoArgs {
    EchoArgs {
        message: "0123456789abcdef0123456789abcdef0123456789abcdef".to_owned(),
    }
}

/// Straight to an echo, or to whatever stands before it and looks like one.
struct Direct {
    client: EchoClient,
    args: EchoArgs,
}

impl Caller for Direct {
    async fn call(&mut self, _: u64) -> Result<(), Failure> {
        self.client.echo(&self.args).await?;
        Ok(())
    }
}

/// Through `route`.
struct Routed {
    client: RoutingClient,
    args: RouteArgs,
}

impl Caller for Routed {
    async fn call(&mut self, _: u64) -> Result<(), Failure> {
        self.client.route(&self.args).await?;
        Ok(())
    }
}

fn direct(at: SocketAddr, callers: usize) -> Vec<Direct> {
    let one = |_| Direct {
        client: EchoClient::new(Channel::to(at)),
        args: hello(),
    };
    (0..callers).map(one).collect()
}

fn routed(at: SocketAddr, callers: usize, payload: &Bytes) -> Vec<Routed> {
    let one = |_| Routed {
        client: RoutingClient::new(Channel::to(at)),
        args: RouteArgs {
            service: echo::SYSTEM_NAME.to_owned(),
            procedure: echo::ECHO_PROCEDURE,
            payload: payload.clone(),
            json: false,
            idempotent: true,
            hedge: false,
            key: String::new(),
        },
    };
    (0..callers).map(one).collect()
}

struct Stage {
    echoes: Vec<Program>,
    haproxy: Program,
    routing: Program,
    _discovery: Program,
    _data: tempfile::TempDir,
}

fn stage() -> Result<Stage, Failure> {
    let folder = build(&["discovery", "echo", "routing"])?;
    let data = tempfile::tempdir()?;
    let start = |bin: &str, discovery: SocketAddr, instance: String, at: SocketAddr| {
        let mut command = Command::new(folder.join(bin));
        command
            .env("PORT", at.port().to_string())
            .env("ORRERY_LOG", "error");
        command.env("ORRERY_DISCOVERY", discovery.to_string());
        command
            .env("ORRERY_INSTANCE", instance)
            .env("ORRERY_DATA", data.path());
        Program::start(&mut command, at)
    };
    let at = free_address()?;
    let discovery = start("discovery", at, "discovery.0.1".to_owned(), at)?;
    let mut echoes = Vec::new();
    for n in 0..BACKENDS {
        echoes.push(start(
            "server_v1",
            at,
            format!("echo.{n}.1"),
            free_address()?,
        )?);
    }
    let routing = start("routing", at, "routing.0.1".to_owned(), free_address()?)?;
    let front = free_address()?;
    let servers = echoes.iter().enumerate();
    let servers = servers.map(|(n, echo)| format!("  server e{n} {}\n", echo.address));
    let config = format!(
        "global\n  maxconn 4096\n  nbthread 1\ndefaults\n  mode tcp\n  timeout connect 1s\n  \
         timeout client 60s\n  timeout server 60s\nlisten echo\n  bind {front}\n  balance \
         roundrobin\n{}",
        servers.collect::<String>()
    );
    let file = data.path().join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut haproxy = Command::new("haproxy");
    let haproxy = Program::start(haproxy.arg("-f").arg(&file).arg("-db"), front)?;
    Ok(Stage {
        echoes,
        haproxy,
        routing,
        _discovery: discovery,
        _data: data,
    })
}

/// Direct, through HAProxy and through `route`, in alternating rounds.
///
/// # Errors
/// A program cannot be started, or a call fails.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let (rounds, time) = if quick { (1, 1) } else { (5, 2) };
    let time = Duration::from_secs(time);
    let stage = stage()?;
    let mut payload = BytesMut::new();
    hello().encode(Codec::Bincode, &mut payload)?;
    let payload = payload.freeze();
    let mut rows = Vec::new();
    for callers in [1, 64] {
        let mut found = [Vec::new(), Vec::new(), Vec::new()];
        for number in 0..rounds {
            eprintln!("routing: {callers} callers, round {}", number + 1);
            found[0].push(round(direct(stage.echoes[0].address, callers), time)?);
            found[1].push(round(direct(stage.haproxy.address, callers), time)?);
            found[2].push(round(
                routed(stage.routing.address, callers, &payload),
                time,
            )?);
        }
        rows.extend(rows_of(callers, &found));
    }
    let header = [
        "",
        "calls/s",
        "p50",
        "p99",
        "added p99",
        "added x haproxy's",
    ];
    let body = format!(
        "Calls of 48 B to {BACKENDS} echoes: straight to one of them, through HAProxy in TCP mode \
         (one thread, round robin by connection), and through routing's `route` (one thread, a \
         decision for each call, with retries). Callers on one thread, each with a connection and \
         one call in flight. Goal: `route` adds no more p99 than HAProxy.\n\nPeer: {}.\n\n{}\n",
        version("haproxy", "-v"),
        table(&header, rows)
    );
    Ok(Section {
        name: "routing",
        body,
    })
}

fn rows_of(callers: usize, found: &[Vec<Found>; 3]) -> Vec<Vec<String>> {
    let middle = |all: &[Found], of: fn(&Found) -> f64| median(all.iter().map(of).collect());
    let added = |all: &[Found]| {
        let pairs = all.iter().zip(&found[0]);
        median(
            pairs
                .map(|(with, without)| with.p99_us - without.p99_us)
                .collect(),
        )
    };
    let names = ["direct", "haproxy", "route"];
    let haproxys = added(&found[1]).max(0.01);
    let row = |(name, all): (&str, &Vec<Found>)| {
        let (added_us, ratio) = match name {
            "direct" => (String::new(), String::new()),
            _ => (micros(added(all)), format!("{:.2}", added(all) / haproxys)),
        };
        vec![
            format!("{callers} callers, {name}"),
            rate(middle(all, |f| f.per_second)),
            micros(middle(all, |f| f.p50_us)),
            micros(middle(all, |f| f.p99_us)),
            added_us,
            ratio,
        ]
    };
    names.into_iter().zip(found).map(row).collect()
}
