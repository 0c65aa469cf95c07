//! Which steps there are.

use proptest::prelude::*;
use rollout::{Hold, Plan, PlanError, Strategy, rescaled, targets};

fn froms(plan: &Plan, replicas: u32) -> (u32, Vec<u32>) {
    let steps = targets(plan, replicas, 0);
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
    assert_eq!(froms(&canary(&[5, 50]), 30), (3, vec![31, 18, 0]));
    assert_eq!(froms(&canary(&[10]), 3), (1, vec![3, 0]));
    // Each step is watched for its own time, also where it comes to the same slots.
    assert_eq!(froms(&canary(&[1, 2, 3]), 10), (1, vec![10, 10, 10, 0]));
    assert_eq!(froms(&canary(&[100]), 10), (1, vec![1, 0]));
    let held = targets(&canary(&[5, 50]), 30, 0).targets;
    assert_eq!((held[0].hold_ms, held[2].hold_ms), (5_000, 1_000));
}

#[test]
fn blue_and_green_are_there_together_before_the_first_of_the_old_ones_goes() {
    let plan = Plan::new(Strategy::BlueGreen { keep_ms: 9_000 });
    assert_eq!(froms(&plan, 4), (4, vec![4, 0]));
    assert_eq!(targets(&plan, 4, 0).targets[0].hold_ms, 9_000);
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

#[test]
fn whoever_scales_leaves_out_no_step() {
    let rolling = Plan::new(Strategy::Rolling);
    // Of ten, three run the newer version: of five it is one, of twenty six in batches of two.
    assert_eq!(rescaled(&rolling, 3, 10, 5), 1);
    assert_eq!(rescaled(&rolling, 3, 10, 20), 3);
    assert_eq!(rescaled(&rolling, 10, 10, 20), 10);
    assert_eq!(rescaled(&rolling, 9, 10, 3), 2);
    assert_eq!(rescaled(&rolling, 0, 0, 9), 0);
    assert_eq!(rescaled(&canary(&[5, 50]), 1, 10, 1_000), 1);
    let more = targets(&canary(&[50]), 10, 4);
    assert_eq!((more.surge, more.targets[0].from), (4, 9));
}

proptest! {
    #[test]
    fn steps_go_down_to_zero_and_there_is_always_room_beyond(
        plan in any_plan(),
        replicas in 0_u32..500,
        surge_min in 0_u32..20,
    ) {
        let steps = targets(&plan, replicas, surge_min);
        prop_assert!(steps.surge >= surge_min.max(1));
        prop_assert_eq!(steps.targets.last().map(|target| target.from), Some(0));
        prop_assert!(steps.targets.windows(2).all(|pair| pair[0].from >= pair[1].from));
        let slots = replicas + steps.surge;
        prop_assert!(steps.targets.iter().all(|target| target.from < slots));
        prop_assert!(steps.at(0).0 == steps.targets[0]);
        let last = steps.targets.len() - 1;
        prop_assert_eq!(steps.at(u32::MAX), (steps.targets[last], true));
    }

    /// The newer version never has a larger share of what was wished for than before.
    #[test]
    fn a_service_that_is_scaled_stays_at_its_share(
        batch in prop::option::of(1_u32..50),
        before in 1_u32..300,
        after in 1_u32..300,
        step in 0_u32..300,
    ) {
        let plan = Plan { batch, ..Plan::new(Strategy::Rolling) };
        let newer = |step, replicas| {
            u64::from(replicas - targets(&plan, replicas, 0).at(step).0.from)
        };
        let now = rescaled(&plan, step, before, after);
        let (was, is) = (newer(step, before), newer(now, after));
        prop_assert!(is * u64::from(before) <= was * u64::from(after));
        // And not a whole batch less than it could have.
        let next = newer(now + 1, after);
        let all = is == u64::from(after);
        prop_assert!(all || next * u64::from(before) > was * u64::from(after));
    }
}
