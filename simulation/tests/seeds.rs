//! Nothing is broken, whatever fails.

use std::collections::BTreeSet;

use simulation::run_twice;

const SEEDS: u64 = 320;

fn hold(seeds: impl Iterator<Item = u64>) -> (usize, BTreeSet<&'static str>) {
    let mut void = 0;
    let mut faults = BTreeSet::new();
    for seed in seeds {
        let outcome = run_twice(seed);
        if let Err(broken) = &outcome.verdict {
            panic!("seed {seed}: {broken:?}\nreplay: {}", outcome.replay());
        }
        void += usize::from(outcome.is_void());
        faults.extend(outcome.traffic.faults.keys());
    }
    (void, faults)
}

#[test]
fn every_seed_keeps_every_invariant_converges_and_repeats_itself() {
    let halves = std::thread::scope(|scope| {
        let [a, b] = [0, 1]
            .map(|half| scope.spawn(move || hold((0..SEEDS).filter(|seed| seed % 2 == half))));
        [a.join(), b.join()]
    });
    let mut void = 0;
    let mut faults = BTreeSet::new();
    for half in halves {
        let (half_void, half_faults) = half.unwrap_or_else(|why| std::panic::resume_unwind(why));
        void += half_void;
        faults.extend(half_faults);
    }
    assert!(void < 40, "{void} of {SEEDS} runs were void");
    assert_eq!(faults.len(), 8, "every kind of fault happened: {faults:?}");
}
