//! Small problems, held against every possible plan.

use contacts::{Contact, Plan, Problem, ProblemError, Request, Rule, Site};
use contacts::{bound, check, greedy, improve};
use proptest::prelude::*;

fn contact() -> impl Strategy<Value = Contact> {
    (0..2_usize, 0..40_i64, 1..12_i64).prop_map(|(site, from_ms, length_ms)| Contact {
        site,
        from_ms,
        until_ms: from_ms + length_ms,
    })
}

fn problem() -> impl Strategy<Value = Problem> {
    let request = (1..4_u32, prop::collection::vec(contact(), 0..3))
        .prop_map(|(weight, contacts)| Request { weight, contacts });
    let site =
        (1..3_usize, 0..3_i64, 0..3_i64).prop_map(|(antennas, setup_ms, teardown_ms)| Site {
            antennas,
            setup_ms,
            teardown_ms,
        });
    (
        prop::collection::vec(site, 2),
        prop::collection::vec(request, 0..8),
    )
        .prop_map(|(sites, requests)| Problem::new(sites, requests).expect("it is one"))
}

/// The busy time of a contact, as `(site, from, until)`.
type Busy = (usize, i64, i64);

/// The best worth of all plans, by trying them: antennas suffice if no moment has too many.
fn best(problem: &Problem, next: usize, taken: &mut Vec<Busy>) -> u64 {
    let Some(request) = problem.requests().get(next) else {
        return 0;
    };
    let mut most = best(problem, next + 1, taken);
    for contact in &request.contacts {
        let site = problem.sites()[contact.site];
        let from_ms = contact.from_ms - site.setup_ms;
        taken.push((contact.site, from_ms, contact.until_ms + site.teardown_ms));
        if fits(problem, taken) {
            let rest = best(problem, next + 1, taken);
            most = most.max(u64::from(request.weight) + rest);
        }
        taken.pop();
    }
    most
}

fn fits(problem: &Problem, taken: &[Busy]) -> bool {
    taken.iter().all(|&(site, at, _)| {
        let there = taken.iter().filter(|other| other.0 == site);
        there.filter(|other| other.1 <= at && at < other.2).count()
            <= problem.sites()[site].antennas
    })
}

fn worth(problem: &Problem, plan: &Plan) -> u64 {
    check(problem, plan).expect("a plan that can be flown");
    plan.worth(problem)
}

proptest! {
    #[test]
    fn no_plan_is_better_than_the_best_and_no_bound_is_below_it(problem in problem()) {
        let best = best(&problem, 0, &mut Vec::new());
        prop_assert!(bound(&problem, 0, 60) >= best);
        prop_assert!(bound(&problem, best, 60) >= best);
        let ours = worth(&problem, &improve(&problem, 3, 1_000));
        prop_assert!(ours <= best);
        for rule in [Rule::EarliestEnd, Rule::FewestAlternatives] {
            prop_assert!(worth(&problem, &greedy(&problem, rule)) <= ours);
        }
    }
}

#[test]
fn a_bound_without_rounds_is_what_has_a_contact_at_all() {
    let site = Site {
        antennas: 1,
        setup_ms: 0,
        teardown_ms: 0,
    };
    let pass = Contact {
        site: 0,
        from_ms: 0,
        until_ms: 1,
    };
    let some = Request {
        weight: 5,
        contacts: vec![pass],
    };
    let none = Request {
        weight: 7,
        contacts: vec![],
    };
    let problem = Problem::new(vec![site], vec![some, none]).expect("it is one");
    assert_eq!(bound(&problem, 0, 0), 5);
}

#[test]
fn what_cannot_be_meant_is_refused_by_its_index() {
    let site = Site {
        antennas: 1,
        setup_ms: 0,
        teardown_ms: 0,
    };
    let asked = |site, until_ms| Request {
        weight: 1,
        contacts: vec![Contact {
            site,
            from_ms: 0,
            until_ms,
        }],
    };
    let refused = |sites, requests| Problem::new(sites, requests).err();
    let closed = Site {
        antennas: 0,
        ..site
    };
    let early = Site {
        setup_ms: -1,
        ..site
    };
    assert_eq!(
        refused(vec![site, closed], vec![]),
        Some(ProblemError::Site(1))
    );
    assert_eq!(refused(vec![early], vec![]), Some(ProblemError::Site(0)));
    let far = asked(0, i64::MAX);
    assert_eq!(refused(vec![site], vec![far]), Some(ProblemError::Empty(0)));
    let elsewhere = vec![asked(0, 1), asked(1, 1)];
    assert_eq!(
        refused(vec![site], elsewhere),
        Some(ProblemError::UnknownSite(1))
    );
    assert_eq!(
        refused(vec![site], vec![asked(0, 0)]),
        Some(ProblemError::Empty(0))
    );
}
