//! There, and back.

use proptest::prelude::*;
use rollout::{Decision, Phase, Was, decide};

use crate::world::{Newer, World, any_strategy, begin};

fn bad() -> impl Strategy<Value = Newer> {
    prop_oneof![
        Just(Newer::NeverReady),
        Just(Newer::Dies),
        Just(Newer::AnswersErrors),
    ]
}

proptest! {
    #[test]
    fn a_good_version_arrives_everywhere_and_there_is_never_less_than_wished_for(
        strategy in any_strategy(),
        replicas in 0_u32..40,
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let release = world.run(begin(strategy, replicas));
        prop_assert_eq!(release.phase, Phase::Done);
        prop_assert_eq!(world.versions(), vec![true; replicas as usize]);
        prop_assert_eq!(&world.wrong, &Vec::<String>::new());
        prop_assert_eq!(world.was, Was::Newer);
    }

    #[test]
    fn a_bad_version_goes_back_by_itself_and_there_is_never_less_than_wished_for(
        strategy in any_strategy(),
        replicas in 1_u32..40,
        newer in bad(),
    ) {
        let mut world = World::new(replicas, newer);
        let release = world.run(begin(strategy, replicas));
        let back = matches!(release.phase, Phase::RolledBack { .. });
        prop_assert!(back, "{:?}", release.phase);
        prop_assert_eq!(world.versions(), vec![false; replicas as usize]);
        prop_assert_eq!(&world.wrong, &Vec::<String>::new());
        prop_assert_eq!(world.was, Was::Older { closed: true });
    }

    #[test]
    fn whoever_turns_back_at_any_moment_gets_back(
        strategy in any_strategy(),
        replicas in 1_u32..40,
        moments in 0_u64..200,
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let mut release = begin(strategy, replicas);
        for _ in 0..moments {
            release = world.turn(&release);
        }
        let was_over = release.phase.is_over();
        let release = world.run(release.back("somebody asked for it"));
        let back = matches!(release.phase, Phase::RolledBack { .. });
        prop_assert!(back || (was_over || release.phase == Phase::Done), "{:?}", release.phase);
        prop_assert_eq!(&world.wrong, &Vec::<String>::new());
        let same = world.versions().windows(2).all(|pair| pair[0] == pair[1]);
        prop_assert!(same, "{:?}", world.versions());
    }

    #[test]
    fn a_decision_that_was_lost_is_made_again(
        strategy in any_strategy(),
        replicas in 1_u32..20,
        lost in prop::collection::vec(any::<bool>(), 400),
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let mut release = begin(strategy, replicas);
        for lost in lost {
            let (next, decision) = decide(&release, &world.facts(), world.now);
            // Either the process died before it remembered, or before it acted, or neither.
            if !lost {
                world.act(&next, &decision);
                release = next;
            } else if world.now.is_multiple_of(400) {
                release = next;
            }
            world.time_goes_by();
        }
        let release = world.run(release);
        prop_assert_eq!(release.phase, Phase::Done);
        prop_assert_eq!(&world.wrong, &Vec::<String>::new());
    }

    #[test]
    fn on_the_way_back_nothing_is_built_and_nothing_begins_anew(
        strategy in any_strategy(),
        replicas in 1_u32..20,
        moments in 0_u64..100,
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let mut release = begin(strategy, replicas);
        for _ in 0..moments {
            release = world.turn(&release);
        }
        release = release.back("somebody asked for it");
        while !release.phase.is_over() {
            let (_, decision) = decide(&release, &world.facts(), world.now);
            let begins = matches!(decision, Decision::Begin { .. });
            prop_assert!(!begins, "{:?}", world.was);
            release = world.turn(&release);
        }
    }
}
