//! Whether, when and why a slot is started again.

use model::{
    Failure, Generation, Instance, InstanceState, RestartPolicy, ServiceSpec, Slot, Timestamp,
};

/// What follows the last instance of a slot.
pub(super) enum Next {
    Start {
        attempt: u32,
        not_before: Timestamp,
        why: String,
    },
    GiveUp {
        reason: String,
    },
}

pub(super) fn next(
    spec: &ServiceSpec,
    last: Option<&Instance>,
    forgiven: Generation,
    seed: u64,
) -> Next {
    let at_once = |why: String| Next::Start {
        attempt: 1,
        not_before: Timestamp(0),
        why,
    };
    let Some(last) = last else {
        return at_once("wanted".to_owned());
    };
    let why = format!("{} {}: {}", last.id, last.state, last.reason);
    let failure = match (&last.failure, last.state) {
        (Some(failure), InstanceState::Failed) => failure,
        _ => return at_once(why),
    };
    if last.id.generation <= forgiven || was_well(last, &spec.restart) {
        return at_once(why);
    }
    if let Failure::PortTaken { port, .. } = failure {
        return another_port(spec, last, *port, seed, why);
    }
    match verdict(&spec.restart, last, failure) {
        Err(reason) => Next::GiveUp { reason },
        Ok(attempt) => Next::Start {
            attempt,
            not_before: pause(&spec.restart, last, attempt, seed),
            why,
        },
    }
}

/// Whether it was healthy long enough for its end to be the first of a row.
fn was_well(last: &Instance, policy: &RestartPolicy) -> bool {
    let healthy = |since| last.since.since_ms(since) >= policy.reset_after_ms;
    last.healthy_since.is_some_and(healthy)
}

/// The number of the next start in a row, or why there is none.
fn verdict(policy: &RestartPolicy, last: &Instance, failure: &Failure) -> Result<u32, String> {
    if let Failure::NotStarted {
        retryable: false, ..
    } = failure
    {
        return Err(failure.to_string());
    }
    if last.attempt >= policy.attempts_max {
        let reason = format!("{} starts in a row: {failure}", last.attempt);
        return Err(with_last_lines(reason, failure));
    }
    Ok(last.attempt + 1)
}

fn with_last_lines(reason: String, failure: &Failure) -> String {
    match failure {
        Failure::Exited { last_lines, .. } | Failure::NotReady { last_lines, .. }
            if !last_lines.is_empty() =>
        {
            format!("{reason}; last lines:\n{}", last_lines.join("\n"))
        }
        _ => reason,
    }
}

/// A dynamic port is simply exchanged for another one. A well-known port cannot be: it is tried
/// again for as long as it takes, because its holder may go at any time, and nothing was started.
fn another_port(spec: &ServiceSpec, last: &Instance, port: u16, seed: u64, why: String) -> Next {
    let policy = &spec.restart;
    let attempt = (last.attempt + 1).min(policy.attempts_max.max(1));
    let not_before = if spec.ports.well_known.contains(&port) {
        pause(policy, last, last.attempt + 1, seed)
    } else if last.attempt >= policy.attempts_max {
        return Next::GiveUp {
            reason: format!(
                "{} ports in a row were taken, the last: {}",
                last.attempt, why
            ),
        };
    } else {
        Timestamp(0)
    };
    Next::Start {
        attempt,
        not_before,
        why,
    }
}

fn pause(policy: &RestartPolicy, last: &Instance, attempt: u32, seed: u64) -> Timestamp {
    let pause_ms = backoff_ms(policy, &last.id.slot, attempt, seed);
    last.since.plus_ms(pause_ms)
}

/// The pause before start number `attempt` of a row, in milliseconds: none before the first two,
/// then `backoff_initial_ms` and twice as much each time, at most `backoff_max_ms`. Of that, the
/// upper half is jitter: a hash of seed, slot and attempt, so that slots that fell together do not
/// rise together, and that the same state gives the same plan.
#[must_use]
pub fn backoff_ms(policy: &RestartPolicy, slot: &Slot, attempt: u32, seed: u64) -> u64 {
    let Some(doublings) = attempt.checked_sub(3) else {
        return 0;
    };
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    let longest = policy
        .backoff_initial_ms
        .saturating_mul(factor)
        .min(policy.backoff_max_ms);
    let jitter_max = longest / 2;
    longest - hash(slot, attempt, seed) % (jitter_max + 1)
}

/// FNV-1a, finished with the mixer of splitmix64: FNV alone leaves the low bits regular.
fn hash(slot: &Slot, attempt: u32, seed: u64) -> u64 {
    let bytes = slot.service.as_str().bytes();
    let numbers = slot.index.to_le_bytes().into_iter();
    let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
    for byte in bytes.chain(numbers).chain(attempt.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
