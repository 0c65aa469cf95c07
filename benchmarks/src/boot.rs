//! boot: from the execution of `scheduling` to a fleet of which every instance is healthy.

use rpc::{BuiltinClient, Channel, Empty};

use crate::Failure;
use crate::fleet::{Fleet, Programs, Wish};
use crate::report::{Section, table};
use crate::units::{median, micros};

/// The target, and what it aims at, in microseconds.
const TARGET_US: f64 = 1e6;
const AIM_US: f64 = 300e3;

/// Boots the default fleet so many times, each time with no state.
///
/// # Errors
/// If a fleet does not become healthy.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let rounds = if quick { 3 } else { 15 };
    let programs = Programs::build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut times_us = Vec::new();
    let mut wished = 0;
    for round in 1..=rounds {
        eprintln!("boot: {round} of {rounds}");
        let mut fleet = runtime.block_on(Fleet::start(&programs, Wish::default()))?;
        runtime.block_on(fleet.until_healthy())?;
        times_us.push(fleet.begun.elapsed().as_secs_f64() * 1e6);
        wished = fleet.wished();
        runtime.block_on(ask_all(&fleet))?;
    }
    Ok(section(times_us, wished))
}

/// Asks every instance: what is said to be healthy has to answer.
async fn ask_all(fleet: &Fleet) -> Result<(), Failure> {
    for instance in fleet.instances() {
        let address = instance.address.as_deref().unwrap_or_default();
        let client = BuiltinClient::new(Channel::to(address.parse()?));
        let health = client.health(&Empty {}).await;
        let health = health.map_err(|e| format!("{} does not answer: {e}", instance.id))?;
        if Some(health.pid) != instance.pid {
            return Err(format!("process {} answers for {}", health.pid, instance.id).into());
        }
    }
    Ok(())
}

fn section(mut times_us: Vec<f64>, wished: u32) -> Section {
    times_us.sort_by(f64::total_cmp);
    let verdict = |least: f64| {
        if median(times_us.clone()) < least {
            "pass"
        } else {
            "MISS"
        }
    };
    let row = vec![
        wished.to_string(),
        micros(median(times_us.clone())),
        micros(times_us[0]),
        micros(times_us[times_us.len() - 1]),
        verdict(TARGET_US).to_owned(),
        verdict(AIM_US).to_owned(),
    ];
    let header = [
        "instances",
        "median",
        "fastest",
        "slowest",
        "under 1 s",
        "under 300 ms",
    ];
    let body = format!(
        "The default fleet, {} times, each with an empty data directory; all built before, \
         as `cargo run -p scheduling` builds it (profile `dev`). Measured from the execution of \
         `scheduling` until its watch says that all instances are healthy; then each is \
         asked.\n\n{}\n",
        times_us.len(),
        table(&header, vec![row])
    );
    Section { name: "boot", body }
}
