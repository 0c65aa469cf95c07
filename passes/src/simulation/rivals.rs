//! Simpler schedulers for the same day: what ours has to be better than.
//!
//! They see the same machines without any headroom, and they too leave out what is late already,
//! which flatters them.

use std::collections::{BTreeMap, BTreeSet};

use crate::scheduler::{Machine, PassWindowJob, ResourceRequest};

use super::Options;
use super::world::{DAY, machines};

/// In which order a rival tries what waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Who came first.
    Fifo,
    /// Whose deadline is first.
    Deadline,
}

/// How many of the jobs of each class are done in time, each on the first machine that has room.
pub(crate) fn in_time(order: Order, options: &Options, jobs: &[PassWindowJob]) -> [u64; 3] {
    let mut machines: Vec<Machine> = machines(options.machines).collect();
    let mut waiting: BTreeMap<(u64, u64), &PassWindowJob> = BTreeMap::new();
    let mut ends: BTreeSet<(u64, u64, usize)> = BTreeSet::new();
    let mut coming = jobs.iter().peekable();
    let (mut done, mut now_ms) = ([0; 3], 0);
    while now_ms < DAY || !waiting.is_empty() {
        now_ms += options.tick_ms.max(1);
        while let Some(job) = coming.next_if(|job| job.submitted_at < now_ms) {
            let key = match order {
                Order::Fifo => job.submitted_at,
                Order::Deadline => job.deadline,
            };
            waiting.insert((key, job.id), job);
        }
        while let Some(&end) = ends.first().filter(|end| end.0 <= now_ms) {
            ends.remove(&end);
            let machine = &mut machines[end.2];
            machine.used = machine.used.minus(&jobs[end.1 as usize].req);
        }
        let mut hopeless: Vec<(&[String], ResourceRequest)> = Vec::new();
        waiting.retain(|_, job| {
            if now_ms + job.estimated_runtime > job.deadline {
                return false;
            }
            let like = (job.required_tags.as_slice(), job.req);
            if hopeless.contains(&like) {
                return true;
            }
            let Some(place) = machines.iter().position(|machine| has_room(machine, job)) else {
                hopeless.push(like);
                return true;
            };
            machines[place].used = machines[place].used.plus(&job.req);
            ends.insert((now_ms + job.estimated_runtime, job.id, place));
            done[usize::from(job.priority_class)] += 1;
            false
        });
    }
    done
}

fn has_room(machine: &Machine, job: &PassWindowJob) -> bool {
    machine.used.plus(&job.req).fits(&machine.capacity)
        && job
            .required_tags
            .iter()
            .all(|tag| machine.tags.contains(tag))
}
