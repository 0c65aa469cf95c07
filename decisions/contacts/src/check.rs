//! Judges plans, and shares nothing with what makes them.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::model::{Plan, Problem};

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// It does not speak of each request exactly once.
    #[error("the plan has {got} entries for {asked} requests")]
    Length {
        /// Entries of the plan.
        got: usize,
        /// Requests of the problem.
        asked: usize,
    },
    /// A request has a contact that it never offered.
    #[error("request {0} has a contact that it does not offer")]
    UnknownContact(usize),
    /// A request has an antenna that its site does not have.
    #[error("request {0} has an antenna that does not exist")]
    UnknownAntenna(usize),
    /// Two requests need the same antenna at one moment, set-up and tear-down counted.
    #[error("requests {0} and {1} need one antenna at the same time")]
    Collision(usize, usize),
}

/// When an antenna is busy, from and until, and for which request.
type Busy = (i64, i64, usize);

/// Holds a plan against its problem.
///
/// # Errors
///
/// The first [`Fault`] that is found.
pub fn check(problem: &Problem, plan: &Plan) -> Result<(), Fault> {
    let (got, asked) = (plan.assignments.len(), problem.requests().len());
    if got != asked {
        return Err(Fault::Length { got, asked });
    }
    let mut busy: BTreeMap<(usize, usize), Vec<Busy>> = BTreeMap::new();
    for (index, request) in problem.requests().iter().enumerate() {
        let Some(assignment) = plan.assignments[index] else {
            continue;
        };
        let contact = request.contacts.get(assignment.contact);
        let contact = contact.ok_or(Fault::UnknownContact(index))?;
        let site = problem.sites()[contact.site];
        if assignment.antenna >= site.antennas {
            return Err(Fault::UnknownAntenna(index));
        }
        let row = busy.entry((contact.site, assignment.antenna)).or_default();
        let from_ms = contact.from_ms - site.setup_ms;
        row.push((from_ms, contact.until_ms + site.teardown_ms, index));
    }
    for row in busy.values_mut() {
        row.sort_unstable();
        for pair in row.windows(2) {
            if pair[1].0 < pair[0].1 {
                return Err(Fault::Collision(pair[0].2, pair[1].2));
            }
        }
    }
    Ok(())
}
