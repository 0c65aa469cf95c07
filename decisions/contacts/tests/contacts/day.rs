//! The real day. The figures are what was measured, with a little room where a search is tuned.

use contacts::{Rule, bound, check, greedy, improve};

use crate::data::day;

const STEPS: u64 = 60_000;

#[test]
fn thirteen_requests_have_no_pass_at_all_and_are_named() {
    let problem = day(1);
    let impossible: Vec<usize> = problem.impossible().collect();
    let named = [
        192, 262, 411, 448, 449, 930, 1063, 1078, 1107, 1187, 1189, 1288, 1324,
    ];
    assert_eq!(impossible, named);
}

#[test]
fn one_antenna_at_each_station_lets_greedy_rules_serve_four_fifths() {
    let problem = day(1);
    for (rule, served) in [
        (Rule::EarliestEnd, 1_111),
        (Rule::FewestAlternatives, 1_117),
    ] {
        let plan = greedy(&problem, rule);
        check(&problem, &plan).expect("a plan that can be flown");
        assert_eq!(plan.served(), served, "{rule:?}");
    }
}

#[test]
fn ours_serves_more_than_every_greedy_rule_and_no_more_than_the_bound() {
    for (antennas, least) in [(1, 1_235), (2, 1_382), (3, 1_390)] {
        let problem = day(antennas);
        let plan = improve(&problem, 1, STEPS);
        check(&problem, &plan).expect("a plan that can be flown");
        for rule in [Rule::EarliestEnd, Rule::FewestAlternatives] {
            assert!(
                plan.served() > greedy(&problem, rule).served(),
                "{antennas} {rule:?}"
            );
        }
        let most = bound(&problem, plan.worth(&problem), 100);
        assert!(
            plan.worth(&problem) <= most,
            "{antennas}: {} of {most}",
            plan.served()
        );
        assert!(plan.served() >= least, "{antennas}: {}", plan.served());
    }
}

#[test]
fn three_antennas_serve_all_that_the_bound_says_is_possible() {
    let problem = day(3);
    let plan = improve(&problem, 1, STEPS);
    assert_eq!(
        plan.worth(&problem),
        bound(&problem, plan.worth(&problem), 2_000)
    );
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let problem = day(1);
    assert_eq!(improve(&problem, 7, 5_000), improve(&problem, 7, 5_000));
}
