//! A release against a small world that does what it is told, well or badly.

use proptest::prelude::*;
use rollout::{
    Decision, Facts, Gates, Hold, Live, Phase, Plan, Release, Reported, Stats, Strategy, Was,
    decide, judge,
};

/// How instances of the newer version are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newer {
    Good,
    NeverReady,
    Dies,
    AnswersErrors,
}

/// A service of which one slot changes its version at a time, and only while all others are well.
struct World {
    replicas: u32,
    was: Was,
    /// Whether each slot runs the newer version.
    slots: Vec<bool>,
    newer: Newer,
    failures: u32,
    now: u64,
    lowest: u32,
}

impl World {
    fn new(replicas: u32, newer: Newer) -> Self {
        Self {
            replicas,
            was: Was::Older,
            slots: vec![false; replicas as usize],
            newer,
            failures: 0,
            now: 0,
            lowest: replicas,
        }
    }

    fn healthy(&self, newer: bool) -> bool {
        !newer || matches!(self.newer, Newer::Good | Newer::AnswersErrors)
    }

    fn facts(&self) -> Facts {
        let live = self.slots.iter().zip(0..).map(|(newer, index)| Live {
            index,
            newer: *newer,
            healthy: self.healthy(*newer),
        });
        let calls = self.now * u64::from(self.slots.iter().any(|newer| *newer));
        let errors = if self.newer == Newer::AnswersErrors {
            calls
        } else {
            0
        };
        Facts {
            replicas: self.replicas,
            was: self.was,
            live: live.collect(),
            reported: Reported {
                failures: self.failures,
            },
            old: Stats {
                calls: self.now,
                errors: 0,
                p99_us: Some(100),
            },
            new: Stats {
                calls,
                errors,
                p99_us: Some(110),
            },
        }
    }

    fn act(&mut self, decision: &Decision) {
        match decision {
            Decision::Run { from, surge } => {
                self.was = Was::Ours {
                    from: *from,
                    surge: *surge,
                };
            }
            Decision::Promote => {
                self.was = Was::Newer;
                self.slots.truncate(self.replicas as usize);
            }
            Decision::Withdraw => {
                self.was = Was::Older;
                self.slots.truncate(self.replicas as usize);
            }
            Decision::Wait { .. } | Decision::End => {}
        }
    }

    /// One slot at a time, as `scheduling` does it: what is beyond first, then what is sick, then
    /// one that is well while all are.
    fn time_goes_by(&mut self) {
        self.now += 200;
        let Was::Ours { from, surge } = self.was else {
            return;
        };
        let slots = (self.replicas + surge) as usize;
        let wanted = |index: usize| index as u64 >= u64::from(from);
        if self.slots.len() < slots {
            let index = self.slots.len();
            self.slots.push(wanted(index));
            self.failures += u32::from(wanted(index) && self.newer == Newer::Dies);
        }
        let outdated = |index: &usize| self.slots[*index] != wanted(*index);
        let outdated: Vec<usize> = (0..self.slots.len()).filter(outdated).collect();
        let sick = outdated
            .iter()
            .find(|index| !self.healthy(self.slots[**index]));
        let all_well = self.slots.iter().all(|newer| self.healthy(*newer));
        let victim = sick.or(outdated.first().filter(|_| all_well)).copied();
        let down = u32::from(victim.is_some_and(|v| self.healthy(self.slots[v])));
        let well = self
            .slots
            .iter()
            .filter(|newer| self.healthy(**newer))
            .count();
        self.lowest = self.lowest.min(u32::try_from(well).unwrap() - down);
        if let Some(index) = victim {
            self.slots[index] = wanted(index);
            self.failures += u32::from(wanted(index) && self.newer == Newer::Dies);
        }
    }

    /// Until it is over; panics if that takes a day.
    fn run(&mut self, mut release: Release) -> Release {
        while self.now < 86_400_000 {
            let (next, decision) = decide(&release, &self.facts(), self.now);
            self.act(&decision);
            release = next;
            if release.phase.is_over() {
                return release;
            }
            self.time_goes_by();
        }
        panic!("it does not end: {release:?}");
    }
}

fn plan(strategy: Strategy) -> Plan {
    Plan {
        settle_ms: 400,
        progress_ms: 10_000,
        ..Plan::new(strategy)
    }
}

fn any_strategy() -> impl proptest::strategy::Strategy<Value = Strategy> {
    let hold = |percent| Hold {
        percent,
        hold_ms: 1_000,
    };
    prop_oneof![
        Just(Strategy::Rolling),
        Just(Strategy::Canary(vec![hold(5), hold(25), hold(50)])),
        Just(Strategy::BlueGreen { keep_ms: 2_000 }),
    ]
}

proptest! {
    #[test]
    fn a_good_version_arrives_everywhere_and_there_is_never_less_than_wished_for(
        strategy in any_strategy(),
        replicas in 1_u32..40,
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let release = world.run(Release::new(plan(strategy), 0));
        prop_assert_eq!(release.phase, Phase::Done);
        prop_assert!(world.slots.iter().all(|newer| *newer));
        prop_assert_eq!(world.slots.len(), replicas as usize);
        prop_assert!(world.lowest >= replicas, "only {} of {replicas}", world.lowest);
    }

    #[test]
    fn a_bad_version_goes_back_by_itself_and_there_is_never_less_than_wished_for(
        strategy in any_strategy(),
        replicas in 1_u32..40,
        newer in prop_oneof![
            Just(Newer::NeverReady), Just(Newer::Dies), Just(Newer::AnswersErrors),
        ],
    ) {
        let mut world = World::new(replicas, newer);
        let release = world.run(Release::new(plan(strategy), 0));
        let back = matches!(release.phase, Phase::RolledBack { .. });
        prop_assert!(back, "{:?}", release.phase);
        prop_assert!(world.slots.iter().all(|newer| !*newer));
        prop_assert!(world.lowest >= replicas, "only {} of {replicas}", world.lowest);
    }

    #[test]
    fn whoever_turns_back_at_any_moment_gets_back(
        strategy in any_strategy(),
        replicas in 1_u32..40,
        moments in 0_u64..200,
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let mut release = Release::new(plan(strategy), 0);
        for _ in 0..moments {
            let (next, decision) = decide(&release, &world.facts(), world.now);
            world.act(&decision);
            release = next;
            world.time_goes_by();
        }
        let was_over = release.phase.is_over();
        let release = release.back("somebody asked for it", world.now);
        let release = world.run(release);
        let back = matches!(release.phase, Phase::RolledBack { .. });
        prop_assert!(back || (was_over || release.phase == Phase::Done), "{:?}", release.phase);
        prop_assert!(world.lowest >= replicas);
        let same = world.slots.windows(2).all(|pair| pair[0] == pair[1]);
        prop_assert!(same, "{:?}", world.slots);
    }

    #[test]
    fn a_decision_that_was_lost_is_made_again(
        strategy in any_strategy(),
        replicas in 1_u32..20,
        lost in prop::collection::vec(any::<bool>(), 400),
    ) {
        let mut world = World::new(replicas, Newer::Good);
        let mut release = Release::new(plan(strategy), 0);
        for lost in lost {
            let (next, decision) = decide(&release, &world.facts(), world.now);
            // Either the process died before it remembered, or before it acted, or neither.
            if !lost {
                world.act(&decision);
                release = next;
            } else if world.now.is_multiple_of(400) {
                release = next;
            }
            world.time_goes_by();
        }
        let release = world.run(release);
        prop_assert_eq!(release.phase, Phase::Done);
        prop_assert!(world.lowest >= replicas);
    }
}

#[test]
fn by_hand_each_step_waits_to_be_asked_for() {
    let by_hand = Plan {
        automatic: false,
        ..plan(Strategy::Rolling)
    };
    let mut world = World::new(3, Newer::Good);
    let mut release = Release::new(by_hand, 0);
    let mut steps = 0;
    for _ in 0..1_000 {
        let (next, decision) = decide(&release, &world.facts(), world.now);
        world.act(&decision);
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
fn paused_it_stays_where_it_is() {
    let mut world = World::new(3, Newer::Good);
    let release = Release {
        paused: true,
        ..Release::new(plan(Strategy::Rolling), 0)
    };
    world.was = Was::Ours { from: 3, surge: 1 };
    world.time_goes_by();
    world.now = 1_000_000;
    let (next, decision) = decide(&release, &world.facts(), world.now);
    assert_eq!(next, release);
    assert!(matches!(decision, Decision::Wait { .. }));
}

#[test]
fn whoever_wishes_for_something_else_puts_an_end_to_it() {
    let mut world = World::new(3, Newer::Good);
    world.was = Was::Other;
    let release = Release::new(plan(Strategy::Rolling), 0);
    for release in [release.clone(), release.back("asked", 0)] {
        let (next, decision) = decide(&release, &world.facts(), 0);
        assert!(matches!(next.phase, Phase::Superseded { .. }));
        assert_eq!(decision, Decision::End);
    }
}

#[test]
fn the_gates_compare_and_say_what_is_wrong() {
    let gates = Gates::default();
    let stats = |calls, errors, p99_us| Stats {
        calls,
        errors,
        p99_us,
    };
    let old = stats(1_000, 5, Some(1_000));
    let cases = [
        (stats(1_000, 5, Some(1_000)), None),
        (stats(49, 49, None), None),
        (stats(50, 3, None), Some("60 of 1000 calls fail (50 calls)")),
        (stats(1_000, 15, None), None),
        (stats(1_000, 16, None), Some("16 of 1000 calls fail, 5 do")),
        (stats(1_000, 0, Some(11_000)), None),
        (
            stats(1_000, 0, Some(11_001)),
            Some("11001 us or longer, 1000 us"),
        ),
        (stats(1_000, 0, None), None),
    ];
    for (new, expected) in cases {
        let told = judge(&gates, &old, &new);
        assert_eq!(told.is_some(), expected.is_some(), "{new:?}: {told:?}");
        let words = expected.unwrap_or_default();
        assert!(told.unwrap_or_default().contains(words), "{words}");
    }
    // An older version that nobody called says nothing about the newer one.
    let silent = stats(0, 0, None);
    assert_eq!(
        judge(&gates, &silent, &stats(1_000, 16, Some(99_000))),
        None
    );
}
