//! What cannot be in time is refused when it comes, not when it is late.

use crate::{Profile, Work, short};

/// There is room for it before it is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// When it can start.
    pub start_ms: u64,
    /// When it has to start.
    pub latest_start_ms: u64,
}

/// Why work cannot be done before its deadline, and what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It takes longer than what is left.
    #[error("it had to start by {latest_start_ms}, {late_by_ms} ms before it came")]
    TooLate {
        /// The deadline less the time it takes; 0 if that would be before the beginning of time.
        latest_start_ms: u64,
        /// So much earlier it should have come, or so much later the deadline should be.
        late_by_ms: u64,
    },
    /// It would not fit even if nothing else ran.
    #[error("it needs {wanted} of resource {kind}, {short} more than there is")]
    TooBig {
        /// The first kind of which there is not enough.
        kind: usize,
        /// How much it needs.
        wanted: u64,
        /// How much is missing.
        short: u64,
    },
    /// What runs and what was promised leave no room in time.
    #[error(
        "it has to start by {latest_start_ms}, and there is room from {earliest_start_ms} on: \
         {short} of resource {kind} are missing"
    )]
    NoRoom {
        /// The deadline less the time it takes.
        latest_start_ms: u64,
        /// When there will be room for as long as it takes.
        earliest_start_ms: u64,
        /// The first kind of which there is not enough at the latest start, or, if there is enough
        /// then but not for long enough, at the first moment after it.
        kind: usize,
        /// How much is missing then.
        short: u64,
    },
}

/// Whether it can be done before its deadline, given what runs and what was promised.
///
/// # Errors
/// A [`Refusal`] that says what is missing.
pub fn admit(work: &Work, now_ms: u64, profile: &Profile) -> Result<Admission, Refusal> {
    let done_ms = now_ms.saturating_add(work.runtime_ms);
    if done_ms > work.deadline_ms {
        return Err(Refusal::TooLate {
            latest_start_ms: work.latest_start_ms().unwrap_or(0),
            late_by_ms: done_ms - work.deadline_ms,
        });
    }
    if let Some((kind, short)) = short(&work.demand, &profile.capacity()) {
        return Err(Refusal::TooBig {
            kind,
            wanted: work.demand[kind],
            short,
        });
    }
    let latest_start_ms = work.latest_start_ms().unwrap_or(0);
    let start = profile.earliest(&work.demand, work.runtime_ms, now_ms);
    // What is not larger than the whole has a place after the last commitment ended.
    let start_ms = start.unwrap_or(u64::MAX);
    if start_ms <= latest_start_ms {
        return Ok(Admission {
            start_ms,
            latest_start_ms,
        });
    }
    let (kind, short) = shortage(work, latest_start_ms, profile);
    Err(Refusal::NoRoom {
        latest_start_ms,
        earliest_start_ms: start_ms,
        kind,
        short,
    })
}

/// What is missing when it has to start, or at the first moment from then on.
fn shortage(work: &Work, start_ms: u64, profile: &Profile) -> (usize, u64) {
    let end_ms = start_ms.saturating_add(work.runtime_ms);
    let mut moments = profile.edges(start_ms, end_ms);
    moments.insert(0, start_ms);
    let missing = |at: u64| short(&work.demand, &profile.free(at));
    moments.into_iter().find_map(missing).unwrap_or((0, 0))
}
