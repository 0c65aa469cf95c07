//! What would happen.

use model::{InstanceState, ProcessIdentity, Timestamp};
use reconciliation::{Action, Command, Snapshot};
use rpc::Error;
use scheduling::{PlanArgs, PlanReply, PlannedAction, ProposedChange};

use super::errors::{refused, replicas, service_name};
use super::{Handlers, instances, render};
use crate::brain::{Refused, View};
use crate::specs;

/// Rounds of planning after which a look ahead ends; a rollout takes two for each replica.
const ROUNDS_MAX: usize = 10_000;

pub(super) async fn plan(handlers: &Handlers, args: PlanArgs) -> Result<PlanReply, Error> {
    let commands = args.change.map_or(Ok(Vec::new()), commands)?;
    let planned = handlers.brain.read(move |view| look_ahead(view, commands));
    planned.await.map_err(refused)?.map_err(refused)
}

fn commands(change: ProposedChange) -> Result<Vec<Command>, Error> {
    Ok(match change {
        ProposedChange::Apply { spec } => {
            let specs = specs::parse(&spec)?.into_iter();
            specs.map(|s| Command::ApplySpec(Box::new(s))).collect()
        }
        ProposedChange::Scale {
            name,
            replicas: given,
        } => vec![Command::Scale {
            service: service_name(&name)?,
            replicas: replicas(given)?,
        }],
        ProposedChange::Restart { target } => vec![instances::restart_command(&target)?],
        ProposedChange::Delete { name } => vec![Command::DeleteService {
            service: service_name(&name)?,
        }],
    })
}

/// Runs the same functions as the control loop on a copy of the state, and plays an agent to which
/// nothing ever happens.
fn look_ahead(view: &View<'_>, commands: Vec<Command>) -> Result<PlanReply, Refused> {
    let mut trial = view.snapshot.clone();
    for command in commands {
        reconciliation::command(&mut trial, command, view.now)?;
    }
    let mut actions = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let plan = reconciliation::plan(&trial, view.now);
        waiting.clone_from(&plan.waiting);
        let shown = plan.actions.iter().filter_map(planned);
        actions.extend(shown);
        let idle = plan.actions.is_empty();
        if reconciliation::execute(&mut trial, &plan, view.now).is_err() {
            break;
        }
        if !play_agent(&mut trial, view.now) && idle {
            break;
        }
    }
    Ok(PlanReply {
        revision: view.snapshot.revision.0,
        actions,
        waiting: waiting.iter().map(render::waiting).collect(),
    })
}

fn planned(action: &Action) -> Option<PlannedAction> {
    let (verb, subject, place, why) = match action {
        Action::Create(create) => {
            let port = create
                .port
                .map_or_else(String::new, |p| format!(" port {p}"));
            let node = create.node.as_ref();
            let place = node.map_or_else(String::new, |node| format!("{node}{port}"));
            ("create", create.id.to_string(), place, create.why.clone())
        }
        Action::Place(placed) => {
            let place = placed.node.to_string();
            ("place", placed.instance.to_string(), place, String::new())
        }
        Action::LoseNode { node, .. } => {
            let why = "its agent was not heard of for too long".to_owned();
            ("lose", node.to_string(), String::new(), why)
        }
        Action::Stop { instance, why } => {
            ("stop", instance.to_string(), String::new(), why.to_string())
        }
        Action::Lose { instance } => {
            let why = "its node is gone".to_owned();
            ("lose", instance.to_string(), String::new(), why)
        }
        Action::GiveUp { slot, reason } => {
            ("give_up", slot.to_string(), String::new(), reason.clone())
        }
        Action::Forget { .. } => return None,
    };
    Some(PlannedAction {
        verb: verb.to_owned(),
        subject,
        place,
        why,
    })
}

/// Everything that was started is healthy, everything that was asked to end has ended. Whether
/// anything changed.
fn play_agent(trial: &mut Snapshot, now: Timestamp) -> bool {
    let mut changed = false;
    for instance in trial.instances.values_mut() {
        let next = match instance.state {
            InstanceState::Scheduled | InstanceState::Starting => InstanceState::Healthy,
            InstanceState::Stopping => InstanceState::Stopped,
            _ => continue,
        };
        instance.state = next;
        instance.since = now;
        instance.healthy_since.get_or_insert(now);
        instance.process.get_or_insert_with(|| ProcessIdentity {
            boot_id: String::new(),
            pid: 0,
            start_ticks: 0,
        });
        changed = true;
    }
    changed
}
