//! Plans over a log that a test writes, and what must come out of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chassis::testing::PATIENCE;
use dataflow::columns::{Column, Type};
use dataflow::plan::{
    Aggregate, Connector, Function, Node, Operator, Plan, SinkTarget, Source, SourceOptions, Span,
    Window,
};
use dataflow::sources::log;

/// Partitions of the log.
pub(crate) const PARTITIONS: u32 = 2;

fn node(id: &str, parallelism: u32, inputs: &[&str], operator: Operator) -> Node {
    Node {
        id: id.into(),
        parallelism,
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        operator,
    }
}

fn source(path: &Path) -> Operator {
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
    };
    Operator::Source(Source {
        connector: Connector::Log {
            path: path.to_path_buf(),
            partitions: PARTITIONS,
            bounded: false,
        },
        columns: vec![
            column("at", Type::Timestamp),
            column("number", Type::Int),
            column("key", Type::Text),
        ],
        event_time: Some("at".into()),
        delay: 0,
        options: SourceOptions {
            linger: 1,
            ..SourceOptions::default()
        },
    })
}

fn sink(path: &Path) -> Operator {
    let path = path.to_path_buf();
    Operator::Sink {
        target: SinkTarget::Files { path },
    }
}

/// Every row of the log `input`, through an exchange, into files of `output`.
pub(crate) fn copy(input: &Path, output: &Path) -> Plan {
    log::create(input, PARTITIONS).unwrap();
    Plan {
        nodes: vec![
            node("lines", 2, &[], source(input)),
            node("out", 1, &["lines"], sink(output)),
        ],
    }
}

/// Counts by key in seconds of event time.
pub(crate) fn counts(input: &Path, output: &Path, parallelism: u32) -> Plan {
    log::create(input, PARTITIONS).unwrap();
    let count = Aggregate {
        name: "count".into(),
        function: Function::Count,
        argument: None,
    };
    let window = Window {
        keys: vec!["key".into()],
        span: Span::Tumbling { width: 1_000_000 },
        aggregates: vec![count],
        bounds: ("start".into(), "end".into()),
    };
    Plan {
        nodes: vec![
            node("lines", 1, &[], source(input)),
            node("count", parallelism, &["lines"], Operator::Window(window)),
            node("out", parallelism, &["count"], sink(output)),
        ],
    }
}

/// So many numbers, as fast as they come.
pub(crate) fn impulse(count: u64, output: &Path) -> Plan {
    let source = Operator::Source(Source {
        connector: Connector::Impulse {
            count: Some(count),
            rate: 0,
            step: 1,
            start: 0,
        },
        columns: Vec::new(),
        event_time: None,
        delay: 0,
        options: SourceOptions::default(),
    });
    Plan {
        nodes: vec![
            node("numbers", 2, &[], source),
            node("out", 2, &["numbers"], sink(output)),
        ],
    }
}

/// A line of the log: number `number`, at that many milliseconds.
fn line(number: u64) -> String {
    let (seconds, millis) = (number / 1_000, number % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let key = number % 7;
    format!(
        "{{\"at\":\"2026-01-01T00:{minutes:02}:{seconds:02}.{millis:03}Z\",\
         \"number\":{number},\"key\":\"k{key}\"}}"
    )
}

/// Appends these numbers, in turn to each partition.
pub(crate) fn append(input: &Path, numbers: std::ops::Range<u64>) {
    for partition in 0..PARTITIONS {
        let own = numbers
            .clone()
            .filter(|n| n % u64::from(PARTITIONS) == u64::from(partition));
        let lines: Vec<String> = own.map(line).collect();
        log::append(input, partition, lines.iter().map(String::as_str)).unwrap();
    }
}

/// All rows that are shown.
pub(crate) fn shown(output: &Path) -> Vec<serde_json::Value> {
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(output).into_iter().flatten() {
        let path = entry.unwrap().path();
        let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
        // A file may be renamed while the folder is read: then it is seen the next time.
        if let (false, Ok(text)) = (hidden, std::fs::read_to_string(&path)) {
            rows.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
        }
    }
    rows
}

/// The numbers that are shown, with how often each is.
pub(crate) fn numbers(output: &Path) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for row in shown(output) {
        *found.entry(row["number"].as_u64().unwrap()).or_default() += 1;
    }
    found
}

/// Waits until something is shown as it should be.
pub(crate) async fn until_shown(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        // why: the condition is looked at again.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every number once, none twice.
pub(crate) fn check_exactly_once(output: &Path, count: u64) {
    let found = numbers(output);
    let twice: Vec<_> = found
        .iter()
        .filter(|(_, times)| **times > 1)
        .take(5)
        .collect();
    assert!(twice.is_empty(), "shown twice: {twice:?}");
    let missing: Vec<u64> = (0..count)
        .filter(|n| !found.contains_key(n))
        .take(5)
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(found.len() as u64, count);
}

/// What the counts of these numbers must be: by second and key.
pub(crate) fn expected_counts(count: u64) -> BTreeMap<(u64, String), u64> {
    let mut expected = BTreeMap::new();
    for number in 0..count {
        let window = (number / 1_000, format!("k{}", number % 7));
        *expected.entry(window).or_default() += 1;
    }
    expected
}

/// The counts that are shown.
///
/// # Panics
/// If one is shown twice.
pub(crate) fn shown_counts(output: &Path) -> BTreeMap<(u64, String), u64> {
    let mut found = BTreeMap::new();
    for row in shown(output) {
        let start = row["start"].as_str().unwrap().to_owned();
        let clock = start.split_once("T00:").unwrap().1;
        let minutes: u64 = clock[..2].parse().unwrap();
        let seconds: u64 = clock[3..5].parse().unwrap();
        let window = (
            minutes * 60 + seconds,
            row["key"].as_str().unwrap().to_owned(),
        );
        let before = found.insert(window.clone(), row["count"].as_u64().unwrap());
        assert_eq!(before, None, "{window:?} is shown twice");
    }
    found
}
