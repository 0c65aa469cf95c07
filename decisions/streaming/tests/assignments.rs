//! Which worker runs which task, which programs can run, and how long a repetition waits.

use std::collections::BTreeSet;

use proptest::prelude::*;
use streaming::{
    Edge, Exchange, Operator, OperatorId, Parallelism, Program, ProgramError, Random, TaskId,
    TooFewSlots, WorkerFact, WorkerId, compute_assignments, pause,
};

fn worker(id: u64, node: &str, slots: u32) -> WorkerFact {
    WorkerFact {
        id: WorkerId(id),
        node: node.to_owned(),
        slots,
    }
}

fn parallelism(counts: &[u32]) -> Parallelism {
    let ids = (0..).map(OperatorId);
    ids.zip(counts.iter().copied()).collect()
}

fn operator(id: u32) -> Operator {
    Operator {
        id: OperatorId(id),
        name: format!("operator {id}"),
        parallelism: 2,
        source: id == 0,
        shows: false,
    }
}

fn program(edges: &[(u32, u32)]) -> Program {
    let edge = |(from, to): &(u32, u32)| Edge {
        from: OperatorId(*from),
        to: OperatorId(*to),
        exchange: Exchange::Forward,
    };
    Program {
        operators: (0..3).map(operator).collect(),
        edges: edges.iter().map(edge).collect(),
    }
}

#[test]
fn subtask_i_of_every_operator_is_on_the_same_worker() {
    let wanted = parallelism(&[4, 2]);
    let found = compute_assignments(&wanted, &[worker(1, "a", 3), worker(2, "b", 1)]).unwrap();
    let on = |subtask| found.worker_of(subtask).unwrap().0;
    assert_eq!([on(0), on(1), on(2), on(3)], [1, 1, 1, 2]);
    assert_eq!(found.worker_of(4), None);
    let tasks = found.tasks(&wanted);
    let second: Vec<TaskId> = tasks[1].1.clone();
    assert_eq!(second, [TaskId::new(0, 3)]);
}

#[test]
fn too_few_slots_are_refused_with_both_numbers() {
    let refused = compute_assignments(&parallelism(&[4]), &[worker(1, "a", 3)]).unwrap_err();
    assert_eq!(
        refused,
        TooFewSlots {
            needed: 4,
            found: 3
        }
    );
    assert_eq!(
        refused.to_string(),
        "4 slots are needed, and the workers have 3"
    );
}

#[test]
fn nodes_take_turns_so_that_the_death_of_one_takes_few_workers() {
    let workers = [
        worker(1, "a", 1),
        worker(2, "a", 1),
        worker(3, "b", 1),
        worker(4, "c", 1),
    ];
    let found = compute_assignments(&parallelism(&[3]), &workers).unwrap();
    let used: Vec<u64> = found.shares.iter().map(|share| share.worker.0).collect();
    assert_eq!(used, [1, 3, 4]);
}

#[test]
fn a_program_that_cannot_run_says_what_is_wrong() {
    assert_eq!(program(&[(0, 1), (1, 2)]).check(), Ok(()));
    assert_eq!(Program::default().check(), Err(ProgramError::Empty));
    let unknown = program(&[(0, 7)]).check();
    assert_eq!(unknown, Err(ProgramError::Unknown(OperatorId(7))));
    let circle = program(&[(0, 1), (1, 2), (2, 1)]).check();
    assert!(matches!(circle, Err(ProgramError::Circle(_))), "{circle:?}");
    let with = |parallelism| {
        let mut program = program(&[(0, 1)]);
        program.operators[1].parallelism = parallelism;
        program
    };
    let zero = with(0).check();
    assert_eq!(zero, Err(ProgramError::NoSubtasks(OperatorId(1))));
    let many = with(2_000_000).check();
    assert!(
        matches!(many, Err(ProgramError::TooManyTasks(_))),
        "{many:?}"
    );
}

proptest! {
    #[test]
    fn every_task_has_one_worker_and_no_worker_more_slots_than_it_brought(
        counts in prop::collection::vec(1_u32..20, 1..5),
        slots in prop::collection::vec((0_u8..4, 0_u32..6), 1..12),
    ) {
        let wanted = parallelism(&counts);
        let brought = slots.iter().zip(1..);
        let workers: Vec<_> = brought
            .map(|((node, slots), id)| worker(id, &format!("n{node}"), *slots))
            .collect();
        let Ok(found) = compute_assignments(&wanted, &workers) else {
            let all: u32 = workers.iter().map(|worker| worker.slots).sum();
            prop_assert!(all < *counts.iter().max().unwrap());
            return Ok(());
        };
        for share in &found.shares {
            let own = workers.iter().find(|worker| worker.id == share.worker).unwrap();
            prop_assert!(share.end > share.first && share.end - share.first <= own.slots);
        }
        let tasks = found.tasks(&wanted);
        let all: Vec<TaskId> = tasks.iter().flat_map(|(_, tasks)| tasks.clone()).collect();
        let distinct: BTreeSet<TaskId> = all.iter().copied().collect();
        prop_assert_eq!(all.len(), distinct.len());
        prop_assert_eq!(all.len() as u32, counts.iter().sum::<u32>());
        let reversed: Vec<_> = workers.into_iter().rev().collect();
        prop_assert_eq!(compute_assignments(&wanted, &reversed).unwrap(), found);
    }

    #[test]
    fn a_pause_doubles_up_to_its_maximum_and_half_of_it_is_random(
        n in any::<u32>(), seed in any::<u64>(),
    ) {
        let whole = if n < 10 { (100_u64 << n).min(30_000) } else { 30_000 };
        let found = pause(100, 30_000, n, &mut Random::new(seed));
        prop_assert!((whole - whole / 2..=whole).contains(&found), "{} of {}", found, whole);
    }
}
