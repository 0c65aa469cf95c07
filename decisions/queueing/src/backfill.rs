//! Small work goes before large work that has to wait, without making it wait longer.

use crate::{Commitment, Profile, Work};

/// What one in the queue is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It starts now.
    Start(u64),
    /// It starts then at the latest, if all others take no longer than they said.
    Reserved(u64, u64),
    /// It waits, with no promise.
    Wait(u64),
}

/// Goes through a queue in its order, and starts what fits now. The first `reservations` that do
/// not fit are promised the earliest time at which they will; whatever comes after them starts only
/// if that promise holds.
///
/// One reservation is EASY backfilling (Lifka, 1995), as many as there is work is conservative
/// backfilling (Mu'alem and Feitelson, 2001). Work that is larger than the whole waits.
/// Each answer carries the work's id first. What starts and what is reserved is added to the
/// profile.
pub fn backfill(
    queue: &[Work],
    profile: &mut Profile,
    now_ms: u64,
    reservations: usize,
) -> Vec<Turn> {
    let mut left = reservations;
    let mut turns = Vec::with_capacity(queue.len());
    for work in queue {
        let earliest = profile.earliest(&work.demand, work.runtime_ms, now_ms);
        let (turn, start) = match earliest {
            Some(at) if at == now_ms => (Turn::Start(work.id), Some(at)),
            Some(at) if left > 0 => {
                left -= 1;
                (Turn::Reserved(work.id, at), Some(at))
            }
            _ => (Turn::Wait(work.id), None),
        };
        if let Some(from_ms) = start {
            profile.add(&Commitment {
                from_ms,
                until_ms: from_ms.saturating_add(work.runtime_ms),
                demand: work.demand,
            });
        }
        turns.push(turn);
    }
    turns
}
