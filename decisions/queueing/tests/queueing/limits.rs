//! Quotas.

use std::collections::BTreeMap;

use proptest::prelude::*;
use queueing::{OverQuota, Quotas};

fn quotas() -> Quotas {
    Quotas::new(BTreeMap::from([(1, [10, 100, 0, u64::MAX])]))
}

#[test]
fn a_refusal_names_the_first_shortage_and_nothing_was_taken() {
    let mut quotas = quotas();
    assert_eq!(quotas.take(1, &[8, 50, 0, 7]), Ok(()));
    let refused = quotas.take(1, &[1, 60, 1, 0]).expect_err("too much memory");
    let expected = OverQuota {
        tenant: 1,
        kind: 1,
        limit: 100,
        held: 50,
        wanted: 60,
        short: 10,
    };
    assert_eq!(refused, expected);
    assert_eq!(
        refused.to_string(),
        "tenant 1 holds 50 of resource 1 and may hold 100: 60 more are 10 too many"
    );
    assert_eq!(quotas.held(1), [8, 50, 0, 7]);
    quotas.release(1, &[8, 50, 0, 7]);
    assert_eq!(quotas.take(1, &[10, 100, 0, u64::MAX]), Ok(()));
    assert!(
        quotas.take(1, &[0, 0, 0, 1]).is_err(),
        "the sum would not be a number"
    );
}

#[test]
fn without_a_limit_anything_goes() {
    let mut quotas = quotas();
    assert_eq!(quotas.take(2, &[u64::MAX; 4]), Ok(()));
    assert_eq!(quotas.held(2), [u64::MAX; 4]);
    quotas.release(3, &[1; 4]);
    assert_eq!(quotas.held(3), [0; 4]);
}

proptest! {
    #[test]
    fn nobody_ever_holds_more_than_the_limit(
        steps in prop::collection::vec((any::<bool>(), 0..6u64, 0..60u64), 1..60),
    ) {
        let mut quotas = quotas();
        let mut taken = Vec::new();
        for (take, cpu, memory) in steps {
            let wanted = [cpu, memory, 0, 0];
            if take && quotas.take(1, &wanted).is_ok() {
                taken.push(wanted);
            } else if let Some(back) = taken.pop() {
                quotas.release(1, &back);
            }
            let sum = |kind: usize| taken.iter().map(|t: &[u64; 4]| t[kind]).sum::<u64>();
            prop_assert_eq!(quotas.held(1), [sum(0), sum(1), 0, 0]);
            prop_assert!(sum(0) <= 10 && sum(1) <= 100);
        }
    }
}
