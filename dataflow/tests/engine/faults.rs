//! Bad rows, broken checkpoints, and stops at bad moments.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dataflow::failure::{Domain, Hint};
use dataflow::manifest::Manifest;
use dataflow::plan::Plan;
use serde_json::{Value, json};

use crate::harness::Job;
use crate::oracle::{self, HOUR, MINUTE, grouped, sorted};
use crate::queries::{cars, doubles, found, node, plan, tumbling, window};

/// Three good rows and three that are none.
fn half_bad(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("rows.json");
    let good = |second: u32| format!("{{\"timestamp\":\"2024-01-01T00:00:0{second}Z\",\"x\":1}}");
    let bad = [
        "{\"timestamp\":",
        "{\"timestamp\":null,\"x\":2}",
        "{\"x\":\"word\"}",
    ];
    let lines = [
        good(1),
        bad[0].into(),
        good(2),
        bad[1].into(),
        bad[2].into(),
        good(3),
    ];
    fs::write(&path, lines.join("\n")).unwrap();
    path
}

fn with_policy(folder: &Path, policy: &Value) -> Plan {
    let path = half_bad(folder);
    let nodes = |_, stepping| {
        let mut source = doubles(&path, stepping);
        source["operator"]["options"]["bad_rows"] = policy.clone();
        vec![source]
    };
    plan(&nodes, 1, false, &folder.join("out"))
}

#[test]
fn bad_rows_are_dropped_or_kept_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let aside = folder.path().join("aside");
    for policy in [json!("drop"), json!({ "keep": aside })] {
        _ = fs::remove_dir_all(folder.path().join("out"));
        let plan = with_policy(folder.path(), &policy);
        let failures = Job::start(&plan, 1, 1, folder.path(), None).wait();
        assert_eq!(failures, vec![], "{policy}");
        assert_eq!(found(&folder.path().join("out")).len(), 3, "{policy}");
    }
    let kept = fs::read_to_string(aside.join("in-0000.bad.json")).unwrap();
    let kept: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[2]["row"], "{\"x\":\"word\"}");
    assert!(
        kept.iter()
            .all(|row| !row["reason"].as_str().unwrap().is_empty())
    );
}

#[test]
fn a_bad_row_fails_the_job_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let plan = with_policy(folder.path(), &json!("fail"));
    let job = Job::start(&plan, 1, 1, folder.path(), None);
    let failures = job.wait();
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].domain, failures[0].hint),
        (Domain::User, Hint::NoRetry)
    );
    assert!(
        failures[0].message.contains("rows.json at byte"),
        "{}",
        failures[0]
    );
}

fn places(p: u32, stepping: bool) -> Vec<Value> {
    let hourly = window(&["location"], tumbling(HOUR), &[("n", "count", "")]);
    vec![cars(MINUTE, stepping), node("hourly", p, &["in"], hourly)]
}

fn expected() -> Vec<String> {
    let rows = oracle::cars().into_iter();
    let groups = grouped(rows.map(|car| ((car.place, car.time - car.time % HOUR), ())));
    let rows: Vec<Value> = groups
        .iter()
        .map(|((place, start), rows)| {
            let (start, end) = (start.to_string(), (start + HOUR).to_string());
            json!({ "location": place, "start": start, "end": end, "n": rows.len() })
        })
        .collect();
    sorted(&rows)
}

/// Two checkpoints, the newer one not committed, then a kill.
fn two_checkpoints(folder: &Path) -> (Manifest, Manifest) {
    let plan = plan(&places, 2, true, &folder.join("out"));
    let mut job = Job::start(&plan, 2, 1, folder, None);
    job.read(900);
    let older = job.checkpoint(1, false).unwrap();
    job.commit(&older);
    job.read(900);
    let newer = job.checkpoint(2, false).unwrap();
    job.kill();
    (older, newer)
}

/// The newer checkpoint is refused with these words; the older one loses and doubles nothing.
fn falls_back(damage: impl Fn(&Path), words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (older, newer) = two_checkpoints(folder.path());
    let old: Vec<&String> = older.files().map(|file| &file.file).collect();
    let file = newer
        .files()
        .find(|file| file.rows > 0 && !old.contains(&&file.file));
    damage(&folder.path().join("checkpoints").join(&file.unwrap().file));
    let plan = plan(&places, 2, false, &folder.path().join("out"));
    let job = Job::start(&plan, 1, 2, folder.path(), Some(newer));
    let failure = job.first_failure();
    assert_eq!(
        (failure.domain, failure.hint),
        (Domain::External, Hint::OlderCheckpoint)
    );
    assert!(failure.message.contains(words), "{failure}");
    let job = Job::start(&plan, 2, 3, folder.path(), Some(older));
    assert_eq!(job.wait(), vec![]);
    assert_eq!(found(&folder.path().join("out")), expected());
}

#[test]
fn a_corrupt_checkpoint_is_refused_and_the_older_one_is_whole() {
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    falls_back(flip, "its checksum is wrong");
}

#[test]
fn a_cut_checkpoint_is_refused_and_the_older_one_is_whole() {
    let cut = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..10]).unwrap();
    falls_back(cut, "it has 10 bytes");
}

#[test]
fn a_missing_file_is_named_and_the_older_checkpoint_is_whole() {
    falls_back(|path| fs::remove_file(path).unwrap(), "is missing");
}

#[test]
fn a_stop_while_a_worker_is_dialled_takes_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&places, 2, true, &folder.path().join("out"));
    let job = Job::start_without(&plan, 2, folder.path());
    let since = Instant::now();
    job.kill();
    assert!(
        since.elapsed() < Duration::from_millis(900),
        "{:?}",
        since.elapsed()
    );
}
