//! Which steps there are.

use proptest::prelude::*;
use rollout::{Hold, Plan, PlanError, Strategy, targets};

fn froms(plan: &Plan, replicas: u32) -> (u32, Vec<u32>) {
    let steps = targets(plan, replicas);
    let froms = steps.targets.iter().map(|target| target.from).collect();
    (steps.surge, froms)
}

fn canary(percentages: &[u32]) -> Plan {
    let hold = |percent: &u32| Hold {
        percent: *percent,
        hold_ms: 5_000,
    };
    Plan::new(Strategy::Canary(percentages.iter().map(hold).collect()))
}

#[test]
fn a_batch_is_a_tenth_and_at_least_one() {
    let rolling = Plan::new(Strategy::Rolling);
    assert_eq!(froms(&rolling, 3), (1, vec![3, 2, 1, 0]));
    assert_eq!(froms(&rolling, 1), (1, vec![1, 0]));
    assert_eq!(
        froms(&rolling, 25),
        (2, (0..=12).rev().map(|n| n * 2 + 1).chain([0]).collect())
    );
    let all = Plan {
        batch: Some(100),
        ..rolling
    };
    assert_eq!(froms(&all, 4), (4, vec![4, 0]));
}

#[test]
fn a_canary_begins_with_its_share_and_ends_with_all() {
    assert_eq!(froms(&canary(&[5, 50]), 30), (1, vec![29, 16, 0]));
    assert_eq!(froms(&canary(&[10]), 3), (1, vec![3, 0]));
    assert_eq!(froms(&canary(&[1, 2, 3]), 10), (1, vec![10, 0]));
    let held = targets(&canary(&[5, 50]), 30).targets;
    assert_eq!((held[0].hold_ms, held[2].hold_ms), (5_000, 1_000));
}

#[test]
fn blue_and_green_are_there_together_before_the_first_of_the_old_ones_goes() {
    let plan = Plan::new(Strategy::BlueGreen { keep_ms: 9_000 });
    assert_eq!(froms(&plan, 4), (4, vec![4, 0]));
    assert_eq!(targets(&plan, 4).targets[0].hold_ms, 9_000);
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    let rolling = Plan::new(Strategy::Rolling);
    assert_eq!(rolling.check(), Ok(()));
    let batch = Plan {
        batch: Some(0),
        ..rolling.clone()
    };
    assert_eq!(batch.check(), Err(PlanError::Batch));
    let hasty = Plan {
        progress_ms: 999,
        ..rolling
    };
    assert_eq!(hasty.check(), Err(PlanError::Progress));
    assert_eq!(canary(&[]).check(), Err(PlanError::CanarySteps));
    for bad in [&[0][..], &[101], &[50, 50], &[50, 10]] {
        assert_eq!(canary(bad).check(), Err(PlanError::Percent), "{bad:?}");
    }
}

fn any_plan() -> impl proptest::strategy::Strategy<Value = Plan> {
    use proptest::strategy::Strategy as _;

    let percentages = prop::collection::btree_set(1_u32..=100, 1..6);
    let canary = percentages.prop_map(|all| canary(&all.into_iter().collect::<Vec<_>>()));
    let rolling = prop::option::of(1_u32..50).prop_map(|batch| Plan {
        batch,
        ..Plan::new(Strategy::Rolling)
    });
    let blue_green = Just(Plan::new(Strategy::BlueGreen { keep_ms: 1 }));
    prop_oneof![rolling, canary, blue_green]
}

proptest! {
    #[test]
    fn steps_go_down_to_zero_and_there_is_always_room_beyond(
        plan in any_plan(),
        replicas in 0_u32..500,
    ) {
        let steps = targets(&plan, replicas);
        prop_assert!(steps.surge >= 1);
        prop_assert_eq!(steps.targets.last().map(|target| target.from), Some(0));
        prop_assert!(steps.targets.windows(2).all(|pair| pair[0].from > pair[1].from));
        prop_assert!(steps.targets.iter().all(|target| target.from <= replicas));
    }
}
