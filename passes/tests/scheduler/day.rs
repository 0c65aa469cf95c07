//! Whole days.

use std::time::{Duration, Instant};

use passes::simulation::{Options, TARGET, curve, run};

#[test]
fn deadline_compliance_at_1400_jobs_is_at_least_99_9_percent() {
    for seed in 1..=20 {
        let options = Options {
            seed,
            ..Options::new(1_400)
        };
        let day = run(options);
        assert!(day.compliance() >= TARGET, "{day}");
        assert_eq!(day.submitted.iter().sum::<u64>(), 1_400);
        assert!(day.alert_wait_ms_max <= options.tick_ms, "{day}");
    }
}

#[test]
fn the_day_takes_less_than_60_seconds() {
    let start = Instant::now();
    let _ = run(Options::new(1_400));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_same_options_are_the_same_day() {
    let options = Options {
        jobs: 5_600,
        ..Options::new(1_400)
    };
    let day = run(options);
    assert_eq!(day, run(options));
    assert_ne!(day, run(Options { seed: 2, ..options }));
}

#[test]
fn every_job_of_a_day_is_done_late_given_up_or_refused() {
    let day = run(Options::new(11_200));
    let metrics = &day.end;
    assert_eq!(metrics.total_submitted, 11_200);
    assert_eq!(metrics.queue_depth_by_priority, [0; 3]);
    let in_time: u64 = day.in_time.iter().sum();
    assert_eq!(
        in_time + metrics.deadline_misses + metrics.total_rejected,
        11_200
    );
    let by_region: u64 = day.by_region.iter().map(|(_, count)| count).sum();
    assert_eq!(by_region, in_time);
}

#[test]
fn at_4_times_the_load_ours_keeps_99_9_percent_of_what_the_bound_says_is_possible() {
    for point in curve(Options::new(1_400), [1, 4, 6, 8]).0 {
        let [fifo, edf, ours]: [u64; 3] =
            [point.fifo, point.edf, point.ours].map(|done| done.iter().sum());
        let possible = |done: u64| done as f64 <= point.bound + 1e-6;
        assert!(
            possible(fifo) && possible(edf) && possible(ours),
            "{point:?}"
        );
        assert!(ours > edf.max(fifo), "{point:?}");
        assert!(
            point.load > 4 || ours as f64 >= TARGET * point.bound,
            "{point:?}"
        );
        assert_eq!(point.ours[0], point.submitted[0], "all alerts");
    }
}
