//! Scheduling and discovery as a table of answers: what the faces show can be said exactly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use client::discovery::DiscoveryDispatch;
use client::scheduling::{
    ApplyArgs, ApplyReply, AssignmentsArgs, AssignmentsItem, DeleteServiceArgs, DeleteServiceReply,
    DescribeNodeArgs, DescribeNodeReply, EventItem, EventsArgs, ExplainArgs, ExplainReply,
    GetServiceArgs, GetServiceReply, InstanceInfo, InstanceState, InstanceTokensArgs,
    InstanceTokensReply, InstanceUsage, LeadArgs, LeadItem, ListInstancesArgs, ListInstancesReply,
    ListServicesReply, LogLine, LogStream, LogsArgs, NodeFactsInfo, NodeInfo, NodesReply,
    PlaceArgs, PlaceReply, PlacementsArgs, PlacementsItem, PlanArgs, PlanReply, PlannedAction,
    ProposedChange, RemoveNodeArgs, RemoveNodeReply, RenewArgs, RenewReply, ReportArgs,
    ReportReply, RestartArgs, RestartReply, ScaleServiceArgs, ScaleServiceReply,
    ScheduleServiceArgs, ScheduleServiceReply, Scheduling, SchedulingDispatch, ServiceInfo,
    SetDutyArgs, SetDutyReply, StopInstanceArgs, StopInstanceReply, UsageArgs, UsageReply,
    WaitingSlot, WatchArgs, WatchItem, reason,
};
use rpc::{Code, Context, Empty, Error, Running, Server, StreamSender};
use tokio::runtime::Runtime;

use super::directory::Directory;
use super::sample::{Mouth, SampleDispatch};

/// A fake fleet on free ports, gone when this is dropped.
pub struct Fake {
    runtime: Runtime,
    state: Arc<Mutex<State>>,
    servers: Vec<Running>,
}

/// What the fake scheduling answers from.
pub struct State {
    pub services: Vec<ServiceInfo>,
    pub instances: Vec<InstanceInfo>,
    pub logs: Vec<LogLine>,
    pub events: Vec<EventItem>,
    revision: u64,
}

impl Fake {
    /// A fleet in which echo is well and caching has lost an instance.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let state = Arc::new(Mutex::new(State::new()));
        let servers = runtime.block_on(async {
            let free: SocketAddr = ([127, 0, 0, 1], 0).into();
            let scheduling = SchedulingDispatch::new(Answers(Arc::clone(&state)));
            let echo = Server::new("echo", "1.2.3")
                .service(SampleDispatch::new(Mouth))
                .listen(free)
                .await
                .expect("a free port");
            let discovery = DiscoveryDispatch::new(Directory {
                echo: echo.address(),
            });
            let discovery = Server::new("discovery", "1.2.3").service(discovery);
            let scheduling = Server::new("scheduling", "1.2.3").service(scheduling);
            vec![
                scheduling.listen(free).await.expect("a free port"),
                discovery.listen(free).await.expect("a free port"),
                echo,
            ]
        });
        Self {
            runtime,
            state,
            servers,
        }
    }

    /// Where scheduling listens.
    pub fn scheduling(&self) -> SocketAddr {
        self.servers[0].address()
    }

    /// Where discovery listens.
    pub fn discovery(&self) -> SocketAddr {
        self.servers[1].address()
    }

    /// Where the one instance of echo listens that can be called.
    pub fn echo(&self) -> SocketAddr {
        self.servers[2].address()
    }

    /// What scheduling answers from, to be changed.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no handler panics")
    }

    /// Ends scheduling, connections and all.
    pub fn kill_scheduling(&mut self) {
        let _entered = self.runtime.enter();
        drop(self.servers.remove(0));
    }
}

pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_millis() as u64
}

/// A moment that is said in minutes, and so the same while a test runs.
fn minutes_ago(minutes: u64) -> u64 {
    now_ms() - minutes * 60_000 - 20_000
}

pub fn instance(service: &str, index: u32, generation: u64, state: InstanceState) -> InstanceInfo {
    let port = 10_100 + index as u16;
    let runs = !state.is_terminal();
    InstanceInfo {
        id: format!("{service}.{index}.{generation}"),
        service: service.to_owned(),
        index,
        generation,
        state,
        node: Some("local".to_owned()),
        address: runs.then(|| format!("127.0.0.1:{port}")),
        port: runs.then_some(port),
        pid: runs.then_some(4_000 + index),
        attempt: 1,
        since_ms: minutes_ago(3),
        healthy_since_ms: runs.then(|| minutes_ago(3)),
        spec_revision: 4,
        reason: "answers".to_owned(),
        failure: None,
        last_lines: Vec::new(),
    }
}

fn service(name: &str, healthy: u32, replicas: u32, waiting: &[&str]) -> ServiceInfo {
    ServiceInfo {
        name: name.to_owned(),
        replicas,
        healthy,
        spec_revision: 4,
        artifact: format!("{name}/Cargo.toml {name}"),
        after: Vec::new(),
        waiting: waiting.iter().map(|w| (*w).to_owned()).collect(),
    }
}

fn event(number: u64, minutes: u64, subject: &str, kind: &str, why: &str) -> EventItem {
    EventItem {
        number,
        at_ms: minutes_ago(minutes),
        subject: subject.to_owned(),
        service: subject.split('.').next().map(str::to_owned),
        kind: kind.to_owned(),
        why: why.to_owned(),
    }
}

impl State {
    fn new() -> Self {
        use InstanceState::{Failed, Healthy, Stopped};
        let failed = InstanceInfo {
            attempt: 8,
            failure: Some("exit code 101".to_owned()),
            last_lines: vec!["out of luck".to_owned()],
            reason: "given up after 8 starts".to_owned(),
            ..instance("caching", 1, 8, Failed)
        };
        let line = |index: u32, stream, text: &str| LogLine {
            instance: format!("echo.{index}.1"),
            stream,
            text: text.to_owned(),
        };
        Self {
            services: vec![
                service("caching", 1, 2, &["given up: exit code 101"]),
                service("echo", 3, 3, &[]),
            ],
            instances: vec![
                instance("caching", 0, 1, Healthy),
                failed,
                instance("echo", 0, 1, Healthy),
                instance("echo", 1, 1, Stopped),
                instance("echo", 1, 2, Healthy),
                instance("echo", 2, 1, Healthy),
            ],
            logs: vec![
                line(0, LogStream::Stdout, "listening"),
                line(0, LogStream::Stderr, "\u{1b}]0;owned\u{7}careful"),
                line(2, LogStream::Stdout, "listening too"),
            ],
            events: vec![
                event(1, 9, "caching.1.8", "started", "pid 4001"),
                event(2, 8, "caching.1.8", "failed", "exit code 101"),
                event(3, 8, "caching.1", "given up", "8 starts in a row"),
                event(4, 3, "echo.1.2", "healthy", "said so"),
            ],
            revision: 17,
        }
    }

    fn service(&mut self, name: &str) -> Result<&mut ServiceInfo, Error> {
        let mut services = self.services.iter_mut();
        services.find(|s| s.name == name).ok_or_else(|| {
            let message = format!("no service is called {name}");
            Error::not_found(reason::UNKNOWN_SERVICE, message)
                .with_hint("`orrery status` lists them")
        })
    }
}

struct Answers(Arc<Mutex<State>>);

impl Answers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no handler panics")
    }
}

fn action(verb: &str, subject: &str, place: &str, why: &str) -> PlannedAction {
    PlannedAction {
        verb: verb.to_owned(),
        subject: subject.to_owned(),
        place: place.to_owned(),
        why: why.to_owned(),
    }
}

impl Scheduling for Answers {
    async fn schedule_service(
        &self,
        _: &Context,
        args: ScheduleServiceArgs,
    ) -> Result<ScheduleServiceReply, Error> {
        Ok(ScheduleServiceReply {
            service: self.state().service(&args.name)?.clone(),
            revision: 18,
        })
    }

    async fn list_instances(
        &self,
        _: &Context,
        args: ListInstancesArgs,
    ) -> Result<ListInstancesReply, Error> {
        let mut state = self.state();
        if let Some(name) = &args.service {
            state.service(name)?;
        }
        let wanted = |i: &&InstanceInfo| {
            args.service.as_ref().is_none_or(|s| *s == i.service)
                && (args.ended || !i.state.is_terminal())
        };
        Ok(ListInstancesReply {
            instances: state.instances.iter().filter(wanted).cloned().collect(),
            revision: state.revision,
        })
    }

    async fn scale_service(
        &self,
        _: &Context,
        args: ScaleServiceArgs,
    ) -> Result<ScaleServiceReply, Error> {
        let replicas = u32::try_from(args.replicas).map_err(|_| {
            let message = format!("{} replicas cannot be", args.replicas);
            Error::invalid(reason::INVALID_REPLICAS, message).with_hint("wish for 0 to 100000")
        })?;
        let mut state = self.state();
        let service = state.service(&args.name)?;
        let replicas_before = std::mem::replace(&mut service.replicas, replicas);
        service.healthy = service.healthy.min(replicas);
        Ok(ScaleServiceReply {
            service: service.clone(),
            replicas_before,
            revision: 18,
        })
    }

    async fn stop_instance(
        &self,
        _: &Context,
        args: StopInstanceArgs,
    ) -> Result<StopInstanceReply, Error> {
        let mut state = self.state();
        let mut instances = state.instances.iter_mut();
        let found = instances.find(|i| i.id == args.instance).ok_or_else(|| {
            let message = format!("no instance is called {}", args.instance);
            Error::not_found(reason::UNKNOWN_INSTANCE, message)
        })?;
        if found.state.is_terminal() {
            let message = format!("{} has already ended ({})", found.id, found.state);
            return Err(Error::new(
                rpc::Code::Conflict,
                reason::ALREADY_ENDED,
                message,
            ));
        }
        found.state = InstanceState::Stopping;
        Ok(StopInstanceReply {
            instance: found.clone(),
            revision: 18,
        })
    }

    async fn get_service(
        &self,
        _: &Context,
        args: GetServiceArgs,
    ) -> Result<GetServiceReply, Error> {
        let mut state = self.state();
        let service = state.service(&args.name)?.clone();
        Ok(GetServiceReply {
            spec: format!(
                "name = \"{}\"\nreplicas = {}\n",
                service.name, service.replicas
            ),
            service,
            instances: Vec::new(),
            revision: 17,
        })
    }

    async fn apply(&self, _: &Context, args: ApplyArgs) -> Result<ApplyReply, Error> {
        if args.spec.contains("nowhere") {
            let message = "artifact.cargo.manifest_path: /nowhere/Cargo.toml does not exist";
            return Err(Error::invalid(reason::NO_SUCH_MANIFEST, message)
                .with_hint("paths count from where scheduling runs"));
        }
        let slow = args.spec.contains("slow");
        Ok(ApplyReply {
            services: vec![service("hello", u32::from(!slow) * 2, 2, &[])],
            changed: !args.spec.contains("again"),
            converged: !slow,
            revision: 18,
        })
    }

    async fn plan(&self, _: &Context, args: PlanArgs) -> Result<PlanReply, Error> {
        if let Some(ProposedChange::Scale { name, .. } | ProposedChange::Delete { name }) =
            &args.change
        {
            self.state().service(name)?;
        }
        let (actions, waiting) = match args.change {
            None => (Vec::new(), Vec::new()),
            Some(ProposedChange::Scale { .. }) => (
                vec![
                    action(
                        "create",
                        "echo.3.1",
                        "local:12000",
                        "5 replicas are wished for",
                    ),
                    action(
                        "create",
                        "echo.4.1",
                        "local:12001",
                        "5 replicas are wished for",
                    ),
                ],
                Vec::new(),
            ),
            Some(_) => (
                vec![
                    action("stop", "echo.0.1", "", "its service was deleted"),
                    action("stop", "echo.1.2", "", "its service was deleted"),
                ],
                vec![WaitingSlot {
                    slot: "hello.0".to_owned(),
                    reason: "waits for a healthy instance of echo".to_owned(),
                    until_ms: None,
                }],
            ),
        };
        Ok(PlanReply {
            revision: 17,
            actions,
            waiting,
        })
    }

    async fn watch(
        &self,
        _: &Context,
        args: WatchArgs,
        out: StreamSender<WatchItem>,
    ) -> Result<(), Error> {
        loop {
            let item = {
                let state = self.state();
                let wanted = |name: &str| args.service.as_ref().is_none_or(|s| s == name);
                let services = state.services.iter().filter(|s| wanted(&s.name));
                let instances = state.instances.iter().filter(|i| wanted(&i.service));
                WatchItem {
                    revision: state.revision,
                    reset: true,
                    services: services.cloned().collect(),
                    instances: instances.cloned().collect(),
                    services_gone: Vec::new(),
                    instances_gone: Vec::new(),
                }
            };
            out.send(&item).await?;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    async fn events(
        &self,
        _: &Context,
        args: EventsArgs,
        out: StreamSender<EventItem>,
    ) -> Result<(), Error> {
        let past: Vec<EventItem> = {
            let mut state = self.state();
            if let Some(name) = &args.service {
                state.service(name)?;
            }
            let wanted = |e: &&EventItem| args.service.is_none() || args.service == e.service;
            state.events.iter().filter(wanted).cloned().collect()
        };
        let skipped = past.len().saturating_sub(args.tail as usize);
        for event in past.iter().skip(skipped) {
            out.send(event).await?;
        }
        if args.follow {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn logs(
        &self,
        _: &Context,
        args: LogsArgs,
        out: StreamSender<LogLine>,
    ) -> Result<(), Error> {
        let lines = {
            let mut state = self.state();
            let service = args.target.split('.').next().unwrap_or_default();
            state.service(service)?;
            state.logs.clone()
        };
        let wanted = |l: &&LogLine| {
            l.instance.starts_with(&args.target) && args.stream.is_none_or(|s| s == l.stream)
        };
        for line in lines.iter().filter(wanted) {
            out.send(line).await?;
        }
        if args.follow {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn restart(&self, _: &Context, args: RestartArgs) -> Result<RestartReply, Error> {
        let service = args.target.split('.').next().unwrap_or_default();
        self.state().service(service)?;
        Ok(RestartReply { revision: 18 })
    }

    async fn delete_service(
        &self,
        _: &Context,
        args: DeleteServiceArgs,
    ) -> Result<DeleteServiceReply, Error> {
        let mut state = self.state();
        let ending = state.service(&args.name)?.healthy;
        state.services.retain(|s| s.name != args.name);
        Ok(DeleteServiceReply {
            ending,
            revision: 18,
        })
    }

    async fn list_services(&self, _: &Context, _: Empty) -> Result<ListServicesReply, Error> {
        let state = self.state();
        Ok(ListServicesReply {
            services: state.services.clone(),
            revision: state.revision,
        })
    }

    async fn nodes(&self, _: &Context, _: Empty) -> Result<NodesReply, Error> {
        let node = NodeInfo {
            name: "local".to_owned(),
            status: "ready".to_owned(),
            since_ms: minutes_ago(12),
            instances: 5,
            healthy: 4,
            local: true,
            limits: "cpu, memory and pids".to_owned(),
            facts: NodeFactsInfo {
                zone: "attic".to_owned(),
                resources: [("cpu_millicores", 8_000), ("memory_bytes", 32 << 30)]
                    .map(|(name, amount)| (name.to_owned(), amount))
                    .into(),
                ..NodeFactsInfo::default()
            },
        };
        Ok(NodesReply {
            nodes: vec![node],
            revision: 17,
        })
    }

    async fn explain(&self, _: &Context, args: ExplainArgs) -> Result<ExplainReply, Error> {
        let service = args.target.split('.').next().unwrap_or_default();
        let mut state = self.state();
        state.service(service)?;
        let whole = args.target.split('.').count() != 2;
        let known = state.instances.iter().any(|i| i.id == args.target) || args.target == service;
        if !(whole && known) {
            let message = format!("no instance is called {}", args.target);
            return Err(Error::not_found(reason::UNKNOWN_INSTANCE, message));
        }
        Ok(ExplainReply {
            subject: args.target,
            state: "failed".to_owned(),
            because: vec!["it ended 8 times in a row: exit code 101".to_owned()],
            next: vec!["orrery logs caching.1.8".to_owned()],
            events: state.events[1..3].to_vec(),
            revision: 17,
        })
    }

    async fn assignments(
        &self,
        _: &Context,
        _: AssignmentsArgs,
        _: StreamSender<AssignmentsItem>,
    ) -> Result<(), Error> {
        Err(Error::invalid(
            reason::UNKNOWN_NODE,
            "this fleet has no agents",
        ))
    }

    async fn report(&self, _: &Context, _: ReportArgs) -> Result<ReportReply, Error> {
        Err(Error::invalid(
            reason::UNKNOWN_NODE,
            "this fleet has no agents",
        ))
    }

    async fn roll(
        &self,
        _: &Context,
        _: client::scheduling::RollArgs,
    ) -> Result<client::scheduling::RollReply, Error> {
        Err(Error::invalid(
            "no-rollouts",
            "this fleet rolls nothing out",
        ))
    }

    async fn rollout(
        &self,
        _: &Context,
        _: client::scheduling::RolloutArgs,
    ) -> Result<client::scheduling::RolloutReply, Error> {
        Err(Error::invalid(
            "no-rollouts",
            "this fleet rolls nothing out",
        ))
    }

    async fn describe_node(
        &self,
        _: &Context,
        _: DescribeNodeArgs,
    ) -> Result<DescribeNodeReply, Error> {
        Ok(DescribeNodeReply { revision: 17 })
    }

    async fn instance_tokens(
        &self,
        _: &Context,
        _: InstanceTokensArgs,
    ) -> Result<InstanceTokensReply, Error> {
        Ok(InstanceTokensReply {
            fleet_key: String::new(),
            lifetime_ms: 0,
            tokens: Vec::new(),
        })
    }

    async fn place(&self, _: &Context, args: PlaceArgs) -> Result<PlaceReply, Error> {
        Ok(PlaceReply {
            refused: args.decisions.iter().map(|_| None).collect(),
            revision: 17,
        })
    }

    async fn placements(
        &self,
        _: &Context,
        _: PlacementsArgs,
        out: StreamSender<PlacementsItem>,
    ) -> Result<(), Error> {
        out.send(&PlacementsItem::default()).await
    }

    async fn lead(
        &self,
        _: &Context,
        _: LeadArgs,
        out: StreamSender<LeadItem>,
    ) -> Result<(), Error> {
        out.send(&LeadItem::default()).await
    }

    async fn renew(&self, _: &Context, _: RenewArgs) -> Result<RenewReply, Error> {
        Ok(RenewReply {
            lead: LeadItem::default(),
        })
    }

    async fn set_duty(&self, _: &Context, args: SetDutyArgs) -> Result<SetDutyReply, Error> {
        known_node(&args.node)?;
        Ok(SetDutyReply {
            changed: args.duty != "open",
            instances: 5,
            revision: 17,
        })
    }

    async fn remove_node(
        &self,
        _: &Context,
        args: RemoveNodeArgs,
    ) -> Result<RemoveNodeReply, Error> {
        known_node(&args.node)?;
        let message = "local is not removed: it takes work; `orrery node drain local` first";
        Err(Error::new(Code::Conflict, reason::NODE_IN_USE, message))
    }

    async fn usage(&self, _: &Context, _: UsageArgs) -> Result<UsageReply, Error> {
        let state = self.state();
        let runs = state.instances.iter().filter(|i| !i.state.is_terminal());
        let usage = |i: &InstanceInfo| InstanceUsage {
            instance: i.id.clone(),
            cpu_time_ms: 1_000,
            rss_bytes: 3 << 20,
            pids: 1,
        };
        Ok(UsageReply {
            at_ms: now_ms(),
            instances: runs.map(usage).collect(),
        })
    }
}

fn known_node(node: &str) -> Result<(), Error> {
    if node == "local" {
        return Ok(());
    }
    let message = format!("no node is called {node}: `orrery nodes` lists them");
    Err(Error::not_found(reason::UNKNOWN_NODE, message))
}
