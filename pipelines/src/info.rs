//! Jobs as they are shown.

use dataflow::events::TaskMetrics;
use pipelines::{CheckpointInfo, JobInfo, TaskNumbers, WorkerInfo};
use serde::Serialize;
use streaming::{Job, Row, Stop, WorkerId};

use crate::backend::WorkerRecord;
use crate::record::Record;

/// The word of an enum as it is written in JSON.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    let word = value.as_ref().and_then(|value| value.as_str());
    word.unwrap_or_default().to_owned()
}

pub(crate) fn checkpoint(row: &Row) -> CheckpointInfo {
    CheckpointInfo {
        epoch: row.id.epoch.0,
        generation: row.id.generation.0,
        state: word(&row.state),
        started_at_ms: row.started_at_ms,
        finished_at_ms: row.finished_at_ms,
        bytes: row.bytes,
        why: row.why.clone(),
    }
}

pub(crate) fn job(
    record: &Record,
    job: &Job,
    find: impl Fn(WorkerId) -> Option<WorkerRecord>,
) -> JobInfo {
    let facts = job.facts();
    let operators = record.wish.program.operators.iter();
    let worker = |fact: &streaming::WorkerFact| {
        let found = find(fact.id);
        let address = found.as_ref().and_then(|worker| worker.address);
        WorkerInfo {
            id: fact.id.0,
            node: fact.node.clone(),
            slots: fact.slots,
            pid: found.map_or(0, |worker| worker.process.pid),
            address: address.map_or(String::new(), |address| address.to_string()),
        }
    };
    let wish = match record.wish.stop {
        Stop::None => "run".into(),
        stop => format!("stop ({})", word(&stop)),
    };
    JobInfo {
        name: record.name.clone(),
        state: word(&facts.state),
        wish,
        generation: facts.generation.0,
        restarts: facts.restarts,
        parallelism: operators.map(|o| (o.name.clone(), o.parallelism)).collect(),
        workers: facts.workers.iter().map(worker).collect(),
        started_at_ms: facts.started_at_ms,
        finished_at_ms: facts.finished_at_ms,
        failure: facts.failure.as_ref().map(|f| f.message.clone()),
        checkpoint: job.catalogue().newest_whole().map(checkpoint),
    }
}

pub(crate) fn numbers(metrics: TaskMetrics) -> TaskNumbers {
    TaskNumbers {
        task: metrics.task.to_string(),
        rows_in: metrics.rows_in,
        rows_out: metrics.rows_out,
        blocked_ms: metrics.blocked_nanos / 1_000_000,
        late_rows: metrics.late_rows,
        bad_rows: metrics.bad_rows,
        watermark: metrics.watermark,
        state_bytes: metrics.state_bytes,
    }
}
