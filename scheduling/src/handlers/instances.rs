//! Facts.

use std::time::{SystemTime, UNIX_EPOCH};

use model::InstanceId;
use reconciliation::Command;
use rpc::{Context, Error};
use scheduling::{
    InstanceUsage, ListInstancesArgs, ListInstancesReply, RestartArgs, RestartReply,
    StopInstanceArgs, StopInstanceReply, UsageArgs, UsageReply,
};

use super::errors::{
    instance_id, not_built, refused, service_name, unknown_instance, unknown_service,
};
use super::{Handlers, render, services};

pub(super) async fn list(
    handlers: &Handlers,
    args: ListInstancesArgs,
) -> Result<ListInstancesReply, Error> {
    let service = args.service.as_deref().map(service_name).transpose()?;
    let found = handlers.brain.read(move |view| {
        let snapshot = view.snapshot;
        if let Some(name) = &service
            && !snapshot.specs.contains_key(name)
            && snapshot.instances_of(name).next().is_none()
        {
            return Err(unknown_service(name));
        }
        let instances = snapshot.instances.values().filter(|instance| {
            let of_service = service
                .as_ref()
                .is_none_or(|s| *s == instance.id.slot.service);
            of_service && (args.ended || !instance.state.is_terminal())
        });
        Ok(ListInstancesReply {
            instances: instances.map(|i| render::instance(snapshot, i)).collect(),
            revision: snapshot.revision.0,
        })
    });
    found.await.map_err(refused)?
}

pub(super) async fn stop(
    handlers: &Handlers,
    args: StopInstanceArgs,
) -> Result<StopInstanceReply, Error> {
    let instance = instance_id(&args.instance)?;
    let command = Command::StopInstance {
        instance: instance.clone(),
    };
    handlers.brain.command(command).await.map_err(refused)?;
    let found = handlers.brain.read(move |view| {
        let found = view.snapshot.instances.get(&instance);
        let found = found.ok_or_else(|| unknown_instance(&instance))?;
        Ok(StopInstanceReply {
            instance: render::instance(view.snapshot, found),
            revision: view.snapshot.revision.0,
        })
    });
    found.await.map_err(refused)?
}

pub(super) async fn restart(
    handlers: &Handlers,
    context: &Context,
    args: RestartArgs,
) -> Result<RestartReply, Error> {
    let command = restart_command(&args.target)?;
    if let Command::RestartService { service } = &command {
        let name = service.clone();
        let spec = handlers
            .brain
            .read(move |v| v.snapshot.specs.get(&name).cloned());
        let spec = spec.await.map_err(refused)?;
        let spec = spec.ok_or_else(|| unknown_service(service))?;
        services::check_and_build(handlers, context, &[spec]).await?;
    } else if let Command::RestartInstance { instance } = &command {
        let service = instance.slot.service.clone();
        let spec = handlers
            .brain
            .read(move |v| v.snapshot.specs.get(&service).cloned());
        if let Some(spec) = spec.await.map_err(refused)? {
            let spec = spec.at(instance.slot.index);
            let resolved = handlers.artifacts.resolve(&spec.artifact).await;
            resolved.map_err(|e| not_built(&e))?;
        }
    }
    let done = handlers.brain.command(command).await.map_err(refused)?;
    Ok(RestartReply {
        revision: done.revision,
    })
}

/// A target with a dot in it is an instance, because no service's name has one.
pub(super) fn restart_command(target: &str) -> Result<Command, Error> {
    if target.contains('.') {
        let instance: InstanceId = instance_id(target)?;
        return Ok(Command::RestartInstance { instance });
    }
    let service = service_name(target)?;
    Ok(Command::RestartService { service })
}

pub(super) async fn usage(handlers: &Handlers, args: UsageArgs) -> Result<UsageReply, Error> {
    let service = args.service.as_deref().map(service_name).transpose()?;
    let mut instances = Vec::new();
    for running in handlers.processes.all() {
        let id = running.id();
        if service.as_ref().is_some_and(|s| *s != id.slot.service) {
            continue;
        }
        // One that ends meanwhile is left out.
        if let Ok(usage) = handlers.runtime.usage(&running) {
            instances.push(InstanceUsage {
                instance: id.to_string(),
                cpu_time_ms: usage.cpu_time_ms,
                rss_bytes: usage.rss_bytes,
                pids: usage.pids,
            });
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(UsageReply {
        at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        instances,
    })
}
