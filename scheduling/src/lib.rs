//! What runs where: wishes (services), facts (instances), and everything one may ask of them.
//!
//! # The shape, argued
//! - **Five procedures are the contract** (401-405): they are enough to run a fleet, and they never
//!   change. [`ScheduleServiceArgs`] says what everybody can say of a service; whoever has more to
//!   say (ports, probes, limits, start order) writes a spec in TOML and sends it with
//!   [`apply`](SchedulingClient::apply).
//! - **Writes answer when they are durable**, not when they are done: a fleet that converges takes
//!   as long as its slowest program takes to start. [`ApplyArgs::wait_ms`] waits for that, and
//!   [`watch`](SchedulingClient::watch) shows it happening.
//! - **Every answer carries the revision it was made from**, so that a list can be continued by a
//!   watch without a gap.
//! - **A stop is not a scale.** `stop_instance` ends one process, and its slot gets a new one,
//!   which is what an operator wants of a process that misbehaves; to have fewer, scale.
//! - **Agents pull.** [`assignments`](SchedulingClient::assignments) is a stream that an agent
//!   holds open, [`report`](SchedulingClient::report) is what it says back; nobody dials an agent.
//! - **Wire types are plain**: texts and numbers. Names and specs are checked where they arrive,
//!   and an [`Error`](rpc::Error) names the field, in a stable `reason` (see [`reason`]) and with a
//!   hint what to do.
//!
//! # Example
//! ```no_run
//! use rpc::Channel;
//! use scheduling::{ScheduleServiceArgs, SchedulingClient, SYSTEM_ADDRESS};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let scheduling = SchedulingClient::new(Channel::to(SYSTEM_ADDRESS.parse()?));
//! let wish = ScheduleServiceArgs {
//!     name: "hello".into(),
//!     manifest_path: "/home/me/hello/Cargo.toml".into(),
//!     bin_name: "hello".into(),
//!     replicas: 2,
//! };
//! let answer = scheduling.schedule_service(&wish).await?;
//! println!("{} is wished for since revision {}", answer.service.name, answer.revision);
//! # Ok(())
//! # }
//! ```

pub mod agent;
mod fleet;
mod grants;
pub mod reason;
mod wire;

pub use fleet::{DEFAULT_FLEET, FleetEntry, default_fleet};
pub use grants::grants_of;
pub use wire::agents::{
    AssignmentsArgs, AssignmentsItem, InstanceTokensArgs, InstanceTokensReply, ReportArgs,
    ReportReply,
};
pub use wire::feeds::{EventItem, EventsArgs, LogLine, LogStream, LogsArgs, WatchArgs, WatchItem};
pub use wire::instances::{
    InstanceInfo, InstanceState, InstanceUsage, ListInstancesArgs, ListInstancesReply, RestartArgs,
    RestartReply, StopInstanceArgs, StopInstanceReply, UsageArgs, UsageReply,
};
pub use wire::nodes::{
    DescribeNodeArgs, DescribeNodeReply, NodeFactsInfo, NodeInfo, NodesReply, RemoveNodeArgs,
    RemoveNodeReply, SetDutyArgs, SetDutyReply,
};
pub use wire::placement::{
    LeadArgs, LeadItem, MachineInfo, PlaceArgs, PlaceReply, Placement, PlacementsArgs,
    PlacementsItem, RenewArgs, RenewReply, ServiceWishes, TaskInfo,
};
pub use wire::plans::{
    ExplainArgs, ExplainReply, PlanArgs, PlanReply, PlannedAction, ProposedChange, WaitingSlot,
};
pub use wire::rollouts::{
    NextVersion, Program, RollArgs, RollReply, RollStep, RolloutArgs, RolloutReply, Version,
};
pub use wire::services::{
    ApplyArgs, ApplyReply, DeleteServiceArgs, DeleteServiceReply, GetServiceArgs, GetServiceReply,
    ListServicesReply, ScaleServiceArgs, ScaleServiceReply, ScheduleServiceArgs,
    ScheduleServiceReply, ServiceInfo,
};

/// The name under which discovery knows this service.
pub const SYSTEM_NAME: &str = "scheduling";
/// Where it listens unless `PORT` says otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10900";

rpc::service! {
    /// Keeps the fleet as it is wished to be.
    trait Scheduling, client SchedulingClient, dispatch SchedulingDispatch, name SYSTEM_NAME;
    /// Wishes for a service: a binary of a Cargo package, so many times. Wishing the same again
    /// changes nothing; wishing otherwise replaces what differs.
    idempotent 401 SCHEDULE_SERVICE_PROCEDURE
        schedule_service(ScheduleServiceArgs) -> ScheduleServiceReply;
    /// The facts: every instance, or those of one service.
    read 402 LIST_INSTANCES_PROCEDURE list_instances(ListInstancesArgs) -> ListInstancesReply;
    /// Changes how many replicas are wished for.
    idempotent 403 SCALE_SERVICE_PROCEDURE scale_service(ScaleServiceArgs) -> ScaleServiceReply;
    /// Ends one instance. Its slot gets a new one if it is still wished for.
    idempotent 404 STOP_INSTANCE_PROCEDURE stop_instance(StopInstanceArgs) -> StopInstanceReply;
    /// One service: its wish as TOML, and its instances.
    read 405 GET_SERVICE_PROCEDURE get_service(GetServiceArgs) -> GetServiceReply;
    /// Wishes for one or more services by their full specs in TOML; all of them or none.
    idempotent 406 APPLY_PROCEDURE apply(ApplyArgs) -> ApplyReply;
    /// What a change would cause, without making it.
    read 407 PLAN_PROCEDURE plan(PlanArgs) -> PlanReply;
    /// The state, then every change of it, without a gap.
    read_stream 408 WATCH_PROCEDURE watch(WatchArgs) -> WatchItem;
    /// What happened, to what, when and why: the last ones, then new ones as they happen.
    read_stream 409 EVENTS_PROCEDURE events(EventsArgs) -> EventItem;
    /// What instances wrote to stdout and stderr.
    read_stream 410 LOGS_PROCEDURE logs(LogsArgs) -> LogLine;
    /// Restarts an instance, or a service one instance at a time. What was given up is tried again.
    write 411 RESTART_PROCEDURE restart(RestartArgs) -> RestartReply;
    /// Withdraws a wish: every instance is ended and the service forgotten.
    idempotent 412 DELETE_SERVICE_PROCEDURE
        delete_service(DeleteServiceArgs) -> DeleteServiceReply;
    /// Every service, with how many of its replicas are healthy.
    read 413 LIST_SERVICES_PROCEDURE list_services(rpc::Empty) -> ListServicesReply;
    /// The machines.
    read 414 NODES_PROCEDURE nodes(rpc::Empty) -> NodesReply;
    /// Why an instance, a slot or a service is as it is, and what would change that.
    read 415 EXPLAIN_PROCEDURE explain(ExplainArgs) -> ExplainReply;
    /// For agents: what one node should be doing, then every change of it.
    read_stream 416 ASSIGNMENTS_PROCEDURE assignments(AssignmentsArgs) -> AssignmentsItem;
    /// For agents: what was seen. Answers when it is durable.
    idempotent 417 REPORT_PROCEDURE report(ReportArgs) -> ReportReply;
    /// CPU time and memory of the instances of the local node.
    read 418 USAGE_PROCEDURE usage(UsageArgs) -> UsageReply;
    /// For agents: what a machine has and is.
    idempotent 421 DESCRIBE_NODE_PROCEDURE describe_node(DescribeNodeArgs) -> DescribeNodeReply;
    /// Uses a machine otherwise from now on: opens it for work, cordons it, or drains it.
    idempotent 422 SET_DUTY_PROCEDURE set_duty(SetDutyArgs) -> SetDutyReply;
    /// Forgets a machine that is lost, or that has nothing and takes nothing.
    idempotent 423 REMOVE_NODE_PROCEDURE remove_node(RemoveNodeArgs) -> RemoveNodeReply;
    /// For agents: tokens for the instances that a node was given.
    idempotent 424 INSTANCE_TOKENS_PROCEDURE
        instance_tokens(InstanceTokensArgs) -> InstanceTokensReply;
    /// For the placer that leads: where instances that wait are to run.
    write 425 PLACE_PROCEDURE place(PlaceArgs) -> PlaceReply;
    /// For placers: machines, what services ask for, and what is where; then every change of it.
    read_stream 426 PLACEMENTS_PROCEDURE placements(PlacementsArgs) -> PlacementsItem;
    /// For placers: to be a candidate for as long as it is held open, and to learn who leads.
    write_stream 427 LEAD_PROCEDURE lead(LeadArgs) -> LeadItem;
    /// For placers: to stay a candidate.
    idempotent 428 RENEW_PROCEDURE renew(RenewArgs) -> RenewReply;
    /// Takes a newer version of a service one step further, slot by slot; for whoever rolls it out.
    idempotent 430 ROLL_PROCEDURE roll(RollArgs) -> RollReply;
    /// How far a newer version has come.
    read 431 ROLLOUT_PROCEDURE rollout(RolloutArgs) -> RolloutReply;
}
