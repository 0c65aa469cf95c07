//! How many decisions a second the scheduler makes, with 1 and with 2 workers:
//! `cargo run --release -p passes --example decisions`.
//!
//! All jobs wait, and there is room for all of them: one tick decides them. Best of five, because
//! the machine may have other work.

use std::sync::Arc;
use std::time::Instant;

use passes::scheduler::{
    Machine, MachineFleet, ManualClock, PassWindowJob, ResourceRequest, Scheduler,
};

const REGIONS: u32 = 8;
const JOBS: u64 = 50_000;

fn cores(quarters: u32) -> ResourceRequest {
    ResourceRequest {
        cpu_millicores: quarters * 250,
        memory_mb: quarters * 1_024,
        gpu_count: 0,
    }
}

fn scheduler(machines: u32, workers: usize) -> Scheduler {
    let mut fleet = MachineFleet::new();
    for index in 0..machines {
        let machine = Machine {
            id: format!("m-{index}"),
            region: format!("r-{}", index % REGIONS),
            capacity: cores(400_000 / machines),
            ..Machine::default()
        };
        // Their names are all different.
        fleet.add_machine(machine).ok();
    }
    Scheduler::new(fleet, workers, 15).with_clock(Arc::new(ManualClock::at(0)))
}

/// Seconds that one tick took, and how many jobs it placed.
fn tick(machines: u32, workers: usize) -> (f64, usize) {
    let mut scheduler = scheduler(machines, workers);
    for id in 0..JOBS {
        let job = PassWindowJob {
            id,
            region: format!("r-{}", id % u64::from(REGIONS)),
            priority_class: 1 + (id % 2) as u8,
            deadline: 86_400_000 + id % 1_009 * 1_000,
            estimated_runtime: 600_000,
            req: cores(1 + (id % 7) as u32),
            required_tags: Vec::new(),
            submitted_at: 0,
        };
        // There is room for all.
        scheduler.submit(job).ok();
    }
    let start = Instant::now();
    let placed = scheduler.tick().placed.len();
    (start.elapsed().as_secs_f64(), placed)
}

fn main() {
    println!("decisions a second; {JOBS} jobs wait, {REGIONS} regions\n");
    println!(
        "{:>9} {:>12} {:>12} {:>8}",
        "machines", "1 worker", "2 workers", "ratio"
    );
    for machines in [96, 1_000, 4_000, 16_000] {
        let best = |workers| {
            let runs = (0..5).map(|_| tick(machines, workers));
            let rates = runs.map(|(seconds, placed)| placed as f64 / seconds);
            rates.fold(0.0, f64::max)
        };
        let (one, two) = (best(1), best(2));
        println!("{machines:>9} {one:>12.0} {two:>12.0} {:>8.2}", two / one);
    }
}
