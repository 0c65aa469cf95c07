//! What every machine says to a task, and what the least is that would have to change.

use std::cmp::Reverse;

use super::node::NodeState;
use super::{Cluster, area_of};
use crate::filter;
use crate::task::Task;
use crate::verdict::{Change, Report};

impl Cluster {
    /// What every machine says to a task: those that take it first, the best before the others;
    /// then the rest, the one first where the least would have to change. A task that asks for one
    /// machine hears of that one only.
    pub fn explain(&mut self, task: &Task) -> Vec<Report> {
        let founder = self.as_founder(task);
        let shape = self.shape_of(founder.as_ref().unwrap_or(task));
        self.outlook.meet(&self.fleet.profiles);
        let fewest = self.fewest(shape);
        let quota = self.usage.check(task, &self.settings);
        let pinned = |state: &NodeState| task.node.as_ref().is_none_or(|node| *node == state.id);
        let machines = self.fleet.in_order().filter(|(_, state)| pinned(state));
        let mut reports: Vec<Report> = machines
            .map(|(node, state)| {
                let place = self.fleet.place(state);
                let area = area_of(&self.fleet, state.zone, fewest);
                let mut checks = filter::examine(self.view(shape).shape, &place, &area);
                checks.push(quota.clone());
                let score = self.judge(shape, node, fewest).ok();
                let mut report = Report {
                    node: state.id.clone(),
                    score: score.filter(|_| quota.outcome.is_ok()),
                    checks,
                };
                self.name_holders(&mut report, state);
                report
            })
            .collect();
        // The names are in order already, and the sort keeps them so among equals.
        reports.sort_by_cached_key(|report| {
            let amounts: u64 = report.changes().map(|change| share(change, task)).sum();
            (Reverse(report.score), report.effort(), amounts)
        });
        reports
    }

    fn name_holders(&self, report: &mut Report, state: &NodeState) {
        let refusals = report
            .checks
            .iter_mut()
            .filter_map(|check| check.outcome.as_mut().err());
        for change in refusals.flatten() {
            let Change::FreePort { port, holder } = change else {
                continue;
            };
            let mut placed = state.tasks.iter().filter_map(|at| self.tasks.get(*at));
            let has = |shape: u32| self.tasks.shapes[shape as usize].task.ports.contains(port);
            *holder = placed
                .find(|placed| has(placed.shape))
                .map(|placed| placed.id.clone());
        }
    }
}

/// How big a change is among those of its kind: amounts in millionths of what is asked for.
fn share(change: &Change, task: &Task) -> u64 {
    let of = |amount: u64, asked: u64| amount.saturating_mul(1_000_000) / asked.max(1);
    match change {
        Change::Free { resource, amount } | Change::Shrink { resource, amount } => {
            of(*amount, task.request.get(resource))
        }
        Change::FreeGpus { milli } | Change::ShrinkGpus { milli } => of(
            *milli,
            task.gpu.as_ref().map_or(0, |gpu| u64::from(gpu.milli)),
        ),
        Change::MoveAway { count, .. } => u64::from(*count),
        Change::RaiseSkew { by } => u64::from(*by),
        Change::License { tiers } => u64::from(*tiers),
        _ => 0,
    }
}
