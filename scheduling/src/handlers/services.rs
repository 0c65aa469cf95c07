//! Wishes.

use std::time::Duration;

use model::{Artifact, ServiceName, ServiceSpec};
use reconciliation::Command;
use rpc::{Context, Error};
use scheduling::{
    ApplyArgs, ApplyReply, DeleteServiceArgs, DeleteServiceReply, GetServiceArgs, GetServiceReply,
    ListServicesReply, ScaleServiceArgs, ScaleServiceReply, ScheduleServiceArgs,
    ScheduleServiceReply, ServiceInfo,
};
use tokio::time::timeout;

use super::errors::{not_built, refused, replicas, service_name, unknown_service};
use super::{Handlers, render};
use crate::specs;

/// What is left of a call's time for its answer to travel.
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// How long a call without a deadline waits for Cargo.
const BUILD_PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn schedule(
    handlers: &Handlers,
    context: &Context,
    args: ScheduleServiceArgs,
) -> Result<ScheduleServiceReply, Error> {
    let name = service_name(&args.name)?;
    let replicas = replicas(args.replicas)?;
    let artifact = Artifact::Cargo {
        manifest_path: args.manifest_path,
        bin_name: args.bin_name,
    };
    let known = spec_of(handlers, name.clone()).await?;
    let spec = match known {
        // What only `apply` can say stays as it was said.
        Some(known) => ServiceSpec {
            artifact,
            replicas,
            ..known
        },
        None => ServiceSpec::new(name.clone(), artifact, replicas),
    };
    check_and_build(handlers, context, std::slice::from_ref(&spec)).await?;
    let done = handlers.brain.command(Command::ApplySpec(Box::new(spec)));
    done.await.map_err(refused)?;
    let (service, revision) = info(handlers, name).await?;
    Ok(ScheduleServiceReply { service, revision })
}

pub(super) async fn scale(
    handlers: &Handlers,
    args: ScaleServiceArgs,
) -> Result<ScaleServiceReply, Error> {
    let service = service_name(&args.name)?;
    let replicas = replicas(args.replicas)?;
    let before = spec_of(handlers, service.clone()).await?;
    let before = before.ok_or_else(|| unknown_service(&service))?.replicas;
    let command = Command::Scale {
        service: service.clone(),
        replicas,
    };
    handlers.brain.command(command).await.map_err(refused)?;
    let (service, revision) = info(handlers, service).await?;
    Ok(ScaleServiceReply {
        service,
        replicas_before: before,
        revision,
    })
}

pub(super) async fn get(
    handlers: &Handlers,
    args: GetServiceArgs,
) -> Result<GetServiceReply, Error> {
    let name = service_name(&args.name)?;
    let found = handlers.brain.read(move |view| {
        let spec = view.snapshot.specs.get(&name);
        let spec = spec.ok_or_else(|| unknown_service(&name))?;
        let instances = view.snapshot.instances_of(&name);
        Ok(GetServiceReply {
            service: render::service(view, spec),
            spec: specs::render(spec)?,
            instances: instances
                .map(|i| render::instance(view.snapshot, i))
                .collect(),
            revision: view.snapshot.revision.0,
        })
    });
    found.await.map_err(refused)?
}

pub(super) async fn list(handlers: &Handlers) -> Result<ListServicesReply, Error> {
    let found = handlers.brain.read(|view| {
        let specs = view.snapshot.specs.values();
        ListServicesReply {
            services: specs.map(|spec| render::service(view, spec)).collect(),
            revision: view.snapshot.revision.0,
        }
    });
    found.await.map_err(refused)
}

pub(super) async fn apply(
    handlers: &Handlers,
    context: &Context,
    args: ApplyArgs,
) -> Result<ApplyReply, Error> {
    let specs = specs::parse(&args.spec)?;
    let names: Vec<ServiceName> = specs.iter().map(|spec| spec.name.clone()).collect();
    check_and_build(handlers, context, &specs).await?;
    let commands = specs.into_iter().map(|s| Command::ApplySpec(Box::new(s)));
    let done = handlers.brain.commands(commands.collect());
    let done = done.await.map_err(refused)?;
    if args.wait_ms > 0 {
        let patience = Duration::from_millis(args.wait_ms).min(time_left(context));
        let wished = names.clone();
        let all = handlers
            .brain
            .until(move |view| all_converged(view, &wished));
        if let Ok(ended) = timeout(patience, all).await {
            ended.map_err(refused)?;
        }
    }
    let changed = done.changed;
    let answer = handlers.brain.read(move |view| ApplyReply {
        changed,
        converged: all_converged(view, &names),
        services: names
            .iter()
            .filter_map(|name| view.snapshot.specs.get(name))
            .map(|spec| render::service(view, spec))
            .collect(),
        revision: view.snapshot.revision.0,
    });
    answer.await.map_err(refused)
}

fn all_converged(view: &crate::brain::View<'_>, names: &[ServiceName]) -> bool {
    let mut specs = names
        .iter()
        .filter_map(|name| view.snapshot.specs.get(name));
    specs.all(|spec| render::converged(view, spec))
}

pub(super) async fn delete(
    handlers: &Handlers,
    args: DeleteServiceArgs,
) -> Result<DeleteServiceReply, Error> {
    let service = service_name(&args.name)?;
    let name = service.clone();
    let ending = handlers.brain.read(move |view| {
        let instances = view.snapshot.instances_of(&name);
        instances.filter(|i| !i.state.is_terminal()).count()
    });
    let ending = ending.await.map_err(refused)?;
    let command = Command::DeleteService { service };
    let done = handlers.brain.command(command).await.map_err(refused)?;
    Ok(DeleteServiceReply {
        ending: u32::try_from(ending).unwrap_or(u32::MAX),
        revision: done.revision,
    })
}

/// Refuses what cannot work before it is wished for: a wrong spec, a manifest that is not there or
/// does not compile. A build that takes longer than the caller waits goes on with the wish.
pub(super) async fn check_and_build(
    handlers: &Handlers,
    context: &Context,
    specs: &[ServiceSpec],
) -> Result<(), Error> {
    for spec in specs {
        spec.check().map_err(|source| {
            let service = spec.name.clone();
            let wrong = reconciliation::CommandError::Spec { service, source };
            refused(wrong.into())
        })?;
    }
    let wanted = specs.iter().filter(|spec| spec.replicas > 0);
    let artifacts: Vec<Artifact> = wanted.flat_map(ServiceSpec::artifacts).cloned().collect();
    build(handlers, context, &artifacts).await
}

/// Builds what is missing or old, for as long as the caller waits; longer than that, it goes on.
pub(super) async fn build(
    handlers: &Handlers,
    context: &Context,
    artifacts: &[Artifact],
) -> Result<(), Error> {
    let building = handlers.artifacts.refresh(artifacts);
    let patience = time_left(context).min(BUILD_PATIENCE);
    let Ok(failures) = timeout(patience, building).await else {
        return Ok(());
    };
    failures.first().map_or(Ok(()), |(_, e)| Err(not_built(e)))
}

fn time_left(context: &Context) -> Duration {
    let left = context.remaining().unwrap_or(Duration::MAX);
    left.saturating_sub(ANSWER_TIME)
}

async fn spec_of(handlers: &Handlers, name: ServiceName) -> Result<Option<ServiceSpec>, Error> {
    let found = handlers
        .brain
        .read(move |v| v.snapshot.specs.get(&name).cloned());
    found.await.map_err(refused)
}

/// A service in short, and the revision that was read.
async fn info(handlers: &Handlers, name: ServiceName) -> Result<(ServiceInfo, u64), Error> {
    let found = handlers.brain.read(move |view| {
        let spec = view.snapshot.specs.get(&name);
        let spec = spec.ok_or_else(|| unknown_service(&name))?;
        Ok((render::service(view, spec), view.snapshot.revision.0))
    });
    found.await.map_err(refused)?
}
