//! Streaming dataflows with checkpoints.
//!
//! # The shape
//! A *job* is a program (SQL, or JSON of [`dataflow::plan::Plan`]) under a name. Submitting it is
//! a wish: the reply does not wait for tasks. Whatever is wished later (stop, rescale, restart) is
//! a wish as well: durable when the call returns, obeyed within a second, and `why` says in
//! sentences what the job still waits for. A job is stopped with a last checkpoint unless another
//! mode is asked for, and a `restart` sets it going from there.
//!
//! What a job does next is decided by [`streaming::Job`], which does no I/O; this service keeps its
//! facts, does what it asks for, and tells it what happens. Workers are processes of their own
//! (`pipeline-worker`): they outlive this service, and are adopted when it is back.
//!
//! ```no_run
//! # async fn example(plan: String) -> Result<(), rpc::Error> {
//! use pipelines::{JobArgs, PipelinesClient, StopArgs, StopMode, SubmitArgs};
//!
//! let resolver = discovery::Resolver::new("127.0.0.1:10200".parse().unwrap());
//! let client = PipelinesClient::new(resolver.channel(pipelines::SYSTEM_NAME));
//! let job = client.submit(&SubmitArgs::new("clicks", plan)).await?;
//! println!("{} is {}", job.name, job.state);
//! for sentence in client.why(&JobArgs::new("clicks")).await?.sentences {
//!     println!("{sentence}");
//! }
//! client.stop(&StopArgs { name: "clicks".into(), mode: StopMode::Checkpoint }).await?;
//! # Ok(())
//! # }
//! ```

pub mod limits;
pub mod reason;
mod wire;
pub mod workers;

pub use wire::{
    CheckpointInfo, CheckpointsReply, EventsArgs, EventsReply, JobArgs, JobInfo, ListReply,
    LogEntry, MetricsReply, RescaleArgs, RestartArgs, RestartMode, StopArgs, StopMode, SubmitArgs,
    TaskNumbers, WhyReply, WorkerInfo,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "pipelines";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11500";

rpc::service! {
    /// Streaming dataflows with checkpoints.
    trait Pipelines, client PipelinesClient, dispatch PipelinesDispatch, name SYSTEM_NAME;
    /// A new job. One of the same name and plan is the same job; of another plan, an error.
    idempotent 1301 SUBMIT_PROCEDURE submit(SubmitArgs) -> JobInfo;
    /// The job shall stop. Returns when the wish is durable.
    idempotent 1302 STOP_PROCEDURE stop(StopArgs) -> JobInfo;
    /// The job shall run at other parallelisms, from a last checkpoint on.
    idempotent 1303 RESCALE_PROCEDURE rescale(RescaleArgs) -> JobInfo;
    /// All jobs, by name.
    read 1304 LIST_PROCEDURE list(rpc::Empty) -> ListReply;
    /// One job.
    read 1305 SHOW_PROCEDURE show(JobArgs) -> JobInfo;
    /// The job's checkpoints, newest first.
    read 1306 CHECKPOINTS_PROCEDURE checkpoints(JobArgs) -> CheckpointsReply;
    /// The job shall start again: a running one, a stopped one, or one that failed.
    write 1307 RESTART_PROCEDURE restart(RestartArgs) -> JobInfo;
    /// Why the job is where it is, and what it waits for.
    read 1308 WHY_PROCEDURE why(JobArgs) -> WhyReply;
    /// The job's log, oldest first: moves, troubles, checkpoints.
    read 1309 EVENTS_PROCEDURE events(EventsArgs) -> EventsReply;
    /// A job that has ended is forgotten, with its checkpoints.
    idempotent 1310 DELETE_PROCEDURE delete(JobArgs) -> rpc::Empty;
    /// What the job's tasks count, as far as its workers answer.
    read 1311 METRICS_OF_PROCEDURE metrics_of(JobArgs) -> MetricsReply;
}
