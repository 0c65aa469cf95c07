//! D1 and D2 of RELIABILITY 3.2, over random histories, against a naive model.

use std::collections::BTreeMap;

use membership::{Epoch, Leases, Terms};
use proptest::prelude::*;

const OWNERS: u8 = 6;

#[derive(Clone, Debug)]
enum Step {
    Register {
        owner: u8,
        ttl_ms: u64,
    },
    /// `back`: how many registrations ago the epoch was given out; 0 is the newest.
    KeepAlive {
        owner: u8,
        back: usize,
    },
    Deregister {
        owner: u8,
        back: usize,
    },
    Expire,
    /// The server is not scheduled for this long.
    Pause {
        ms: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let owner = 0..OWNERS;
    let step = prop_oneof![
        2 => (owner.clone(), 500..4_000_u64)
            .prop_map(|(owner, ttl_ms)| Step::Register { owner, ttl_ms }),
        6 => (owner.clone(), 0..3_usize).prop_map(|(owner, back)| Step::KeepAlive { owner, back }),
        1 => (owner, 0..3_usize).prop_map(|(owner, back)| Step::Deregister { owner, back }),
        4 => Just(Step::Expire),
        1 => (1_001..20_000_u64).prop_map(|ms| Step::Pause { ms }),
    ];
    prop::collection::vec((1..900_u64, step), 1..200)
}

/// What the promises are about: who was told what, when, and how long the server was away since.
#[derive(Default)]
struct Promised {
    epochs: BTreeMap<u8, Vec<Epoch>>,
    /// Owner to (epoch, ttl, the moment up to which it was promised to live).
    until: BTreeMap<u8, (Epoch, u64, u64)>,
    newest: Epoch,
}

impl Promised {
    fn epoch(&self, owner: u8, back: usize) -> Option<Epoch> {
        self.epochs.get(&owner)?.iter().rev().nth(back).copied()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_lease_ends_early_and_none_comes_back(steps in steps()) {
        let terms = Terms::default();
        let mut leases = Leases::new(terms);
        let mut promised = Promised::default();
        let mut now_ms = 0;
        for (step_ms, step) in steps {
            now_ms += step_ms;
            if let Step::Pause { ms } = step {
                now_ms += ms;
                // Whatever was promised is promised for the length of the gap longer.
                for (_, _, until) in promised.until.values_mut() {
                    *until += ms;
                }
                continue;
            }
            take(&mut leases, &mut promised, &step, now_ms)?;
            let earliest = leases.owners().map(|(_, l)| l.expires_at_ms).min();
            prop_assert_eq!(leases.next_expiry(), earliest);
        }
    }
}

fn take(
    leases: &mut Leases<u8>,
    promised: &mut Promised,
    step: &Step,
    now_ms: u64,
) -> Result<(), TestCaseError> {
    match *step {
        Step::Register { owner, ttl_ms } => {
            let epoch = leases.register(owner, ttl_ms, now_ms);
            prop_assert!(epoch > promised.newest, "epochs only grow (D1)");
            promised.newest = epoch;
            promised.epochs.entry(owner).or_default().push(epoch);
            promised
                .until
                .insert(owner, (epoch, ttl_ms, now_ms + ttl_ms));
        }
        Step::KeepAlive { owner, back } => {
            let Some(epoch) = promised.epoch(owner, back) else {
                return Ok(());
            };
            let current = promised.until.get(&owner).copied();
            let answer = leases.keep_alive(&owner, epoch, now_ms);
            match current {
                Some((held, ttl_ms, until)) if held == epoch => {
                    prop_assert!(answer.is_ok() || until <= now_ms, "refused early (D2)");
                    if answer.is_ok() {
                        promised
                            .until
                            .insert(owner, (epoch, ttl_ms, until.max(now_ms + ttl_ms)));
                    }
                }
                _ => prop_assert!(answer.is_err(), "an old epoch was let in (D1)"),
            }
        }
        Step::Deregister { owner, back } => {
            let Some(epoch) = promised.epoch(owner, back) else {
                return Ok(());
            };
            let held = promised.until.get(&owner).map(|(held, ..)| *held);
            let answer = leases.deregister(&owner, epoch);
            prop_assert_eq!(answer.is_ok(), held == Some(epoch));
            if answer.is_ok() {
                promised.until.remove(&owner);
            }
        }
        Step::Expire => {
            for expired in leases.expire(now_ms) {
                let held = promised.until.remove(&expired.owner);
                let Some((epoch, _, until)) = held else {
                    return Err(TestCaseError::fail("it ended twice"));
                };
                prop_assert_eq!(epoch, expired.epoch);
                prop_assert!(until <= now_ms, "it ended early (D2)");
            }
        }
        Step::Pause { .. } => {}
    }
    Ok(())
}

#[test]
fn a_hundred_thousand_leases_are_kept_and_ended_in_logarithmic_time_each() {
    let mut leases = Leases::new(Terms::default());
    let epochs: Vec<_> = (0..100_000_u32)
        .map(|o| leases.register(o, 5_000, 0))
        .collect();
    for (owner, epoch) in (0..100_000_u32).zip(&epochs).step_by(2) {
        leases.keep_alive(&owner, *epoch, 1_000).unwrap();
    }
    for now_ms in (1_500..5_000).step_by(500) {
        assert!(leases.expire(now_ms).is_empty());
    }
    assert_eq!(leases.expire(5_000).len(), 50_000);
    assert_eq!(leases.expire(5_900).len(), 0);
    assert_eq!(leases.expire(6_000).len(), 50_000);
}
