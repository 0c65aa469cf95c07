//! Services and nodes, as callers see them.

use rpc::{Deserializable, Serializable};

use super::instances::InstanceInfo;

/// A wish everybody can express. Everything else of its spec has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ScheduleServiceArgs {
    /// Lower-case letters, digits and `-`; unique in the fleet.
    pub name: String,
    /// Path of the package's `Cargo.toml`; a relative one counts from where scheduling runs.
    pub manifest_path: String,
    /// The binary target to run.
    pub bin_name: String,
    /// How many, from 0 to 100000.
    pub replicas: i32,
}

/// The wish is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ScheduleServiceReply {
    /// The service as it is now.
    pub service: ServiceInfo,
    /// The state that knows of the wish; watch from here to see it come true.
    pub revision: u64,
}

/// How many replicas to wish for.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ScaleServiceArgs {
    /// Which service.
    pub name: String,
    /// How many, from 0 to 100000.
    pub replicas: i32,
}

/// The wish is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ScaleServiceReply {
    /// The service as it is now.
    pub service: ServiceInfo,
    /// How many replicas were wished for before.
    pub replicas_before: u32,
    /// The state that knows of the wish.
    pub revision: u64,
}

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetServiceArgs {
    /// Its name.
    pub name: String,
}

/// One service, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct GetServiceReply {
    /// In short.
    pub service: ServiceInfo,
    /// Its spec in TOML, as `apply` takes it.
    pub spec: String,
    /// Its instances, those that ended and are remembered included.
    pub instances: Vec<InstanceInfo>,
    /// The state this was read from.
    pub revision: u64,
}

/// A service in short.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ServiceInfo {
    /// Its name.
    pub name: String,
    /// How many replicas are wished for.
    pub replicas: u32,
    /// How many are healthy, and run what the spec says now.
    pub healthy: u32,
    /// The write that made the spec what it is.
    pub spec_revision: u64,
    /// What runs, in one line: a manifest and its binary, or a command.
    pub artifact: String,
    /// Services that must have a healthy instance before the first start of this one.
    pub after: Vec<String>,
    /// Slots that are not as wished and can only wait: what for.
    pub waiting: Vec<String>,
}

/// Every service.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListServicesReply {
    /// By name.
    pub services: Vec<ServiceInfo>,
    /// The state this was read from.
    pub revision: u64,
}

/// Full specs.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ApplyArgs {
    /// TOML: one spec at the top level, or several as `[[service]]`.
    pub spec: String,
    /// How long to wait until every one of these services is as wished, in milliseconds; 0 not at
    /// all. The call's own deadline ends the wait too.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The wishes are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ApplyReply {
    /// The services as they are now.
    pub services: Vec<ServiceInfo>,
    /// Whether anything is wished for that was not before.
    pub changed: bool,
    /// Whether every one of these services is as wished, as of `revision`.
    pub converged: bool,
    /// The state this was read from.
    pub revision: u64,
}

/// Which service to withdraw.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteServiceArgs {
    /// Its name.
    pub name: String,
}

/// The withdrawal is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteServiceReply {
    /// How many instances are being ended.
    pub ending: u32,
    /// The state that knows of it.
    pub revision: u64,
}
