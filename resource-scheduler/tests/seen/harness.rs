//! A fleet of its own: scheduling, discovery and replicas of the resource scheduler. What it
//! started ends with it.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chassis::testing::{
    Operator, PATIENCE, Process, Start, end_fleet, fixed_address, workspace_binary,
};
use resource_scheduler::{LeaderReply, ResourceSchedulerClient};
use rpc::{Channel, Empty};
use rustix::process::{Pid, Signal, kill_process};
use scheduling::{
    ApplyArgs, AssignmentsArgs, DescribeNodeArgs, InstanceInfo, InstanceState, ListInstancesArgs,
    NodeFactsInfo, SchedulingClient, SetDutyArgs,
};
use tempfile::TempDir;

pub(crate) struct Fleet {
    pub(crate) scheduling: Process,
    pub(crate) replicas: Vec<SocketAddr>,
    discovery: u16,
    dir: TempDir,
}

/// A service of the fleet on these ports, on the machine that scheduling runs on.
fn service(name: &str, ports: &[u16], more: &str) -> String {
    let replicas = ports.len();
    format!(
        "[[service]]\nname = \"{name}\"\nreplicas = {replicas}\nports.well_known = {ports:?}\n\
         node = \"local\"\n{more}\n\
         artifact.cargo = {{ manifest_path = \"{name}/Cargo.toml\", bin_name = \"{name}\" }}\n"
    )
}

impl Fleet {
    /// With so many replicas of the resource scheduler, one of which leads. The machine itself has
    /// nothing to give.
    pub(crate) async fn start(replicas: usize) -> Self {
        Self::start_with(replicas, "").await
    }

    /// The same, with this environment for the resource scheduler.
    pub(crate) async fn start_with(replicas: usize, env: &str) -> Self {
        let scheduling = workspace_binary("scheduling");
        let dir = tempfile::tempdir().unwrap();
        let discovery = fixed_address().port();
        let replicas: Vec<SocketAddr> = (0..replicas).map(|_| fixed_address()).collect();
        let ports: Vec<u16> = replicas.iter().map(SocketAddr::port).collect();
        // Nobody asks whether it lives: what a hang does is to be seen.
        let more =
            format!("after = [\"discovery\"]\nprobes.liveness.kind = \"none\"\nenv = {{ {env} }}");
        let specs = [
            service("discovery", &[discovery], ""),
            service("resource-scheduler", &ports, &more),
        ];
        let file = dir.path().join("fleet.toml");
        fs::write(&file, specs.concat()).unwrap();
        let scheduling = Start::binary(&scheduling)
            .env("ORRERY_DATA", dir.path().join("data").display())
            .arg("--build=false")
            .arg("--node-patience=60s")
            .arg("--resources=cpu_millicores=0,memory_bytes=0")
            .arg(&format!("--fleet={}", file.display()))
            .ready();
        let fleet = Self {
            scheduling,
            replicas,
            discovery,
            dir,
        };
        fleet.leader().await;
        fleet
    }

    pub(crate) fn operator(&self) -> Operator {
        let discovery = SocketAddr::from((Ipv4Addr::LOCALHOST, self.discovery));
        Operator::of(discovery).with_scheduling(self.scheduling.address())
    }

    /// Writes a file; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn client(&self) -> SchedulingClient {
        SchedulingClient::new(self.scheduling.channel())
    }

    pub(crate) fn replica(&self, number: usize) -> ResourceSchedulerClient {
        ResourceSchedulerClient::new(Channel::to(self.replicas[number]))
    }

    /// The replica that leads, when one says so of itself.
    pub(crate) async fn leader(&self) -> (usize, LeaderReply) {
        until("one replica leads", || async {
            for number in 0..self.replicas.len() {
                let asked = self.replica(number);
                let answer = asked.leader(&Empty {});
                let answer = tokio::time::timeout(Duration::from_millis(200), answer).await;
                if let Ok(Ok(reply)) = answer
                    && reply.here
                {
                    return Some((number, reply));
                }
            }
            None
        })
        .await
    }

    /// Of a replica of the resource scheduler.
    pub(crate) async fn pid(&self, number: usize) -> u32 {
        let name = "resource-scheduler";
        let port = self.replicas[number].port();
        let all = self.instances(name).await;
        let found = all.iter().find(|i| i.port == Some(port));
        found.and_then(|i| i.pid).expect("a replica that runs")
    }

    pub(crate) async fn apply(&self, spec: &str) {
        let args = ApplyArgs {
            spec: spec.to_owned(),
            wait_ms: 0,
        };
        self.client().apply(&args).await.unwrap();
    }

    pub(crate) async fn set_duty(&self, node: &str, duty: &str) {
        let (node, duty) = (node.to_owned(), duty.to_owned());
        let set = self.client().set_duty(&SetDutyArgs { node, duty }).await;
        set.unwrap();
    }

    pub(crate) async fn instances(&self, service: &str) -> Vec<InstanceInfo> {
        let args = ListInstancesArgs {
            service: Some(service.to_owned()),
            ended: false,
        };
        let listed = self.client().list_instances(&args).await;
        listed.unwrap().instances
    }

    /// How many instances of a service are on each machine, once so many have one.
    pub(crate) async fn placed(&self, service: &str, count: usize) -> BTreeMap<String, usize> {
        until(&format!("{count} of {service} have a place"), || async {
            let mut by_node = BTreeMap::new();
            for node in self
                .instances(service)
                .await
                .into_iter()
                .filter_map(|i| i.node)
            {
                *by_node.entry(node).or_default() += 1;
            }
            (by_node.values().sum::<usize>() == count).then_some(by_node)
        })
        .await
    }

    /// Why the only instance of a service waits, once that says so.
    pub(crate) async fn waits(&self, service: &str, for_what: &str) -> String {
        until(&format!("{service} waits for {for_what}"), || async {
            let all = self.instances(service).await;
            let waits = all
                .into_iter()
                .find(|i| i.state == InstanceState::Pending)?;
            waits.reason.contains(for_what).then_some(waits.reason)
        })
        .await
    }

    /// A machine that takes what it is given and does nothing with it, for as long as this is kept.
    pub(crate) async fn machine(&self, name: &str, says: &[(&str, &str)]) -> Hollow {
        let client = self.client();
        let node = name.to_owned();
        let mut stream = client.assignments(&AssignmentsArgs { node }).await.unwrap();
        let facts = facts(says);
        let node = name.to_owned();
        let described = DescribeNodeArgs { node, facts };
        client.describe_node(&described).await.unwrap();
        Hollow(tokio::spawn(async move {
            while let Some(Ok(_)) = stream.next().await {}
        }))
    }
}

/// `cpu`, `memory` and `gpu` are amounts, `zone` is one, `taint.x` is one, and all others are
/// labels.
fn facts(says: &[(&str, &str)]) -> NodeFactsInfo {
    let mut facts = NodeFactsInfo {
        host: "127.0.0.1".to_owned(),
        ..NodeFactsInfo::default()
    };
    for (key, value) in says {
        let amount = || value.parse().unwrap();
        let text = (*value).to_owned();
        match *key {
            "cpu" => drop(facts.resources.insert("cpu_millicores".into(), amount())),
            "memory" => drop(facts.resources.insert("memory_bytes".into(), amount())),
            "gpu" => drop(facts.resources.insert("gpu".into(), amount())),
            "zone" => facts.zone = text,
            key => match key.strip_prefix("taint.") {
                Some(key) => drop(facts.taints.insert(key.to_owned(), text)),
                None => drop(facts.labels.insert(key.to_owned(), text)),
            },
        }
    }
    facts
}

/// A machine without anything behind it.
pub(crate) struct Hollow(tokio::task::JoinHandle<()>);

impl Drop for Hollow {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A service of which each instance asks for so much, in TOML.
pub(crate) fn wish(name: &str, replicas: usize, millicores: u64, more: &str) -> String {
    format!(
        "name = {name:?}\nreplicas = {replicas}\nports.wanted = false\n\
         artifact.command = {{ program = \"sleep\", args = [\"1000\"] }}\n\
         probes.readiness.kind = \"none\"\nprobes.liveness.kind = \"none\"\n\
         [placement]\nrequest = {{ cpu_millicores = {millicores} }}\n{more}\n"
    )
}

/// Looks until there is something to see.
pub(crate) async fn until<T, F, Fut>(what: &str, look: F) -> T
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await; // why: polls
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Scheduling first: it would start anew what is ended here.
        self.scheduling.kill();
        end_fleet(&self.dir.path().join("data"));
    }
}
