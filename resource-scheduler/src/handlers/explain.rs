//! Why something is where it is, or nowhere, machine by machine.

use placement::{Check, Report};
use resource_scheduler::{CheckVerdict, ExplainArgs, ExplainReply, MachineVerdict};
use rpc::Error;

use super::{known, target, unknown};
use crate::mirror::Mirror;

pub(super) fn explain(mirror: &mut Mirror, args: ExplainArgs) -> Result<ExplainReply, Error> {
    let (service, instance) = target(&args.target)?;
    if instance.as_ref().is_some_and(|id| !mirror.knows(id)) {
        return Err(unknown(&args.target));
    }
    let task = known(mirror, &service)?;
    let node = instance.as_ref().and_then(|id| mirror.node_of(id).cloned());
    // It is not in its own way.
    let name = instance.map(|id| id.to_string()).unwrap_or_default();
    let seat = mirror.cluster.release(&name);
    let decided = mirror.cluster.decide(&task);
    let reports = mirror.cluster.explain(&task);
    if let Some(seat) = seat {
        let _ = mirror.cluster.place(&name, &task, &seat);
    }
    let nearest = reports.first().filter(|first| first.score.is_none());
    let because = match (&node, &decided) {
        (Some(node), _) => format!("it is on {node}"),
        (None, Ok(choice)) => format!("it would go to {}", choice.seat.node),
        (None, Err(rejection)) => rejection.to_string(),
    };
    Ok(ExplainReply {
        target: args.target,
        node: node.map(|node| node.to_string()),
        because,
        least: nearest.map(ToString::to_string).unwrap_or_default(),
        machines_all: reports.len() as u64,
        machines: reports
            .iter()
            .take(args.machines_max as usize)
            .map(machine)
            .collect(),
    })
}

fn machine(report: &Report) -> MachineVerdict {
    MachineVerdict {
        node: report.node.to_string(),
        fits: report.score.is_some(),
        checks: report.checks.iter().map(check).collect(),
    }
}

fn check(check: &Check) -> CheckVerdict {
    let says = match &check.outcome {
        Ok(margin) => margin.to_string(),
        Err(changes) => {
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            changes.join(", and ")
        }
    };
    CheckVerdict {
        rule: check.filter.to_string(),
        holds: check.outcome.is_ok(),
        says,
    }
}
