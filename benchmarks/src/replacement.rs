//! replacement: from `kill -9` of an instance to the first call that its replacement answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rpc::{BuiltinClient, CallOptions, Channel, Empty};
use rustix::process::{Pid, Signal, kill_process};
use scheduling::{InstanceInfo, InstanceState};

use crate::Failure;
use crate::fleet::{Fleet, Programs, Wish};
use crate::report::{Section, table};
use crate::units::{median, micros};

const SERVICE: &str = "echo";
/// The target, and what it aims at, in microseconds.
const TARGET_US: f64 = 50e3;
const AIM_US: f64 = 15e3;

/// Kills each of 20 instances of echo once, in a fleet that has all other services too.
///
/// # Errors
/// If an instance is not replaced.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let kills = if quick { 5 } else { 20 };
    let programs = Programs::build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let environment = vec![("ECHO_REPLICAS", kills.to_string())];
        let mut fleet = Fleet::start(
            &programs,
            Wish {
                specs: None,
                environment,
            },
        )
        .await?;
        fleet.until_healthy().await?;
        let (mut answers_us, mut healthy_us) = (Vec::new(), Vec::new());
        for index in 0..kills {
            eprintln!("replacement: {} of {kills}", index + 1);
            let (answers, healthy) = kill_one(&mut fleet, index).await?;
            answers_us.push(answers.as_secs_f64() * 1e6);
            healthy_us.push(healthy.as_secs_f64() * 1e6);
            fleet.until_healthy().await?;
        }
        Ok(section(&[
            ("answers a call", answers_us),
            ("and counts as healthy", healthy_us),
        ]))
    })
}

/// Kills the instance `index`; how long until its replacement answers, and until it is healthy.
async fn kill_one(fleet: &mut Fleet, index: u32) -> Result<(Duration, Duration), Failure> {
    let is_it = |i: &&InstanceInfo| i.service == SERVICE && i.index == index;
    let old = fleet
        .instances()
        .filter(is_it)
        .max_by_key(|i| i.generation)
        .cloned();
    let old = old.ok_or_else(|| format!("there is no instance {index} of {SERVICE}"))?;
    let newer = |i: &&InstanceInfo| is_it(i) && i.generation > old.generation;
    let pid = old
        .pid
        .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let begun = Instant::now();
    kill_process(
        pid.ok_or_else(|| format!("{} has no process", old.id))?,
        Signal::KILL,
    )?;
    let new = fleet.until(|fleet| {
        let mut instances = fleet.instances().filter(newer);
        let new = instances.find(|i| i.pid.is_some())?;
        Some((new.pid?, new.address.clone()?))
    });
    let (pid, address) = new.await?;
    until_it_answers(address.parse()?, pid, begun).await?;
    let answers = begun.elapsed();
    fleet
        .until(|fleet| {
            let mut instances = fleet.instances().filter(newer);
            instances
                .find(|i| i.state == InstanceState::Healthy)
                .map(|_| ())
        })
        .await?;
    Ok((answers, begun.elapsed()))
}

/// Calls until process `pid` answers.
async fn until_it_answers(address: SocketAddr, pid: u32, begun: Instant) -> Result<(), Failure> {
    // Waits in the channel, which tries again, would be measured too: so, no more than one try.
    let options = CallOptions {
        timeout: Some(Duration::from_millis(500)),
        ..Default::default()
    };
    while begun.elapsed() < Duration::from_secs(30) {
        if std::net::TcpStream::connect(address).is_ok() {
            let client = BuiltinClient::new(Channel::to(address)).with(options.clone());
            if client
                .health(&Empty {})
                .await
                .is_ok_and(|health| health.pid == pid)
            {
                return Ok(());
            }
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Err(format!("process {pid} does not answer on {address}").into())
}

fn section(measured: &[(&str, Vec<f64>)]) -> Section {
    let mut rows = Vec::new();
    for (what, times_us) in measured {
        let mut times_us = times_us.clone();
        times_us.sort_by(f64::total_cmp);
        let middle = median(times_us.clone());
        let verdict = |least: f64| if middle < least { "pass" } else { "MISS" }.to_owned();
        rows.push(vec![
            (*what).to_owned(),
            micros(middle),
            micros(times_us[0]),
            micros(times_us[times_us.len() - 1]),
            verdict(TARGET_US),
            verdict(AIM_US),
        ]);
    }
    let header = [
        "replacement",
        "median",
        "fastest",
        "slowest",
        "under 50 ms",
        "under 15 ms",
    ];
    let kills = measured.first().map_or(0, |(_, times_us)| times_us.len());
    let body = format!(
        "{kills} instances of `{SERVICE}` in the default fleet, each killed once with SIGKILL. \
         Measured from the signal (profile `dev`).\n\n{}\n",
        table(&header, rows)
    );
    Section {
        name: "replacement",
        body,
    }
}
