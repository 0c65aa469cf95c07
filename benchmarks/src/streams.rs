//! streams: rows through two worker processes, and how soon a job runs, recovers and is saved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pipelines::{
    CheckpointInfo, JobArgs, JobInfo, PipelinesClient, RescaleArgs, StopArgs, StopMode, SubmitArgs,
};
use rpc::Channel;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::Failure;
use crate::against::services::{Program, build, free_address};
use crate::report::{Section, table};
use crate::units::{median, micros, rate, to_f64};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// What Apache Flink 2.2.1 reached on such a machine, and what is asked of ours (issue 6).
const FLINK: [(&str, f64, f64); 3] = [
    ("keyed count, 1,000 keys", 3.9e6, 40e6),
    ("keyed count, 1,000,000 keys", 2.4e6, 15e6),
    ("tumbling count by 1,000 keys", 3.6e6, 30e6),
];

/// # Errors
/// If a job does not do what it is asked for.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let folder = build(&["pipelines"])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let service = Service::start(&folder)?;
        let rates = rates(&service, quick).await?;
        let times = times(&service, if quick { 3 } else { 10 }).await?;
        Ok(Section {
            name: "streams",
            body: format!(
                "One job at a time on the service `pipelines` (profile `release`), two worker \
                 processes with a slot each: two subtasks of a source that numbers its rows, an \
                 exchange by key that sends half of them over loopback TCP, two subtasks of a \
                 window, two of a sink that counts; a keyed count is one \
                 window that never closes. From the first task that runs to the job's \
                 end, a checkpoint every 10 s. Flink 2.2.1 on such a machine, quoted.\n\n{}\n\
                 Medians of {} runs.\n\n{}\n",
                rates,
                if quick { 3 } else { 10 },
                times
            ),
        })
    })
}

/// The service, with a folder of its own.
struct Service {
    _program: Program,
    _data: tempfile::TempDir,
    client: PipelinesClient,
}

impl Service {
    fn start(folder: &Path) -> Result<Self, Failure> {
        let data = tempfile::tempdir()?;
        let (address, nobody) = (free_address()?, free_address()?);
        let program: PathBuf = folder.join("pipelines");
        let mut command = Command::new(program);
        command
            .env("ORRERY_DATA", data.path())
            .args(["--address", &address.to_string()])
            .args(["--discovery", &nobody.to_string()])
            .args(["--worker-slots", "1", "--orphan-seconds", "5"]);
        Ok(Self {
            _program: Program::start(&mut command, address)?,
            _data: data,
            client: PipelinesClient::new(Channel::to(address)),
        })
    }

    async fn submit(&self, name: &str, plan: String, interval_ms: u64) -> Result<(), Failure> {
        let mut args = SubmitArgs::new(name, plan);
        args.checkpoint_interval_ms = Some(interval_ms);
        self.client.submit(&args).await?;
        Ok(())
    }

    /// Waits until a job is as it should be; looks at it every half millisecond.
    async fn until(&self, name: &str, is: impl Fn(&JobInfo) -> bool) -> Result<JobInfo, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let job = self.client.show(&JobArgs::new(name)).await?;
            if is(&job) {
                return Ok(job);
            }
            if job.state == "failed" || Instant::now() > deadline {
                return Err(format!("{name} is {}: {:?}", job.state, job.failure).into());
            }
            sleep(Duration::from_micros(500)).await;
        }
    }

    async fn end(&self, name: &str) -> Result<(), Failure> {
        let (name, mode) = (name.to_owned(), StopMode::Force);
        let args = StopArgs { name, mode };
        self.client.stop(&args).await?;
        let ended = |job: &JobInfo| ["stopped", "finished"].contains(&job.state.as_str());
        self.until(&args.name, ended).await?;
        self.client.delete(&JobArgs::new(&args.name)).await?;
        Ok(())
    }
}

/// Rows, keys and the width of a window in rows; how many rows a second, as fast as can be if 0.
fn plan(rows: Option<u64>, keys: u64, width: u64, per_second: u64, parallelism: u32) -> String {
    let rows = rows.map_or_else(|| "null".to_owned(), |rows| rows.to_string());
    format!(
        r#"{{"nodes": [
        {{"id": "rows", "parallelism": {parallelism}, "operator": {{"kind": "source",
          "connector": {{"impulse": {{"count": {rows}, "rate": {per_second}, "step": 1,
            "start": 0}}}},
          "columns": [{{"name": "counter", "type": "int"}},
            {{"name": "subtask_index", "type": "int"}},
            {{"name": "timestamp", "type": "timestamp"}}]}}}},
        {{"id": "key", "parallelism": {parallelism}, "inputs": ["rows"], "operator": {{
          "kind": "project", "columns": [{{"name": "key", "value": {{"binary": [
            {{"column": "counter"}}, "remainder", {{"literal": {{"int": {keys}}}}}]}}}}]}}}},
        {{"id": "count", "parallelism": {parallelism}, "inputs": ["key"], "operator": {{
          "kind": "window", "keys": ["key"], "span": {{"tumbling": {{"width": {width}}}}},
          "aggregates": [{{"name": "n", "function": "count"}}]}}}},
        {{"id": "out", "parallelism": {parallelism}, "inputs": ["count"], "operator": {{
          "kind": "sink", "target": "blackhole"}}}}]}}"#
    )
}

async fn rates(service: &Service, quick: bool) -> Result<String, Failure> {
    // One window for all rows: then it is a count that never ends.
    const FOREVER: u64 = 1 << 50;
    let rows = if quick { 20_000_000 } else { 100_000_000 };
    let shapes = [(1_000, FOREVER), (1_000_000, FOREVER), (1_000, 1_000_000)];
    let mut lines = Vec::new();
    for ((what, flink, target), (keys, width)) in FLINK.into_iter().zip(shapes) {
        let mut reached = Vec::new();
        for round in 0..3 {
            eprintln!("streams: {what}, round {round}");
            service
                .submit("rows", plan(Some(rows), keys, width, 0, 2), 10_000)
                .await?;
            let job = service.until("rows", |job| job.state == "finished").await?;
            let (Some(begun), Some(ended)) = (job.started_at_ms, job.finished_at_ms) else {
                return Err("the job does not say when it ran".into());
            };
            let seconds = to_f64(ended.saturating_sub(begun).max(1)) / 1e3;
            reached.push(to_f64(rows) / seconds);
            service.client.delete(&JobArgs::new("rows")).await?;
        }
        let ours = median(reached);
        lines.push(vec![
            what.to_owned(),
            rate(ours),
            rate(flink),
            format!("{:.1}", ours / flink),
            rate(target),
            format!("{:.2}", ours / target),
        ]);
    }
    let header = ["", "rows/s", "Flink", "to Flink", "target", "to target"];
    Ok(table(&header, lines))
}

async fn times(service: &Service, runs: usize) -> Result<String, Failure> {
    let (mut begin, mut recover, mut wider) = (Vec::new(), Vec::new(), Vec::new());
    let us = |since: Instant| since.elapsed().as_secs_f64() * 1e6;
    for run in 0..runs {
        eprintln!("streams: times, run {run}");
        let at = Instant::now();
        service
            .submit("job", plan(None, 1_000, 1_000_000, 10_000, 1), 100)
            .await?;
        let running = service.until("job", |job| job.state == "running").await?;
        begin.push(us(at));
        service.until("job", |job| job.checkpoint.is_some()).await?;

        let victim = running.workers.first().map_or(0, |worker| worker.pid);
        let victim = Pid::from_raw(i32::try_from(victim)?).ok_or("the job has no worker")?;
        let at = Instant::now();
        kill_process(victim, Signal::KILL)?;
        let again = |job: &JobInfo| job.state == "running" && job.generation > running.generation;
        let again = service.until("job", again).await?;
        recover.push(us(at));

        let at = Instant::now();
        let name = "job".to_owned();
        let parallelism = BTreeMap::from([("*".to_owned(), 2)]);
        service
            .client
            .rescale(&RescaleArgs { name, parallelism })
            .await?;
        let two = |job: &JobInfo| job.state == "running" && job.generation > again.generation;
        service.until("job", two).await?;
        wider.push(us(at));
        service.end("job").await?;
    }
    let saved = saved(service).await?;
    let row = |what: &str, ours: f64, flink: &str, target: &str| {
        vec![
            what.to_owned(),
            micros(ours),
            flink.to_owned(),
            target.to_owned(),
        ]
    };
    let rows = vec![
        row(
            "submit until all tasks run, cold",
            median(begin),
            "",
            "150 ms",
        ),
        row(
            "kill -9 of the worker until all run again",
            median(recover),
            "",
            "",
        ),
        row("rescale 1 to 2 until all run", median(wider), "", ""),
        row("checkpoint of 100,000 keys", saved, "57-92 ms", "15 ms"),
    ];
    Ok(table(&["", "ours", "Flink", "target"], rows))
}

/// How long a checkpoint of 100,000 keys takes, in microseconds.
async fn saved(service: &Service) -> Result<f64, Failure> {
    eprintln!("streams: checkpoints of 100,000 keys");
    service
        .submit("keys", plan(None, 100_000, 1 << 50, 100_000, 2), 200)
        .await?;
    // Every key has come by then, and ten checkpoints hold them all.
    sleep(Duration::from_secs(8)).await;
    let taken = service
        .client
        .checkpoints(&JobArgs::new("keys"))
        .await?
        .checkpoints;
    service.end("keys").await?;
    let took = |checkpoint: &CheckpointInfo| {
        let ended = checkpoint
            .finished_at_ms
            .filter(|_| checkpoint.state == "ready")?;
        Some(to_f64(ended.saturating_sub(checkpoint.started_at_ms)) * 1e3)
    };
    let took: Vec<f64> = taken.iter().filter_map(took).take(10).collect();
    match took.is_empty() {
        true => Err("no checkpoint was taken".into()),
        false => Ok(median(took)),
    }
}
