//! The stable words in [`rpc::Error::reason`] that scheduling answers with. Programs may compare
//! them; the message beside them may change.

/// No service has that name.
pub const UNKNOWN_SERVICE: &str = "unknown-service";
/// No instance has that id (or it was forgotten).
pub const UNKNOWN_INSTANCE: &str = "unknown-instance";
/// The instance has ended; its slot may have another one.
pub const ALREADY_ENDED: &str = "already-ended";
/// No node has that name.
pub const UNKNOWN_NODE: &str = "unknown-node";
/// The node may still have something.
pub const NODE_IN_USE: &str = "node-in-use";
/// The agent of the node was not heard of for too long, or has connected again.
pub const NODE_SILENT: &str = "node-silent";
/// Only the agent of another machine gets the tokens of the instances there.
pub const NOT_ITS_AGENT: &str = "not-its-agent";
/// Another replica of the placer decides now.
pub const DEPOSED: &str = "deposed";
/// Whoever renews is no candidate any more.
pub const NO_CANDIDATE: &str = "no-candidate";
/// A duty is `open`, `cordoned` or `draining`.
pub const INVALID_DUTY: &str = "invalid-duty";
/// Replicas are a number from 0 to 100000.
pub const INVALID_REPLICAS: &str = "invalid-replicas";
/// A name that cannot be one: of a service, a node, or an instance.
pub const INVALID_NAME: &str = "invalid-name";
/// The spec is wrong; the message begins with the path of the field.
pub const INVALID_SPEC: &str = "invalid-spec";
/// Services would wait for each other for ever.
pub const DEPENDENCY_CYCLE: &str = "dependency-cycle";
/// Somebody else rolls out a version of the service.
pub const ROLLED_BY_OTHER: &str = "rolled-by-other";
/// A step of a version's way came late, or somebody was faster.
pub const ROLL_OVERTAKEN: &str = "roll-overtaken";
/// The Cargo manifest does not exist.
pub const NO_SUCH_MANIFEST: &str = "no-such-manifest";
/// Cargo could not build it; the message ends with the compiler's last lines.
pub const BUILD_FAILED: &str = "build-failed";
/// The instance runs on another machine: its logs and usage are there.
pub const NOT_LOCAL: &str = "not-local";
/// The fleet is being stopped; nothing new is taken.
pub const DRAINING: &str = "draining";
/// A report or an assignment cannot be read: the agent is of another version.
pub const INVALID_REPORT: &str = "invalid-report";
/// The state could not be made durable.
pub const STORE_FAILED: &str = "store-failed";
