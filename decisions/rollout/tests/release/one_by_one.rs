//! What each rule is for.

use rollout::{Decision, Hold, Phase, Plan, Release, Strategy, Was, decide};

use crate::world::{Newer, PROGRESS_MS, TICK_MS, World, begin, plan};

/// Turns until something holds; panics if it does not for an hour.
fn until(
    world: &mut World,
    mut release: Release,
    holds: impl Fn(&Release, &World) -> bool,
) -> Release {
    let deadline = world.now + 3_600_000;
    while !holds(&release, world) {
        release = world.turn(&release);
        assert!(world.now < deadline, "{release:?}");
    }
    release
}

fn waits(world: &World, release: &Release) -> String {
    match decide(release, &world.facts(), world.now).1 {
        Decision::Wait { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_restart_during_a_long_hold_does_not_turn_it_back() {
    let hold = Hold {
        percent: 25,
        hold_ms: 10 * PROGRESS_MS,
    };
    let mut world = World::new(4, Newer::Good);
    let release = begin(Strategy::Canary(vec![hold]), 4);
    let mut release = until(&mut world, release, |_, world| world.now > 5 * PROGRESS_MS);
    for which in [0, 4] {
        world.restart(which);
        for _ in 0..10 {
            release = world.turn(&release);
            assert_eq!(release.phase, Phase::Running);
        }
    }
    let release = until(&mut world, release, |release, _| release.step == 1);
    assert!(world.now < 11 * PROGRESS_MS, "the hold did not begin anew");
    assert_eq!(world.run(release).phase, Phase::Done);
}

#[test]
fn a_batch_that_takes_longer_than_its_patience_but_comes_nearer_is_not_turned_back() {
    let all = Plan {
        batch: Some(20),
        ..plan(Strategy::Rolling)
    };
    let mut world = World::new(20, Newer::Good);
    // One after the other, as where there is one core to compile on.
    world.one_by_one_ms = PROGRESS_MS / 2;
    let release = world.run(Release::new(all, 20));
    assert_eq!(release.phase, Phase::Done);
    assert!(world.now > 10 * PROGRESS_MS, "the test does not test");
}

#[test]
fn the_way_back_may_take_longer_than_its_patience_and_the_load_is_carried_meanwhile() {
    let mut world = World::new(20, Newer::Good);
    let release = begin(Strategy::Rolling, 20);
    let release = until(&mut world, release, |release, _| release.step == 8);
    world.start_ms = PROGRESS_MS / 2;
    let (begun, release) = (world.now, release.back("asked"));
    let release = world.run(release);
    assert!(matches!(release.phase, Phase::RolledBack { .. }));
    assert!(
        world.now - begun > 2 * PROGRESS_MS,
        "the test does not test"
    );
    assert_eq!(world.wrong, Vec::<String>::new());
    assert_eq!(world.versions(), vec![false; 20]);
    assert_eq!(world.healthy(), 20);
}

#[test]
fn what_takes_long_to_build_has_its_whole_patience_afterwards() {
    let mut world = World::new(3, Newer::Good);
    let mut release = begin(Strategy::Rolling, 3);
    for _ in 0..5 * PROGRESS_MS / TICK_MS {
        let (next, decision) = decide(&release, &world.facts(), world.now);
        assert_eq!(decision, Decision::Begin { from: 3, surge: 1 });
        release = next;
        world.time_goes_by();
    }
    assert_eq!(world.run(release).phase, Phase::Done);
}

#[test]
fn blue_green_that_turns_back_takes_the_second_set_away_and_starts_nothing() {
    let mut world = World::new(8, Newer::Good);
    let release = begin(Strategy::BlueGreen { keep_ms: 60_000 }, 8);
    let release = until(&mut world, release, |_, world| world.now > 30_000);
    assert_eq!(world.versions().len(), 16);
    let release = release.back("asked");
    let (_, decision) = decide(&release, &world.facts(), world.now);
    assert_eq!(decision, Decision::Withdraw);
}

#[test]
fn where_the_surplus_carries_nothing_it_goes_back_too() {
    let mut world = World::new(4, Newer::Good);
    let release = begin(Strategy::Rolling, 4);
    let release = until(&mut world, release, |release, world| {
        release.step == 2 && world.healthy() == 5
    });
    world.newer = Newer::NeverReady;
    let release = world.run(release);
    assert!(matches!(release.phase, Phase::RolledBack { .. }));
    assert_eq!(world.versions(), vec![false; 4]);
}

#[test]
fn by_hand_each_step_waits_to_be_asked_for() {
    let by_hand = Plan {
        automatic: false,
        ..plan(Strategy::Rolling)
    };
    let mut world = World::new(3, Newer::Good);
    let mut release = Release::new(by_hand, 3);
    let mut steps = 0;
    for _ in 0..1_000 {
        let (next, decision) = decide(&release, &world.facts(), world.now);
        world.act(&next, &decision);
        release = next;
        if matches!(&decision, Decision::Wait { why } if why.contains("by hand")) {
            steps += 1;
            release.advance = true;
        }
        world.time_goes_by();
    }
    assert_eq!((steps, release.phase), (4, Phase::Done));
}

#[test]
fn paused_before_its_first_step_it_does_not_begin() {
    let world = World::new(3, Newer::Good);
    let release = Release {
        paused: true,
        ..begin(Strategy::Rolling, 3)
    };
    assert!(waits(&world, &release).contains("before its first step"));
    assert_eq!(decide(&release, &world.facts(), 99_999).0, release);
}

#[test]
fn paused_it_stays_where_it_is_and_says_what_is_not_healthy() {
    let mut world = World::new(3, Newer::Good);
    let release = begin(Strategy::Rolling, 3);
    let mut release = until(&mut world, release, |release, _| release.step == 1);
    release.paused = true;
    for _ in 0..5 * PROGRESS_MS / TICK_MS {
        release = world.turn(&release);
    }
    assert_eq!(
        (release.step, waits(&world, &release)),
        (1, "it is paused".to_owned())
    );
    world.start_ms = 1_000;
    world.restart(3);
    assert!(waits(&world, &release).contains("slot 3 is not healthy"));
    assert_eq!(release.phase, Phase::Running);
}

#[test]
fn paused_it_turns_back_all_the_same_when_it_gets_worse() {
    for worse in [Newer::AnswersErrors, Newer::Dies] {
        let mut world = World::new(3, Newer::Good);
        let release = begin(Strategy::Rolling, 3);
        let mut release = until(&mut world, release, |release, _| release.step == 1);
        release.paused = true;
        world.newer = worse;
        for _ in 0..3 {
            world.scale(3);
            release = world.turn(&release);
            // What dies is started again, and dies again.
            if worse == Newer::Dies {
                world.die();
            }
        }
        assert!(
            matches!(release.phase, Phase::RollingBack { .. }),
            "{release:?}"
        );
        assert!(!release.paused);
        let release = world.run(release);
        assert!(matches!(release.phase, Phase::RolledBack { .. }));
    }
}

#[test]
fn whoever_scales_down_leaves_out_no_step_and_ends_nothing() {
    let mut world = World::new(10, Newer::Good);
    let release = begin(Strategy::Rolling, 10);
    let release = until(&mut world, release, |release, _| release.step == 8);
    world.scale(3);
    let mut release = world.turn(&release);
    assert_eq!((release.step, release.replicas), (2, 3));
    let mut seen = vec![release.step];
    while !release.phase.is_over() {
        release = world.turn(&release);
        seen.push(release.step);
    }
    seen.dedup();
    assert_eq!((seen, release.phase), (vec![2, 3], Phase::Done));
    assert_eq!(world.versions(), vec![true; 3]);
}

#[test]
fn scaled_to_nothing_it_is_proven_by_one_slot_beyond() {
    let mut world = World::new(5, Newer::Good);
    let release = begin(Strategy::Rolling, 5);
    let release = until(&mut world, release, |release, _| release.step == 2);
    world.scale(0);
    assert_eq!(world.run(release).phase, Phase::Done);
    let mut world = World::new(5, Newer::Good);
    let release = begin(Strategy::Rolling, 5);
    let release = until(&mut world, release, |release, _| release.step == 2);
    world.scale(0);
    world.newer = Newer::NeverReady;
    assert!(matches!(world.run(release).phase, Phase::RolledBack { .. }));
}

#[test]
fn whoever_wishes_for_something_else_puts_an_end_to_it() {
    let mut world = World::new(3, Newer::Good);
    let release = begin(Strategy::Rolling, 3);
    for was in [Was::Other, Was::Older { closed: true }] {
        world.was = was;
        let (next, decision) = decide(&release, &world.facts(), 0);
        assert!(matches!(next.phase, Phase::Superseded { .. }));
        assert_eq!(decision, Decision::End);
    }
    world.was = Was::Other;
    let (next, _) = decide(&release.back("asked"), &world.facts(), 0);
    assert!(matches!(next.phase, Phase::Superseded { .. }));
}

#[test]
fn one_that_never_began_is_withdrawn_before_it_is_over() {
    let mut world = World::new(3, Newer::Good);
    let release = begin(Strategy::Rolling, 3).back("it does not compile");
    let (release, decision) = decide(&release, &world.facts(), 0);
    assert_eq!(decision, Decision::Withdraw);
    world.act(&release, &decision);
    let (release, decision) = decide(&release, &world.facts(), 0);
    assert_eq!(decision, Decision::End);
    assert!(matches!(release.phase, Phase::RolledBack { .. }));
}
