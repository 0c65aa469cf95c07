//! A fleet of its own: scheduling, discovery and passes, all real. What it started ends with it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chassis::testing::{
    PATIENCE, Process, Start, end_fleet, fixed_address, mark_of, processes_with, workspace_binary,
};
use passes::{
    JobInfo, JobSpec, ListArgs, PassesClient, Program, SubmitArgs, Submitted, WatchArgs, WhenLate,
};
use rpc::Channel;
use rustix::process::{Pid, Signal, kill_process};
use scheduling::{ListInstancesArgs, SchedulingClient};
use tempfile::TempDir;
use tokio::time::timeout;

pub(crate) const SECOND: u64 = 1_000;

pub(crate) struct Fleet {
    scheduling: Process,
    pub(crate) dir: TempDir,
    passes: SocketAddr,
    pub(crate) discovery: SocketAddr,
}

/// A service of the fleet that listens on this port.
fn service(name: &str, port: u16, after: &str) -> String {
    format!(
        "[[service]]\nname = \"{name}\"\nreplicas = 1\nports.well_known = [{port}]\n\
         after = [{after}]\n\
         artifact.cargo = {{ manifest_path = \"{name}/Cargo.toml\", bin_name = \"{name}\" }}\n"
    )
}

impl Fleet {
    /// The local node has so many cores, stands in region `here` and is wired to station `a`.
    pub(crate) async fn start(cores: u32) -> Self {
        let scheduling = workspace_binary("scheduling");
        let dir = tempfile::tempdir().unwrap();
        let (discovery, passes) = (fixed_address(), fixed_address());
        let specs = [
            service("discovery", discovery.port(), ""),
            service("passes", passes.port(), "\"discovery\""),
        ];
        let file = dir.path().join("fleet.toml");
        fs::write(&file, specs.concat()).unwrap();
        let scheduling = Start::binary(&scheduling)
            .env("ORRERY_DATA", dir.path().join("data").display())
            .arg("--build=false")
            .arg(&format!("--fleet={}", file.display()))
            .arg("--region=here")
            .arg("--labels=station=a")
            .arg("--node-patience=3s")
            .arg(&room(cores))
            .ready();
        let fleet = Self {
            scheduling,
            dir,
            passes,
            discovery,
        };
        fleet
            .until("passes knows the nodes", async || {
                fleet
                    .passes()
                    .stats(&rpc::Empty {})
                    .await
                    .is_ok_and(|stats| stats.machines == 1)
            })
            .await;
        fleet
    }

    /// One more node, in region `there`, with this label.
    pub(crate) async fn agent(&self, name: &str, cores: u32, labels: &str) -> Process {
        let binary = workspace_binary("agent");
        let agent = Start::binary(&binary)
            .env("ORRERY_DATA", self.dir.path().join("data").display())
            .arg(&format!("--node={name}"))
            .arg(&format!("--join={}", self.scheduling.address()))
            .arg("--region=there")
            .arg(&format!("--labels={labels}"))
            .arg(&room(cores))
            .ready();
        self.until("passes knows all nodes", async || {
            let all = self.scheduling().nodes(&rpc::Empty {}).await.unwrap().nodes;
            let stats = self.passes().stats(&rpc::Empty {}).await.unwrap();
            let ready = all
                .iter()
                .any(|node| node.name == name && node.status == "ready");
            ready && stats.machines as usize == all.len()
        })
        .await;
        agent
    }

    pub(crate) fn passes(&self) -> PassesClient {
        PassesClient::new(Channel::to(self.passes))
    }

    pub(crate) fn scheduling(&self) -> SchedulingClient {
        SchedulingClient::new(self.scheduling.channel())
    }

    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + 2 * PATIENCE;
        while !holds().await {
            assert!(Instant::now() < deadline, "never so: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await; // why: polls
        }
    }

    pub(crate) async fn submit(&self, jobs: Vec<JobSpec>) -> Vec<Submitted> {
        self.passes()
            .submit(&SubmitArgs { jobs })
            .await
            .unwrap()
            .results
    }

    /// Submits jobs that are accepted.
    pub(crate) async fn accepted(&self, jobs: Vec<JobSpec>) -> Vec<u64> {
        let results = self.submit(jobs).await;
        let id = |result| match result {
            Submitted::Accepted { id } => id,
            Submitted::Refused { why } => panic!("refused: {why}"),
        };
        results.into_iter().map(id).collect()
    }

    pub(crate) async fn refused(&self, job: JobSpec) -> String {
        match self.submit(vec![job]).await.remove(0) {
            Submitted::Refused { why } => why,
            Submitted::Accepted { id } => panic!("accepted as {id}"),
        }
    }

    pub(crate) async fn job(&self, id: u64) -> JobInfo {
        let args = ListArgs {
            ids: vec![id],
            ..ListArgs::default()
        };
        self.passes().list(&args).await.unwrap().jobs.remove(0)
    }

    /// Waits until all of them are over, also over restarts of the service.
    pub(crate) async fn over(&self, ids: &[u64]) -> BTreeMap<u64, JobInfo> {
        let deadline = Instant::now() + 4 * PATIENCE;
        let mut known = BTreeMap::new();
        while Instant::now() < deadline {
            let args = WatchArgs { ids: ids.to_vec() };
            let Ok(mut stream) = self.passes().watch(&args).await else {
                continue;
            };
            while let Ok(Some(Ok(job))) = timeout(PATIENCE, stream.next()).await {
                known.insert(job.id, job);
            }
            if ids
                .iter()
                .all(|id| known.get(id).is_some_and(|job| job.phase.is_over()))
            {
                return known;
            }
        }
        panic!("not over: {known:#?}");
    }

    /// Kills the service; scheduling starts it again.
    pub(crate) async fn kill_passes(&self) {
        let args = ListInstancesArgs {
            service: Some("passes".into()),
            ended: false,
        };
        let listed = self.scheduling().list_instances(&args).await.unwrap();
        let pid = listed.instances[0]
            .pid
            .and_then(|pid| i32::try_from(pid).ok());
        kill_process(Pid::from_raw(pid.unwrap()).unwrap(), Signal::KILL).unwrap();
    }

    /// Processes that have this variable in their environment.
    pub(crate) fn processes_of(&self, job: u64) -> usize {
        let data = mark_of(&self.dir.path().join("data"));
        processes_with(&[&data, &format!("ORRERY_JOB={job}")]).len()
    }
}

fn room(cores: u32) -> String {
    let (millicores, bytes) = (cores * 1_000, u64::from(cores) << 30);
    format!("--resources=cpu_millicores={millicores},memory_bytes={bytes}")
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Scheduling first: it would start anew what is ended here.
        self.scheduling.kill();
        end_fleet(&self.dir.path().join("data"));
    }
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

/// A shell script of one core that takes about half a second, due in so many seconds.
pub(crate) fn script(text: &str, due_in_s: u64) -> JobSpec {
    JobSpec {
        key: String::new(),
        region: "here".into(),
        priority_class: 1,
        deadline_ms: now_ms() + due_in_s * SECOND,
        estimated_runtime_ms: 500,
        cpu_millicores: 1_000,
        memory_mb: 64,
        gpu_count: 0,
        required_tags: Vec::new(),
        program: Program::Command {
            program: "sh".into(),
            args: vec!["-c".into(), text.into()],
        },
        env: BTreeMap::new(),
        when_late: WhenLate::Stop,
    }
}
