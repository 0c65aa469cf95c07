//! Actions as lines of a trace.

use streaming::{Action, Halt};

/// One line; nothing for what only concerns the clock.
pub(crate) fn describe(action: &Action) -> Option<String> {
    Some(match action {
        Action::WakeAt { .. } => return None,
        Action::Save(facts) => {
            let (state, generation) = (facts.state, facts.generation);
            format!(
                "save {state}, generation {generation}, {} restarts",
                facts.restarts
            )
        }
        Action::SaveRow(row) => format!("save checkpoint {}: {}", row.id, row.state),
        Action::Forget(id) => format!("forget checkpoint {id}"),
        Action::ReadCheckpoint { id } => format!("read checkpoint {id}"),
        Action::WriteManifest { id } => format!("write the manifest of checkpoint {id}"),
        Action::StopWorkers { generation } => format!("kill workers up to generation {generation}"),
        Action::StartWorkers {
            generation, slots, ..
        } => format!("start workers of generation {generation} with {slots} slots"),
        Action::OpenChannel { worker, .. } => format!("open a channel to worker {worker}"),
        Action::StartExecution { execution, .. } => {
            let shares = execution.assignments.shares.iter();
            let shares = shares.map(|s| format!("worker {} has {}..{}", s.worker, s.first, s.end));
            let shares: Vec<_> = shares.collect();
            let from = execution.restore;
            let from = from.map_or("nothing".into(), |id| format!("checkpoint {id}"));
            format!("start tasks from {from}: {}", shares.join(", "))
        }
        Action::Checkpoint {
            epoch, then_stop, ..
        } => format!(
            "checkpoint {epoch}{}",
            if *then_stop { ", then stop" } else { "" }
        ),
        Action::Commit { epoch, .. } => format!("commit {epoch}"),
        Action::StopExecution { halt, .. } => match halt {
            Halt::Graceful => "end tasks, gracefully".into(),
            Halt::Immediate => "end tasks now".into(),
        },
        Action::CollectGarbage { drop, keep } => {
            format!("delete {} checkpoints, keep {}", drop.len(), keep.len())
        }
        Action::Log(entry) => format!("log: {entry}"),
    })
}
