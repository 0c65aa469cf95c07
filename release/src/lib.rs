//! New versions of services, step by step, and back by themselves when they are worse.
//!
//! # The shape
//! A *release* takes one service from the version it has to another: `create` it, and it goes its
//! way. It changes wishes and nothing else: `scheduling` runs the newer version in the slots that
//! the release says, beside the older one under the same name, and knows no releases. Slots beyond
//! what is wished for come first and go last, so that there is never less of the service than was
//! wished for, on the way there and on the way back.
//!
//! A step is taken when everything runs and is healthy for a while, and while the newer version
//! answers as well as the older one: errors and latency of both are read from the instances
//! themselves. What does not become healthy, dies, or answers worse goes back at once, by itself.
//! `by_hand` waits for [`ADVANCE_PROCEDURE`] at each step.
//!
//! Every decision is on disk before it is acted on, and acting twice is acting once. So this
//! service may be killed at any moment: the next one goes on, and nothing that runs notices.
//!
//! ```no_run
//! use release::{CreateArgs, Program, ReleaseClient, Strategy, Version};
//!
//! # async fn example() -> Result<(), rpc::Error> {
//! let releases = ReleaseClient::new(rpc::Channel::to("127.0.0.1:11000".parse().unwrap()));
//! let program = Program::Cargo {
//!     manifest_path: "echo/Cargo.toml".into(),
//!     bin_name: "server_v2".into(),
//! };
//! let version = Version { program, env: Default::default() };
//! let made = releases.create(&CreateArgs::new("echo", version, Strategy::Rolling)).await?;
//! println!("{} is {}", made.id, made.phase);
//! # Ok(())
//! # }
//! ```

pub mod limits;
pub mod reason;
mod wire;

pub use scheduling::{Program, Version};
pub use wire::{
    CanaryStep, CreateArgs, Gates, ListArgs, ListReply, LogEntry, ReleaseArgs, ReleaseInfo,
    RollbackArgs, Strategy, WatchArgs,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "release";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11000";

rpc::service! {
    /// New versions, step by step.
    trait Releases, client ReleaseClient, dispatch ReleaseDispatch, name SYSTEM_NAME;
    /// Begins a release. Refused while another one of the service is under way.
    write 501 CREATE_PROCEDURE create(CreateArgs) -> ReleaseInfo;
    /// One release.
    read 502 GET_PROCEDURE get(ReleaseArgs) -> ReleaseInfo;
    /// Releases, newest first.
    read 503 LIST_PROCEDURE list(ListArgs) -> ListReply;
    /// Takes the next step as soon as the present one is well, without waiting any longer.
    idempotent 504 ADVANCE_PROCEDURE advance(ReleaseArgs) -> ReleaseInfo;
    /// Goes back at once.
    idempotent 505 ROLLBACK_PROCEDURE rollback(RollbackArgs) -> ReleaseInfo;
    /// Takes no further step, and does not begin if it has not. It turns back all the same.
    idempotent 506 PAUSE_PROCEDURE pause(ReleaseArgs) -> ReleaseInfo;
    /// Goes on.
    idempotent 507 RESUME_PROCEDURE resume(ReleaseArgs) -> ReleaseInfo;
    /// A release as it is, and after every change, until it is over.
    read_stream 508 WATCH_PROCEDURE watch(WatchArgs) -> ReleaseInfo;
}
