//! Refusals, in the words of the interface.

use model::{InstanceId, NameError, NodeId, ServiceName};
use reconciliation::CommandError;
use rpc::{Code, Error};
use scheduling::agent::BuildError;
use scheduling::reason;

use crate::brain::Refused;

pub(crate) fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Command(e) => command(&e),
        Refused::Draining => Error::new(Code::Unavailable, reason::DRAINING, refused.to_string())
            .with_hint("start scheduling again, then repeat this"),
        Refused::Gone => Error::new(Code::Unavailable, reason::STORE_FAILED, refused.to_string())
            .with_hint("scheduling is ending; its log says what the disk said"),
    }
}

fn command(error: &CommandError) -> Error {
    match error {
        CommandError::UnknownService { service } => unknown_service(service),
        CommandError::UnknownInstance { instance } => unknown_instance(instance),
        CommandError::AlreadyEnded {
            instance,
            state,
            owner,
        } => {
            let message = format!("{instance} has already ended ({state})");
            let hint = match owner {
                Some(owner) => format!("its slot belongs to {owner} now"),
                None => format!("`orrery restart {instance}` starts its slot again"),
            };
            Error::new(Code::Conflict, reason::ALREADY_ENDED, message).with_hint(hint)
        }
        CommandError::Spec { service, source } if source.field == "replicas" => {
            let message = format!("replicas of {service}: {}", source.why);
            replicas_error(message)
        }
        CommandError::Spec { service, source } => {
            let message = format!("{}: {} (service {service})", source.field, source.why);
            Error::invalid(reason::INVALID_SPEC, message)
                .with_hint("`orrery spec <service>` shows a complete spec")
        }
        CommandError::RolledByOther { .. } => {
            Error::new(Code::Conflict, reason::ROLLED_BY_OTHER, error.to_string())
                .with_hint("`orrery call release list` shows who rolls out what")
        }
        CommandError::UnknownNode { .. } => {
            Error::not_found(reason::UNKNOWN_NODE, error.to_string())
                .with_hint("`orrery nodes` lists the machines")
        }
        CommandError::NodeInUse { .. } => {
            Error::new(Code::Conflict, reason::NODE_IN_USE, error.to_string())
                .with_hint("`orrery nodes` shows how many instances it still has")
        }
        CommandError::Overtaken { .. } => {
            Error::new(Code::Conflict, reason::ROLL_OVERTAKEN, error.to_string())
                .with_hint("look at `rollout` of the service again, then decide")
        }
        CommandError::Cycle(cycle) => Error::invalid(reason::DEPENDENCY_CYCLE, cycle.to_string())
            .with_hint("a service can only wait for services that do not wait for it"),
    }
}

pub(crate) fn unknown_service(service: &ServiceName) -> Error {
    Error::not_found(
        reason::UNKNOWN_SERVICE,
        format!("no service is called {service}"),
    )
    .with_hint("`orrery status` lists the services")
}

pub(crate) fn unknown_instance(instance: &InstanceId) -> Error {
    Error::not_found(
        reason::UNKNOWN_INSTANCE,
        format!("no instance is called {instance}"),
    )
    .with_hint("`orrery ps` lists the instances")
}

fn replicas_error(message: String) -> Error {
    Error::invalid(reason::INVALID_REPLICAS, message)
        .with_hint("replicas are a number from 0 to 100000; 0 keeps the service without instances")
}

/// Replicas as they are written on the wire: signed, because callers subtract.
pub(crate) fn replicas(given: i32) -> Result<u32, Error> {
    let fits = u32::try_from(given)
        .ok()
        .filter(|n| *n <= model::REPLICAS_MAX);
    fits.ok_or_else(|| replicas_error(format!("{given} replicas are not possible")))
}

pub(crate) fn service_name(given: &str) -> Result<ServiceName, Error> {
    ServiceName::new(given).map_err(|e| invalid_name(&e))
}

pub(crate) fn node_name(given: &str) -> Result<NodeId, Error> {
    NodeId::new(given).map_err(|e| invalid_name(&e))
}

pub(crate) fn instance_id(given: &str) -> Result<InstanceId, Error> {
    given.parse().map_err(|e| invalid_name(&e))
}

pub(crate) fn invalid_name(error: &NameError) -> Error {
    Error::invalid(reason::INVALID_NAME, error.to_string())
        .with_hint("services are named like `echo`, slots like `echo.2`, instances like `echo.2.7`")
}

pub(crate) fn not_built(error: &BuildError) -> Error {
    let message = error.to_string();
    match error {
        BuildError::NoManifest { .. } => Error::not_found(reason::NO_SUCH_MANIFEST, message)
            .with_hint("a relative path counts from where scheduling runs; give an absolute one"),
        BuildError::NoCargo { .. } => Error::new(Code::Unavailable, reason::BUILD_FAILED, message)
            .with_hint("https://rustup.rs installs it"),
        BuildError::Failed { .. } => Error::invalid(reason::BUILD_FAILED, message)
            .with_hint("make `cargo build` succeed there, then ask again"),
        BuildError::NotBuilt { .. } => Error::not_found(reason::BUILD_FAILED, message)
            .with_hint("`cargo build --bins` there lists its binaries"),
    }
}
