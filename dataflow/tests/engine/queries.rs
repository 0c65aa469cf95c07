//! Plans as JSON, and the check that a query is exactly once.

use std::path::Path;

use dataflow::plan::Plan;
use serde_json::{Value, json};

use crate::harness::{Job, shown, streams};
use crate::oracle::sorted;

/// A query: its nodes at a parallelism, stepping or not; the last one's rows are its result.
pub(crate) type Nodes<'a> = &'a dyn Fn(u32, bool) -> Vec<Value>;

pub(crate) fn node(id: &str, parallelism: u32, inputs: &[&str], operator: Value) -> Value {
    json!({ "id": id, "parallelism": parallelism, "inputs": inputs, "operator": operator })
}

fn source(id: &str, paths: &[&Path], columns: &Value, delay: i64, stepping: bool) -> Value {
    let operator = json!({
        "kind": "source",
        "connector": { "files": { "paths": paths } },
        "columns": columns,
        "event_time": "timestamp",
        "delay": delay,
        "options": { "stepping": stepping },
    });
    node(id, 1, &[], operator)
}

/// Rows of `cars.json` as node `in`.
pub(crate) fn cars(delay: i64, stepping: bool) -> Value {
    let columns = json!([
        { "name": "timestamp", "type": "timestamp" },
        { "name": "driver_id", "type": "int" },
        { "name": "event_type", "type": "text" },
        { "name": "location", "type": "text" },
    ]);
    source(
        "in",
        &[&streams().join("cars.json")],
        &columns,
        delay,
        stepping,
    )
}

/// Rows of `impulse.json`.
pub(crate) fn impulse(id: &str, stepping: bool) -> Value {
    let columns = json!([
        { "name": "timestamp", "type": "timestamp" },
        { "name": "counter", "type": "int" },
    ]);
    source(
        id,
        &[&streams().join("impulse.json")],
        &columns,
        0,
        stepping,
    )
}

/// Doubles `x` of a file.
pub(crate) fn doubles(file: &Path, stepping: bool) -> Value {
    let columns = json!([
        { "name": "timestamp", "type": "timestamp" },
        { "name": "x", "type": "float" },
    ]);
    source("in", &[file], &columns, 0, stepping)
}

pub(crate) fn col(name: &str) -> Value {
    json!({ "column": name })
}

/// Keeps the rows whose text column is `value`.
pub(crate) fn only(column: &str, value: &str) -> Value {
    let literal = json!({ "literal": { "text": value } });
    json!({ "kind": "filter", "predicate": { "binary": [col(column), "eq", literal] } })
}

pub(crate) fn project(columns: &[(&str, Value)]) -> Value {
    let columns: Vec<Value> = columns
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!({ "kind": "project", "columns": columns })
}

/// `aggregates` are name, function, argument (nothing when empty).
pub(crate) fn window(keys: &[&str], span: Value, aggregates: &[(&str, &str, &str)]) -> Value {
    let of = |(name, function, argument): &(&str, &str, &str)| {
        let argument = Some(argument).filter(|argument| !argument.is_empty());
        json!({ "name": name, "function": function, "argument": argument })
    };
    let aggregates: Vec<Value> = aggregates.iter().map(of).collect();
    json!({
        "kind": "window", "keys": keys, "span": span,
        "aggregates": aggregates, "bounds": ["start", "end"],
    })
}

pub(crate) fn tumbling(width: i64) -> Value {
    json!({ "tumbling": { "width": width } })
}

pub(crate) fn sliding(slide: i64, width: i64) -> Value {
    json!({ "sliding": { "slide": slide, "width": width } })
}

pub(crate) fn session(gap: i64) -> Value {
    json!({ "session": { "gap": gap } })
}

/// A join of windows on their starts; columns are `l_` and `r_`.
pub(crate) fn join(side: &str) -> Value {
    json!({
        "kind": "join", "side": side, "left": ["start"], "right": ["start"],
        "prefixes": ["l_", "r_"],
    })
}

/// The plan with a sink into `output`.
pub(crate) fn plan(nodes: Nodes, parallelism: u32, stepping: bool, output: &Path) -> Plan {
    let mut nodes = nodes(parallelism, stepping);
    let last = nodes.last().unwrap()["id"].as_str().unwrap().to_string();
    let sink = json!({ "kind": "sink", "target": { "files": { "path": output } } });
    nodes.push(node("out", parallelism, &[&last], sink));
    Plan::from_json(&json!({ "nodes": nodes }).to_string()).unwrap()
}

/// What a sink has shown, in normal form.
pub(crate) fn found(output: &Path) -> Vec<String> {
    let rows = shown(output);
    let rows: Vec<Value> = rows
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    sorted(&rows)
}

/// The query gives `expected`: undisturbed at 1 and 3, and with checkpoints, kills and restores at
/// 1, 2, 3, 1, a source reading `rows` rows before each checkpoint.
pub(crate) fn check(rows: u64, nodes: Nodes, expected: &[Value]) {
    let expected = sorted(expected);
    assert!(!expected.is_empty(), "an empty result proves nothing");
    let folder = tempfile::tempdir().unwrap();
    for parallelism in [1, 3] {
        let output = folder.path().join(format!("undisturbed-{parallelism}"));
        let plan = plan(nodes, parallelism, false, &output);
        let workers = parallelism.min(2);
        let failures = Job::start(&plan, workers, 1, folder.path(), None).wait();
        assert_eq!(failures, vec![]);
        assert_eq!(found(&output), expected, "undisturbed at {parallelism}");
    }
    let output = folder.path().join("out");
    let mut restore = None;
    for (generation, parallelism) in (1u64..).zip([1, 2, 3, 1]) {
        let plan = plan(nodes, parallelism, true, &output);
        let workers = parallelism.min(2);
        let mut job = Job::start(&plan, workers, generation, folder.path(), restore.clone());
        if let Some(manifest) = &restore {
            job.commit_blindly(manifest.epoch);
        }
        for epoch in [generation * 10, generation * 10 + 1] {
            job.read(rows);
            let manifest = job.checkpoint(epoch, false).unwrap();
            // A run that dies between the checkpoint and its commit leaves it to the next one.
            if epoch % 10 == 0 || generation % 2 == 1 {
                job.commit(&manifest);
            }
            restore = Some(manifest);
        }
        job.read(rows / 2);
        job.kill();
    }
    let plan = plan(nodes, 2, false, &output);
    let last = Job::start(&plan, 2, 9, folder.path(), restore.clone());
    last.commit_blindly(restore.unwrap().epoch);
    assert_eq!(last.wait(), vec![]);
    assert_eq!(found(&output), expected, "disturbed");
}
