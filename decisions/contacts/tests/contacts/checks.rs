//! What the checker refuses.

use contacts::{Assignment, Contact, Fault, Plan, Problem, Request, Site, check};

fn pair(second_from_ms: i64) -> Problem {
    let site = Site {
        antennas: 2,
        setup_ms: 3,
        teardown_ms: 4,
    };
    let asked = |from_ms| Request {
        weight: 1,
        contacts: vec![Contact {
            site: 0,
            from_ms,
            until_ms: from_ms + 10,
        }],
    };
    Problem::new(vec![site], vec![asked(0), asked(second_from_ms)]).expect("it is one")
}

fn verdict(problem: &Problem, given: &[(usize, usize)]) -> Result<(), Fault> {
    let assignments = given
        .iter()
        .map(|&(contact, antenna)| Some(Assignment { contact, antenna }))
        .collect();
    check(problem, &Plan { assignments })
}

#[test]
fn set_up_and_tear_down_keep_an_antenna_busy_to_the_millisecond() {
    assert_eq!(verdict(&pair(17), &[(0, 0), (0, 0)]), Ok(()));
    assert_eq!(
        verdict(&pair(16), &[(0, 0), (0, 0)]),
        Err(Fault::Collision(0, 1))
    );
    assert_eq!(verdict(&pair(16), &[(0, 0), (0, 1)]), Ok(()));
}

#[test]
fn a_plan_speaks_of_contacts_antennas_and_requests_that_exist() {
    assert_eq!(
        verdict(&pair(50), &[(0, 0), (1, 0)]),
        Err(Fault::UnknownContact(1))
    );
    assert_eq!(
        verdict(&pair(50), &[(0, 2), (0, 0)]),
        Err(Fault::UnknownAntenna(0))
    );
    let short = Fault::Length { got: 1, asked: 2 };
    assert_eq!(verdict(&pair(50), &[(0, 0)]), Err(short));
}
