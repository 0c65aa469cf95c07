//! Jobs with deadlines: what must be done while a satellite is in sight.
//!
//! # The shape
//! A *job* is a program that has to have ended before its deadline. `submit` accepts it durably, or
//! refuses it with what is missing, when it cannot be done in time anyway. Every accepted job gets
//! an answer: it is done, it failed, it was missed, or it was cancelled; [`watch`] tells when.
//!
//! - **Decisions are the library's**: [`scheduler`] says which job goes next, and onto which node.
//!   It has a clock and threads of its own choosing and no I/O, so that [`simulation`] runs a day
//!   of it in a moment.
//! - **Which passes there are, [`planning`] says**: from elements and stations to a day's plan, and
//!   from the plan to its jobs.
//! - **Processes are scheduling's**: a job that has a place is wished for as a service of one
//!   replica, pinned to its node, that is started once; when its process has ended, the service is
//!   withdrawn. Where a job has to be started again (its node was lost, an alert took its place, it
//!   moves), it is another service, so that whatever an older start still does is not mistaken
//!   for the newer one. A job may therefore run twice, and has to be able to.
//! - **Everything is on disk before it is answered or acted on.** The service may be killed at any
//!   moment: the next one compares what should run with what does, and goes on.
//!
//! # What a job's process gets
//! | variable | meaning |
//! |---|---|
//! | `ORRERY_JOB` | its id |
//! | `ORRERY_JOB_ATTEMPT` | which start of it this is, from 1 |
//! | `ORRERY_DEADLINE_MS` | its deadline, in milliseconds since the Unix epoch |
//! | `ORRERY_CHECKPOINT` | a folder that all starts of the job share, for what it wants to keep |
//!
//! SIGTERM asks it to write its checkpoint there and to end, within 20 s; then comes SIGKILL.
//!
//! [`watch`]: PassesClient::watch
//!
//! ```no_run
//! use passes::{JobSpec, PassesClient, SubmitArgs};
//! use scheduling::Program;
//!
//! # async fn example(now_ms: u64) -> Result<(), rpc::Error> {
//! let passes = PassesClient::new(rpc::Channel::to("127.0.0.1:11400".parse().unwrap()));
//! let job = JobSpec {
//!     key: "noaa-20/12345".into(),
//!     region: "svalbard".into(),
//!     priority_class: 1,
//!     deadline_ms: now_ms + 600_000,
//!     estimated_runtime_ms: 240_000,
//!     cpu_millicores: 2_000,
//!     memory_mb: 4_096,
//!     gpu_count: 0,
//!     required_tags: vec!["station=svalbard-1".into()],
//!     program: Program::Command { program: "demodulate".into(), args: vec![] },
//!     env: Default::default(),
//!     when_late: Default::default(),
//! };
//! let reply = passes.submit(&SubmitArgs { jobs: vec![job] }).await?;
//! println!("{:?}", reply.results[0]);
//! # Ok(())
//! # }
//! ```

pub mod limits;
pub mod planning;
pub mod reason;
pub mod scheduler;
pub mod simulation;
mod wire;

pub use scheduling::Program;
pub use wire::{
    CancelArgs, JobInfo, JobPhase, JobSpec, ListArgs, ListReply, LogEntry, StatsReply, SubmitArgs,
    SubmitReply, Submitted, WatchArgs, WhenLate,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "passes";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11400";

rpc::service! {
    /// Jobs with deadlines.
    trait Passes, client PassesClient, dispatch PassesDispatch, name SYSTEM_NAME;
    /// Submits jobs. Those that cannot be done in time are refused one by one; a job that makes no
    /// sense refuses the batch. With keys, submitting again is submitting once.
    write 1201 SUBMIT_PROCEDURE submit(SubmitArgs) -> SubmitReply;
    /// Stops a job, or forgets one that waits.
    idempotent 1202 CANCEL_PROCEDURE cancel(CancelArgs) -> JobInfo;
    /// Jobs, newest first, those that are over included.
    read 1203 LIST_PROCEDURE list(ListArgs) -> ListReply;
    /// Jobs as they are, then every change.
    read_stream 1204 WATCH_PROCEDURE watch(WatchArgs) -> JobInfo;
    /// How the scheduler is doing.
    read 1205 STATS_PROCEDURE stats(rpc::Empty) -> StatsReply;
}
