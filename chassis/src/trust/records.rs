//! What people do, on its way to the audit log.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use identity::{Call, Refusal};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::authority::{Holder, Kind};
use super::wire::RecordedCall;

/// Calls that wait for security to take them; it may be away for a while.
const WAITING_MAX: usize = 4_096;

/// Takes down what people call that changes something. What instances of the fleet do all day is
/// not recorded: what they do for somebody comes with that somebody's token.
pub(crate) struct Records {
    instance: String,
    calls: Sender<RecordedCall>,
    lost: AtomicU64,
}

impl Records {
    pub(crate) fn new(instance: &str) -> (Self, Receiver<RecordedCall>) {
        let (sender, receiver) = channel(WAITING_MAX);
        let records = Self {
            instance: instance.to_owned(),
            calls: sender,
            lost: AtomicU64::new(0),
        };
        (records, receiver)
    }

    /// Never waits: when nobody takes the records, they are counted, and the count is recorded.
    pub(crate) fn add(
        &self,
        holder: &Holder,
        call: &Call<'_>,
        allowed: Result<(), Refusal>,
        at_ms: u64,
    ) {
        if !call.writes || holder.kind != Kind::Person {
            return;
        }
        let record = |procedure: &str, verdict: String| RecordedCall {
            at_ms,
            caller: holder.name.clone(),
            service: call.service.to_owned(),
            instance: self.instance.clone(),
            procedure: procedure.to_owned(),
            subject: String::new(),
            verdict,
        };
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            let gap = record("*", format!("{lost} calls are not on record"));
            if self.calls.try_send(gap).is_err() {
                self.lost.fetch_add(lost, Relaxed);
            }
        }
        let verdict = allowed.map_or_else(Refusal::reason, |()| "allowed");
        if self
            .calls
            .try_send(record(call.procedure, verdict.to_owned()))
            .is_err()
        {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use identity::Token;

    use super::*;

    fn holder(kind: Kind) -> Holder {
        Holder {
            name: "ci (t-1)".to_owned(),
            kind,
            token: Token::default(),
        }
    }

    const SET: Call<'_> = Call {
        service: "configuration",
        procedure: "set",
        writes: true,
    };

    #[test]
    fn what_a_person_changes_is_taken_down_and_nothing_else_is() {
        let (records, mut calls) = Records::new("configuration.0.1");
        let person = holder(Kind::Person);
        let instance = holder(Kind::Instance {
            service: "release".to_owned(),
        });
        let get = Call {
            writes: false,
            ..SET
        };
        records.add(&instance, &SET, Ok(()), 1);
        records.add(&person, &get, Ok(()), 2);
        records.add(&person, &SET, Ok(()), 3);
        records.add(&person, &SET, Err(Refusal::NotGranted), 4);
        let all: Vec<_> = std::iter::from_fn(|| calls.try_recv().ok()).collect();
        let told: Vec<_> = all.iter().map(|c| (c.at_ms, c.verdict.as_str())).collect();
        assert_eq!(told, [(3, "allowed"), (4, "not-granted")]);
        assert_eq!(all[0].caller, "ci (t-1)");
        assert_eq!(all[0].instance, "configuration.0.1");
    }

    #[test]
    fn what_did_not_fit_is_counted_and_the_count_is_on_record() {
        let (records, mut calls) = Records::new("configuration.0.1");
        let person = holder(Kind::Person);
        for at in 0..WAITING_MAX as u64 + 7 {
            records.add(&person, &SET, Ok(()), at);
        }
        while calls.try_recv().is_ok() {}
        records.add(&person, &SET, Ok(()), 9_999);
        let gap = calls.try_recv().unwrap();
        assert_eq!(gap.verdict, "7 calls are not on record");
        assert_eq!(calls.try_recv().unwrap().at_ms, 9_999);
    }
}
