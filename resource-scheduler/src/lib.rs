//! Which machine gets an instance.
//!
//! It watches instances that wait for a place, decides with `decisions/placement`, and writes the
//! decisions back to `scheduling`, which looks at each again. It holds no state of its own: it may
//! be killed at any moment. What runs goes on, what is new waits, and says so. Of several replicas
//! one leads; the others know what it knows and take over at once.
//!
//! ```no_run
//! use resource_scheduler::{ResourceSchedulerClient, SYSTEM_ADDRESS};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = ResourceSchedulerClient::new(rpc::Channel::to(SYSTEM_ADDRESS.parse()?));
//! let stats = client.stats(&rpc::Empty {}).await?;
//! println!("{} wait for a place", stats.waiting);
//! # Ok(())
//! # }
//! ```

pub mod reason;
mod wire;

pub use wire::{
    CheckVerdict, ExplainArgs, ExplainReply, LeaderReply, MachineVerdict, PreviewArgs,
    PreviewReply, ResignReply, StatsReply,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "resource-scheduler";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11300";
/// The most that [`preview`](ResourceSchedulerClient::preview) looks for places for.
pub const PREVIEW_MAX: u32 = 10_000;

rpc::service! {
    /// Says which machine gets an instance.
    trait ResourceScheduler, client ResourceSchedulerClient, dispatch ResourceSchedulerDispatch,
        name SYSTEM_NAME;
    /// Where more of something would go, as things are now.
    read 1101 PREVIEW_PROCEDURE preview(PreviewArgs) -> PreviewReply;
    /// Why something is where it is, or what would have to change for it to find a place.
    /// How it does.
    read 1103 STATS_PROCEDURE stats(rpc::Empty) -> StatsReply;
    /// Which replica decides.
    read 1104 LEADER_PROCEDURE leader(rpc::Empty) -> LeaderReply;
    /// Lets another replica decide.
    write 1105 RESIGN_PROCEDURE resign(rpc::Empty) -> ResignReply;
    /// Why something is where it is, or what would have to change for it to find a place.
    read 1106 EXPLAIN_PROCEDURE explain(ExplainArgs) -> ExplainReply;
}
