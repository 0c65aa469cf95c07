//! From a plan to the jobs of its day.

use std::collections::BTreeMap;

use scheduling::Program;

use super::day::{Booked, Day};
use crate::{JobSpec, WhenLate};

/// What all jobs of a day have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What runs.
    pub program: Program,
    /// How long after its pass a job may end.
    pub grace_ms: u64,
    /// Thousandths of a core that each holds.
    pub cpu_millicores: u32,
    /// Mebibytes that each holds.
    pub memory_mb: u32,
    /// GPUs that each holds.
    pub gpu_count: u32,
}

/// A job for each contact: as long as its pass, due some time after it, on a node with the label
/// `station=NAME` (in small letters, blanks as `-`). Its environment says which pass it is. The key
/// is made of satellite, station and rise, so that submitting a day again is submitting it once.
#[must_use]
pub fn jobs(day: &Day, booked: &[Booked], template: &Template) -> Vec<JobSpec> {
    booked.iter().map(|one| job(day, one, template)).collect()
}

fn job(day: &Day, one: &Booked, template: &Template) -> JobSpec {
    let pass = one.sighting.pass;
    let station = &day.stations[one.sighting.station];
    let satellite = &day.sky.satellites[one.sighting.satellite];
    let place = word(&station.name);
    let moment = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let env = BTreeMap::from([
        ("ORRERY_SATELLITE".to_owned(), satellite.clone()),
        ("ORRERY_STATION".to_owned(), station.name.clone()),
        ("ORRERY_ANTENNA".to_owned(), (one.antenna + 1).to_string()),
        ("ORRERY_RISE_MS".to_owned(), pass.rise_ms.to_string()),
        ("ORRERY_SET_MS".to_owned(), pass.set_ms.to_string()),
    ]);
    JobSpec {
        key: format!("{}/{place}/{}", word(satellite), pass.rise_ms / 1_000),
        region: station.region.clone(),
        priority_class: 1,
        deadline_ms: moment(pass.set_ms).saturating_add(template.grace_ms),
        estimated_runtime_ms: moment(pass.set_ms - pass.rise_ms),
        cpu_millicores: template.cpu_millicores,
        memory_mb: template.memory_mb,
        gpu_count: template.gpu_count,
        required_tags: vec![format!("station={place}")],
        program: template.program.clone(),
        env,
        when_late: WhenLate::Stop,
    }
}

fn word(name: &str) -> String {
    name.to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join("-")
}
