//! What this service and its workers say to each other.
//!
//! A worker is a process of one job and one generation. It is told who it is by its environment,
//! says to the service where it listens ([`Registry`]), and from then on the service calls it
//! ([`PipelineWorker`]). Both sides prove by the worker's secret that they mean each other.

use rpc::{Deserializable, Empty, Serializable};

/// The environment of a worker.
pub mod env {
    /// Where the service's registry listens.
    pub const REGISTRY: &str = "ORRERY_PIPELINE_REGISTRY";
    /// The worker's number.
    pub const WORKER: &str = "ORRERY_PIPELINE_WORKER";
    /// What the service and this worker know, and nobody else.
    pub const SECRET: &str = "ORRERY_PIPELINE_SECRET";
    /// After so many seconds without a word of the service, the worker ends.
    pub const ORPHAN_SECONDS: &str = "ORRERY_PIPELINE_ORPHAN_SECONDS";
    /// The IP address it listens on.
    pub const HOST: &str = "ORRERY_PIPELINE_HOST";
}

/// A worker is there.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct ConnectArgs {
    /// Its number.
    pub worker: u64,
    /// Its secret.
    pub secret: String,
    /// Where it takes orders.
    pub address: String,
    /// Where it takes rows.
    pub data_address: String,
}

rpc::service! {
    /// Where workers say that they are there.
    trait Registry, client RegistryClient, dispatch RegistryDispatch, name "pipelines-registry";
    /// A worker is there. Refused if nobody waits for it: then it ends.
    idempotent 1350 CONNECT_PROCEDURE connect(ConnectArgs) -> Empty;
}

/// Which worker, in which generation.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct Meant {
    /// The worker's secret.
    pub secret: String,
    /// The generation that is meant.
    pub generation: u64,
}

/// What a worker is to run.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct StartArgs {
    /// Who is meant.
    pub meant: Meant,
    /// The JSON of a [`dataflow::worker::Execution`].
    pub execution: String,
}

/// A barrier.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct BarrierArgs {
    /// Who is meant.
    pub meant: Meant,
    /// Which checkpoint.
    pub epoch: u64,
    /// Tasks end with it.
    pub then_stop: bool,
}

/// A checkpoint is whole.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct CommitArgs {
    /// Who is meant.
    pub meant: Meant,
    /// Which.
    pub epoch: u64,
}

/// Tasks shall end.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct EndArgs {
    /// Who is meant.
    pub meant: Meant,
    /// What was read flows to the sinks first.
    pub graceful: bool,
}

/// Something a worker says.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct Said {
    /// The JSON of a [`Word`].
    pub word: String,
}

/// What a worker counts.
#[derive(Clone, Debug, Default, PartialEq, Serializable, Deserializable)]
pub struct Counted {
    /// The JSON of a list of [`dataflow::events::TaskMetrics`].
    pub tasks: String,
}

rpc::service! {
    /// A worker, for the service that started it.
    trait PipelineWorker, client PipelineWorkerClient, dispatch PipelineWorkerDispatch,
        name "pipeline-worker";
    /// Starts tasks.
    write 1351 START_PROCEDURE start(StartArgs) -> Empty;
    /// A [`Word::Report`] now and every second, and between them whatever happens.
    read_stream 1352 LISTEN_PROCEDURE listen(Meant) -> Said;
    /// Lets its sources send a barrier.
    write 1353 BARRIER_PROCEDURE barrier(BarrierArgs) -> Empty;
    /// A checkpoint is whole.
    idempotent 1354 COMMIT_PROCEDURE commit(CommitArgs) -> Empty;
    /// Its tasks shall end.
    idempotent 1355 END_PROCEDURE end(EndArgs) -> Empty;
    /// What its tasks count.
    read 1356 COUNT_PROCEDURE count(Meant) -> Counted;
}

/// A word of a worker.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Its tasks, and where each is.
    Report(Vec<(dataflow::manifest::TaskId, TaskWord)>),
    /// Something happened to a task.
    Event(dataflow::events::Event),
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskWord {
    /// It is being set up.
    Pending,
    /// It runs.
    Started,
    /// It ended as it should.
    Finished,
    /// It ended as it should not.
    Failed(dataflow::failure::Failure),
}
