//! Whatever happens in the middle of a release: it ends, it leaves nothing behind, and it never
//! takes away what was wished for.

use proptest::prelude::*;
use rollout::{Phase, Release, Was, targets};

use crate::world::{Newer, TICK_MS, World, any_strategy, begin, plan};

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Nothing, for so many looks.
    Time(u64),
    /// An instance ends and is started again.
    Restart(usize),
    /// From now on instances take so long to be healthy, in milliseconds.
    Starts(u64),
    Scale(u32),
    Pause,
    Resume,
    Advance,
    Rollback,
    /// The newer version is of this kind from now on.
    Turns(Newer),
    /// The release service is away for so many looks.
    Away(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let kind = prop_oneof![
        Just(Newer::NeverReady),
        Just(Newer::Dies),
        Just(Newer::AnswersErrors)
    ];
    let event = prop_oneof![
        8 => (1_u64..20).prop_map(Event::Time),
        4 => any::<usize>().prop_map(Event::Restart),
        3 => (0_u64..5_000).prop_map(Event::Starts),
        2 => (0_u32..30).prop_map(Event::Scale),
        2 => Just(Event::Pause),
        3 => Just(Event::Resume),
        2 => Just(Event::Advance),
        1 => Just(Event::Rollback),
        1 => kind.prop_map(Event::Turns),
        1 => (1_u64..200).prop_map(Event::Away),
    ];
    prop::collection::vec(event, 0..40)
}

fn happen(event: Event, world: &mut World, mut release: Release) -> Release {
    match event {
        Event::Time(looks) => {
            for _ in 0..looks {
                release = world.turn(&release);
            }
        }
        Event::Restart(which) => world.restart(which),
        Event::Starts(ms) => world.start_ms = ms,
        Event::Scale(replicas) => world.scale(replicas),
        Event::Pause => release.paused = !release.phase.is_over(),
        Event::Resume => {
            release.paused = false;
            release.progress.look_again(world.now);
        }
        Event::Advance => release.advance = true,
        Event::Rollback => release = release.back("somebody asked for it"),
        Event::Turns(newer) => world.newer = newer,
        Event::Away(looks) => {
            for _ in 0..looks {
                world.time_goes_by();
            }
            release.progress.look_again(world.now);
        }
    }
    world.turn(&release)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_ends_leaves_nothing_behind_and_takes_nothing_away(
        strategy in any_strategy(),
        replicas in 0_u32..30,
        events in events(),
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let mut release = begin(strategy.clone(), replicas);
        let mut most = replicas;
        for event in events {
            release = happen(event, &mut world, release);
            most = most.max(world.replicas);
            prop_assert_eq!(&world.wrong, &Vec::<String>::new(), "{:?}", event);
        }
        release.paused = false;
        let release = world.run(release);
        prop_assert_eq!(&world.wrong, &Vec::<String>::new());
        match release.phase {
            Phase::Done => prop_assert_eq!(world.was, Was::Newer),
            Phase::RolledBack { .. } => prop_assert_eq!(world.was, Was::Older { closed: true }),
            other => prop_assert!(false, "{:?}", other),
        }
        let surge_max = targets(&plan(strategy), most, 0).surge;
        prop_assert!(world.most_beyond <= surge_max, "{} beyond", world.most_beyond);
        // And what is there in the end is well, as many as are wished for.
        world.newer = Newer::Good;
        for _ in 0..5_000 / TICK_MS + 2 * u64::from(world.replicas) * (5_000 / TICK_MS + 1) {
            world.time_goes_by();
        }
        prop_assert_eq!(world.healthy(), world.replicas as usize);
    }
}
