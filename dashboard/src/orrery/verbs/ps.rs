//! `orrery ps`: the facts.

use std::collections::HashMap;

use clap::Args;
use client::scheduling::{InstanceInfo, InstanceState};
use dashboard::ago;

use super::state_cell;
use crate::failure::Failure;
use crate::output::{Cell, Table};
use crate::session::Session;

/// List instances: what runs, where, since when.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery ps
  orrery ps echo --all
  orrery ps -o jsonl | jq -r 'select(.state != \"healthy\") | .id'")]
pub(crate) struct Ps {
    /// Only this service's.
    service: Option<String>,
    /// Those too that have ended and were replaced, as long as they are remembered.
    #[arg(short, long)]
    all: bool,
}

impl Ps {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let service = self.service.as_deref();
        let mut instances = session.instances(service, true).await?.instances;
        if !self.all {
            instances = current(instances);
        }
        if instances.is_empty() {
            session.out.say(match service {
                Some(service) => format!("{service} has no instances"),
                None => "nothing runs".to_owned(),
            });
        }
        let now = session.now_ms();
        session.out.list(&instances, || table(&instances, now))
    }
}

/// What is, and what should be: everything that runs, and of each slot in which nothing runs
/// because something went wrong, what went wrong last.
fn current(instances: Vec<InstanceInfo>) -> Vec<InstanceInfo> {
    let mut newest = HashMap::new();
    for instance in &instances {
        let slot = (instance.service.clone(), instance.index);
        let generation = newest.entry(slot).or_insert(instance.generation);
        *generation = instance.generation.max(*generation);
    }
    let is_current = |instance: &InstanceInfo| {
        let slot = (instance.service.clone(), instance.index);
        let is_newest = newest.get(&slot) == Some(&instance.generation);
        !instance.state.is_terminal() || (is_newest && instance.state != InstanceState::Stopped)
    };
    instances.into_iter().filter(is_current).collect()
}

fn table(instances: &[InstanceInfo], now: u64) -> Table {
    let mut table = Table::new(&[
        "INSTANCE", "STATE", "SINCE", "NODE", "ADDRESS", "PID", "STARTS", "WHY",
    ]);
    for instance in instances {
        let why = instance.failure.as_deref().unwrap_or(&instance.reason);
        table.row([
            Cell::new(&instance.id),
            state_cell(instance.state),
            Cell::new(ago(instance.since_ms, now)),
            Cell::new(instance.node.as_deref().unwrap_or_default()),
            Cell::new(instance.address.as_deref().unwrap_or_default()),
            Cell::number(instance.pid.map_or("-".to_owned(), |pid| pid.to_string())),
            Cell::number(instance.attempt),
            Cell::new(why),
        ]);
    }
    table
}
