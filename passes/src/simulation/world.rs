//! The machines and the jobs of a day.
//!
//! 15 ground stations in 12 regions (three regions have two). Every machine is wired to one
//! station, and has 32 cores and 128 GiB; every sixth has four GPUs. Of the jobs, 5 % are alerts
//! (short, due within minutes), 70 % process a pass (on a machine that is wired to its station),
//! and 25 % are batch (long, due within hours, anywhere). 1,400 of them use 9 % of 90 machines.

use crate::scheduler::{Machine, MachineFleet, PassWindowJob, ResourceRequest};

use super::Options;

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) const STATIONS: usize = 15;

/// Where each station stands.
pub(crate) const REGIONS: [&str; 12] = [
    "svalbard",
    "tromso",
    "inuvik",
    "fairbanks",
    "punta-arenas",
    "troll",
    "hartebeesthoek",
    "mauritius",
    "dubai",
    "singapore",
    "awarua",
    "panama",
];

pub(crate) fn region_of(station: usize) -> usize {
    station % REGIONS.len()
}

pub(crate) fn tag_of(station: usize) -> String {
    format!(
        "station:{}-{}",
        REGIONS[region_of(station)],
        1 + station / REGIONS.len()
    )
}

pub(crate) const CORES: u32 = 32;

/// Which station a machine is wired to.
pub(crate) fn station_of(machine: u32) -> usize {
    machine as usize % STATIONS
}

pub(crate) fn machines(count: u32) -> impl Iterator<Item = Machine> {
    (0..count).map(|index| {
        let station = station_of(index);
        let gpus = if (index as usize / STATIONS).is_multiple_of(6) {
            4
        } else {
            0
        };
        Machine {
            id: format!("m-{index:05}"),
            region: REGIONS[region_of(station)].to_owned(),
            tags: [tag_of(station)].into(),
            capacity: request(4 * CORES, gpus),
            ..Machine::default()
        }
    })
}

pub(crate) fn fleet(count: u32) -> MachineFleet {
    let mut fleet = MachineFleet::new();
    for machine in machines(count) {
        // Their names are all different, and their sizes the same.
        fleet.add_machine(machine).ok();
    }
    fleet
}

/// With 1 GiB for each quarter of a core.
fn request(quarters: u32, gpu_count: u32) -> ResourceRequest {
    ResourceRequest {
        cpu_millicores: quarters * 250,
        memory_mb: quarters * 1_024,
        gpu_count,
    }
}

/// Random numbers from a seed (SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }
}

/// All jobs of the day in the order in which they come; a job's id is its place in it.
pub(crate) fn jobs(options: &Options) -> Vec<PassWindowJob> {
    let mut dice = Dice(options.seed);
    let mut jobs: Vec<PassWindowJob> = (0..options.jobs).map(|_| job(&mut dice)).collect();
    jobs.sort_by_key(|job| job.submitted_at);
    for (id, job) in (0..).zip(&mut jobs) {
        job.id = id;
    }
    jobs
}

fn job(dice: &mut Dice) -> PassWindowJob {
    let submitted_at = dice.between(0, DAY - 1);
    let station = dice.between(0, STATIONS as u64 - 1) as usize;
    let mut job = PassWindowJob {
        id: 0,
        region: REGIONS[region_of(station)].to_owned(),
        priority_class: 1,
        deadline: 0,
        estimated_runtime: 0,
        req: ResourceRequest::default(),
        required_tags: Vec::new(),
        submitted_at,
    };
    let slack = match dice.between(0, 99) {
        0..5 => {
            job.priority_class = 0;
            job.req = request(8, 0);
            job.estimated_runtime = dice.between(2 * MINUTE, 5 * MINUTE);
            2 * MINUTE
        }
        5..75 => {
            let gpus = u32::from(dice.between(0, 19) == 0);
            job.required_tags = vec![tag_of(station)];
            job.req = request(dice.between(4, 32) as u32, gpus);
            job.estimated_runtime = dice.between(20 * MINUTE, 60 * MINUTE);
            dice.between(5 * MINUTE, 45 * MINUTE)
        }
        _ => {
            job.priority_class = 2;
            job.req = request(dice.between(8, 40) as u32, 0);
            job.estimated_runtime = dice.between(HOUR, 2 * HOUR);
            dice.between(2 * HOUR, 10 * HOUR)
        }
    };
    job.deadline = submitted_at + job.estimated_runtime + slack;
    job
}
