//! instances: 1,000 instances of a trivial program under one `scheduling`.

use std::time::Duration;

use crate::fleet::{Fleet, Programs, Wish};
use crate::idle::resident_bytes;
use crate::report::{Section, table};
use crate::units::to_f64;
use crate::{Failure, cpu};

const INSTANCES: u32 = 1_000;
const INSTANCES_QUICK: u32 = 100;
/// How long the fleet is watched doing nothing.
const STILL: Duration = Duration::from_secs(5);

/// What one fleet of sleepers came to.
struct Found {
    converged: Duration,
    resident_bytes: u64,
    /// CPU time of `scheduling` in a second in which nothing happens, in milliseconds.
    still_cpu_ms: f64,
}

/// Weighs `scheduling` with one instance and with many.
///
/// # Errors
/// If they do not all run.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let count = if quick { INSTANCES_QUICK } else { INSTANCES };
    let programs = Programs::build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let one = runtime.block_on(run(&programs, 1))?;
    let many = runtime.block_on(run(&programs, count))?;
    let grown = many.resident_bytes.saturating_sub(one.resident_bytes);
    let each_kib = to_f64(grown) / f64::from(count - 1) / 1024.0;
    let row = |count: u32, found: &Found, each: String| {
        vec![
            count.to_string(),
            format!("{:.2} s", found.converged.as_secs_f64()),
            format!(
                "{:.1} MiB",
                to_f64(found.resident_bytes) / f64::from(1 << 20)
            ),
            each,
            format!("{:.2} ms/s", found.still_cpu_ms),
        ]
    };
    let rows = vec![
        row(1, &one, String::new()),
        row(count, &many, format!("{each_kib:.1} KiB")),
    ];
    let header = [
        "instances",
        "until all run",
        "scheduling's memory",
        "per instance",
        "CPU when still",
    ];
    let body = format!(
        "`sleep 1000000`, so many times, without probes (profile `dev`). From the execution of \
         `scheduling` until all run; memory is its resident set then.\n\n{}\n",
        table(&header, rows)
    );
    Ok(Section {
        name: "instances",
        body,
    })
}

async fn run(programs: &Programs, count: u32) -> Result<Found, Failure> {
    eprintln!("instances: {count}");
    let specs = format!(
        "name = \"sleeper\"\nreplicas = {count}\n\
         ports = {{ wanted = false }}\n\
         artifact = {{ command = {{ program = \"sleep\", args = [\"1000000\"] }} }}\n\
         probes = {{ readiness = {{ kind = \"none\" }}, liveness = {{ kind = \"none\" }} }}\n"
    );
    let mut fleet = Fleet::start(
        programs,
        Wish {
            specs: Some(specs),
            environment: Vec::new(),
        },
    )
    .await?;
    fleet.until_healthy().await?;
    let converged = fleet.begun.elapsed();
    let resident_bytes = resident_bytes(fleet.id())?;
    let before_ns = cpu::used_ns(fleet.id())?;
    tokio::time::sleep(STILL).await;
    let used_ns = cpu::used_ns(fleet.id())? - before_ns;
    let still_cpu_ms = to_f64(used_ns) / 1e6 / STILL.as_secs_f64();
    Ok(Found {
        converged,
        resident_bytes,
        still_cpu_ms,
    })
}
