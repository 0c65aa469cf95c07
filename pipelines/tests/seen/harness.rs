//! The service with a folder of its own. Its workers end by themselves soon after it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Process, Start};
use pipelines::{
    EventsArgs, JobArgs, JobInfo, PipelinesClient, RescaleArgs, RestartArgs, RestartMode, StopArgs,
    StopMode, SubmitArgs,
};
use rpc::Error;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) service: Process,
    args: Vec<String>,
}

fn launch(dir: &TempDir, args: &[String]) -> Process {
    let mut start = Start::binary(env!("CARGO_BIN_EXE_pipelines"))
        .env("ORRERY_DATA", dir.path().join("data").display())
        .arg("--orphan-seconds=8")
        .arg("--worker-slots=1");
    for arg in args {
        start = start.arg(arg);
    }
    start.ready()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let service = launch(&dir, &args);
        Self { dir, service, args }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Kills the service and starts it again; it need not listen where it did.
    pub(crate) fn kill_service(&mut self) {
        self.service.kill();
        self.start_service();
    }

    pub(crate) fn start_service(&mut self) {
        self.service = launch(&self.dir, &self.args);
    }

    pub(crate) fn client(&self) -> PipelinesClient {
        PipelinesClient::new(self.service.channel())
    }

    pub(crate) async fn submit(&self, name: &str, plan: &dataflow::plan::Plan) -> JobInfo {
        let mut args = SubmitArgs::new(name, serde_json::to_string(plan).unwrap());
        args.checkpoint_interval_ms = Some(100);
        self.client().submit(&args).await.unwrap()
    }

    pub(crate) async fn show(&self, name: &str) -> JobInfo {
        self.client().show(&JobArgs::new(name)).await.unwrap()
    }

    pub(crate) async fn stop(&self, name: &str, mode: StopMode) -> Result<JobInfo, Error> {
        let name = name.to_owned();
        self.client().stop(&StopArgs { name, mode }).await
    }

    pub(crate) async fn restart(&self, name: &str) -> Result<JobInfo, Error> {
        let args = RestartArgs {
            name: name.into(),
            mode: RestartMode::Safe,
            ignore_state_before_epoch: None,
        };
        self.client().restart(&args).await
    }

    pub(crate) async fn rescale(&self, name: &str, count: u32) -> Result<JobInfo, Error> {
        let args = RescaleArgs {
            name: name.into(),
            parallelism: BTreeMap::from([("*".into(), count)]),
        };
        self.client().rescale(&args).await
    }

    /// Waits until the job is as it should be.
    pub(crate) async fn until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&JobInfo) -> bool,
    ) -> JobInfo {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info = self.show(name).await;
            if is(&info) {
                return info;
            }
            if Instant::now() > deadline {
                panic!("{name} is not {what}: {info:?}\n{}", self.log(name).await);
            }
            // why: the condition is looked at again.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn running(&self, name: &str, generation: u64) -> JobInfo {
        let is = |info: &JobInfo| info.state == "running" && info.generation >= generation;
        self.until(name, &format!("running as {generation}"), is)
            .await
    }

    pub(crate) async fn state(&self, name: &str, state: &str) -> JobInfo {
        self.until(name, state, |info| info.state == state).await
    }

    /// Waits for a checkpoint newer than this one.
    pub(crate) async fn checkpointed(&self, name: &str, after: u64) -> u64 {
        let newer = |info: &JobInfo| epoch(info) > after;
        epoch(&self.until(name, "checkpointed", newer).await)
    }

    pub(crate) async fn log(&self, name: &str) -> String {
        let args = EventsArgs {
            name: name.into(),
            after: 0,
        };
        let events = self.client().events(&args).await.unwrap().events;
        let lines = events.iter().map(|event| event.text.clone());
        lines.collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn epoch(info: &JobInfo) -> u64 {
    info.checkpoint
        .as_ref()
        .map_or(0, |checkpoint| checkpoint.epoch)
}

pub(crate) fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

pub(crate) fn is_gone(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    test_kill_process(pid).is_err()
}
