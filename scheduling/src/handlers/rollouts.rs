//! A newer version on its way.

use model::{Artifact, Revision, ServiceName};
use reconciliation::{Command, RollStep as Step};
use rpc::{Context, Error};
use scheduling::{NextVersion, RollArgs, RollReply, RollStep, RolloutArgs, RolloutReply, Version};

use super::errors::{refused, service_name, unknown_service};
use super::{Handlers, render, services};

pub(super) async fn roll(
    handlers: &Handlers,
    context: &Context,
    args: RollArgs,
) -> Result<RollReply, Error> {
    let service = service_name(&args.service)?;
    let (by, fence) = (args.by, args.fence);
    let step = match args.step {
        RollStep::Begin {
            version,
            from,
            surge,
            onto,
        } => {
            let artifact = version.program.into();
            // Built before it is wished for: a version that does not compile takes nobody's place.
            if !is_under_way(handlers, &service, &by, fence).await? {
                services::build(handlers, context, std::slice::from_ref(&artifact)).await?;
            }
            Step::Begin {
                artifact,
                env: version.env,
                from,
                surge,
                onto: Revision(onto),
            }
        }
        RollStep::Move { from, surge } => Step::Move { from, surge },
        RollStep::Promote => Step::Promote,
        RollStep::Withdraw => Step::Withdraw,
    };
    let command = Command::Roll {
        service,
        by,
        fence,
        step,
    };
    let done = handlers.brain.command(command).await.map_err(refused)?;
    let revision = done.revision;
    Ok(RollReply { revision })
}

async fn is_under_way(
    handlers: &Handlers,
    service: &ServiceName,
    by: &str,
    fence: u64,
) -> Result<bool, Error> {
    let (service, by) = (service.clone(), by.to_owned());
    let found = handlers.brain.read(move |view| {
        let spec = view.snapshot.specs.get(&service);
        let next = spec.and_then(|spec| spec.next.as_ref());
        next.is_some_and(|next| next.by == by && next.fence == fence)
    });
    found.await.map_err(refused)
}

pub(super) async fn rollout(handlers: &Handlers, args: RolloutArgs) -> Result<RolloutReply, Error> {
    let name = service_name(&args.service)?;
    let found = handlers.brain.read(move |view| {
        let spec = view.snapshot.specs.get(&name);
        let spec = spec.ok_or_else(|| unknown_service(&name))?;
        let next = spec.next.as_ref().map(|next| NextVersion {
            by: next.by.clone(),
            fence: next.fence,
            version: version(&next.artifact, next.env.clone()),
            from: next.from,
            surge: next.surge,
            spec_revision: next.revision.0,
        });
        let instances = view.snapshot.instances_of(&name);
        Ok(RolloutReply {
            replicas: spec.replicas,
            version: version(&spec.artifact, spec.env.clone()),
            spec_revision: spec.revision.0,
            next,
            rolled: spec.rolled,
            instances: instances
                .map(|i| render::instance(view.snapshot, i))
                .collect(),
            revision: view.snapshot.revision.0,
        })
    });
    found.await.map_err(refused)?
}

fn version(artifact: &Artifact, env: std::collections::BTreeMap<String, String>) -> Version {
    let program = artifact.clone().into();
    Version { program, env }
}
