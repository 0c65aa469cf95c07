//! The commit of a place, under every order of two or three workers that the memory model allows.
//!
//! It is the scheduler's own source, compiled with loom's atomics.

#[path = "../../src/scheduler/cell.rs"]
#[expect(dead_code, reason = "the scheduler uses more of it")]
mod cell;
#[path = "../../src/scheduler/request.rs"]
#[expect(unreachable_pub, reason = "in the library it is public")]
mod request;
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

use loom::sync::Arc;
use loom::thread;

use self::cell::Cell;
use self::request::ResourceRequest;

fn amounts(cpu_millicores: u32, memory_mb: u32) -> ResourceRequest {
    ResourceRequest {
        cpu_millicores,
        memory_mb,
        gpu_count: 1,
    }
}

const LIMIT: ResourceRequest = ResourceRequest {
    cpu_millicores: 10,
    memory_mb: 100,
    gpu_count: 9,
};

/// What each worker's request came to, and what is taken at the end.
fn all_take(requests: &'static [ResourceRequest]) -> (Vec<bool>, ResourceRequest) {
    let cell = Arc::new(Cell::new());
    let workers: Vec<_> = requests
        .iter()
        .map(|request| {
            let cell = Arc::clone(&cell);
            thread::spawn(move || cell.take(request, &LIMIT))
        })
        .collect();
    let taken = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .collect();
    (taken, cell.used())
}

#[test]
fn of_two_that_do_not_fit_together_one_gets_it_whoever_is_faster() {
    const BOTH: &[ResourceRequest] = &[
        ResourceRequest {
            cpu_millicores: 6,
            memory_mb: 10,
            gpu_count: 1,
        },
        ResourceRequest {
            cpu_millicores: 5,
            memory_mb: 20,
            gpu_count: 1,
        },
    ];
    loom::model(|| {
        let (taken, used) = all_take(BOTH);
        assert!(taken[0] != taken[1], "one, and not both");
        let winner = if taken[0] { 0 } else { 1 };
        assert_eq!(
            used, BOTH[winner],
            "and the other has taken nothing of any kind"
        );
    });
}

#[test]
fn of_three_as_many_as_fit_get_it_and_nothing_is_lost() {
    const THREE: &[ResourceRequest] = &[
        ResourceRequest {
            cpu_millicores: 4,
            memory_mb: 10,
            gpu_count: 1,
        },
        ResourceRequest {
            cpu_millicores: 4,
            memory_mb: 10,
            gpu_count: 1,
        },
        ResourceRequest {
            cpu_millicores: 4,
            memory_mb: 10,
            gpu_count: 1,
        },
    ];
    // All orders of three workers are too many; those in which a worker is interrupted up to three
    // times beyond where it waits are enough to lose an update, if one can be lost.
    let mut few = loom::model::Builder::new();
    few.preemption_bound = Some(3);
    few.check(|| {
        let (taken, used) = all_take(THREE);
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 2);
        assert_eq!(
            (used.cpu_millicores, used.memory_mb, used.gpu_count),
            (8, 20, 2)
        );
    });
}

#[test]
fn what_is_given_back_while_others_take_is_there_for_them_or_not_but_never_twice() {
    loom::model(|| {
        let cell = Arc::new(Cell::new());
        assert!(cell.take(&amounts(8, 50), &LIMIT));
        let gives = Arc::clone(&cell);
        let giver = thread::spawn(move || gives.give(&amounts(8, 50)));
        let took = cell.take(&amounts(7, 60), &LIMIT);
        giver.join().unwrap();
        let left = if took {
            amounts(7, 60)
        } else {
            ResourceRequest::default()
        };
        assert_eq!(cell.used(), left);
    });
}
