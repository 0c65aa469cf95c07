//! Checkpoints, kills and restores in the middle of windows.

use dataflow::plan::Span;

use crate::harness::{Job, shown, streams};
use crate::shared::hourly;

const HOUR: i64 = 3_600_000_000;

#[test]
fn hourly_counts_are_those_expected() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let plan = hourly(Span::Tumbling { width: HOUR }, 2, false, &output);
    assert_eq!(Job::start(&plan, 2, 1, folder.path(), None).wait(), vec![]);
    let brief = |line: &str, hour: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{} {} {}", row["event_type"], row[hour], row["count"])
    };
    let mut found: Vec<String> = shown(&output)
        .iter()
        .map(|line| brief(line, "start"))
        .collect();
    let expected = streams().join("expected/hourly_by_event_type.json");
    let expected = std::fs::read_to_string(expected).unwrap();
    let mut expected: Vec<String> = expected.lines().map(|line| brief(line, "hour")).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Checkpoint, kill, restore at 1, 2, 3, 1, with rows after each checkpoint that are lost.
fn disturbed(span: Span) {
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = folder.path().join("undisturbed");
    let plan = hourly(span, 1, false, &undisturbed);
    assert_eq!(Job::start(&plan, 1, 1, folder.path(), None).wait(), vec![]);

    let output = folder.path().join("out");
    let mut restore = None;
    for (generation, parallelism) in (1u64..).zip([1, 2, 3, 1]) {
        let plan = hourly(span, parallelism, true, &output);
        let workers = parallelism.min(2);
        let mut job = Job::start(&plan, workers, generation, folder.path(), restore.clone());
        if let Some(manifest) = &restore {
            job.commit_blindly(manifest.epoch);
        }
        for epoch in [generation * 10, generation * 10 + 1] {
            job.step(333);
            let manifest = job.checkpoint(epoch, false).unwrap();
            job.commit(&manifest);
            restore = Some(manifest);
        }
        job.step(500);
        job.kill();
    }
    let plan = hourly(span, 2, false, &output);
    let last = Job::start(&plan, 2, 9, folder.path(), restore);
    assert_eq!(last.wait(), vec![]);
    assert_eq!(shown(&output), shown(&undisturbed));
}

#[test]
fn tumbling_windows_survive_kills_at_any_parallelism() {
    disturbed(Span::Tumbling { width: HOUR });
}

#[test]
fn sliding_windows_survive_kills_at_any_parallelism() {
    disturbed(Span::Sliding {
        slide: HOUR / 12,
        width: HOUR,
    });
}

#[test]
fn sessions_survive_kills_at_any_parallelism() {
    disturbed(Span::Session { gap: 15_000_000 });
}
