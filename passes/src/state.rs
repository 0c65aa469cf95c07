//! All jobs that wait or run, and what happens to them. No I/O: what was seen comes in, what
//! changed goes out.

use std::collections::{BTreeMap, BTreeSet};

use model::Exit;
use passes::scheduler::{MachineFleet, Scheduler, TickReport};
use passes::{JobPhase, JobSpec, StatsReply, Submitted, WhenLate};
use scheduling::{InstanceInfo, InstanceState};

use crate::nodes::{Seen, is_open, keeps_jobs, machine_of};
use crate::record::{Record, job};
use crate::refusal::explain;

/// What is kept of a machine's room for alerts, and how many workers decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) workers: usize,
    pub(crate) headroom_pct: u32,
}

pub(crate) struct State {
    core: Scheduler,
    active: BTreeMap<u64, Record>,
    /// The jobs that have a key, those that are over included.
    keys: BTreeMap<String, u64>,
    last_id: u64,
    /// Whether the nodes were ever seen: until then nothing can be decided.
    knows_nodes: bool,
    nodes: BTreeSet<String>,
    counts: StatsReply,
    /// What is not on disk yet.
    touched: BTreeSet<u64>,
}

impl State {
    pub(crate) fn new(shape: Shape) -> Self {
        let core = Scheduler::new(MachineFleet::new(), shape.workers, shape.headroom_pct);
        Self {
            core: core.with_reported_ends(),
            active: BTreeMap::new(),
            keys: BTreeMap::new(),
            last_id: 0,
            knows_nodes: false,
            nodes: BTreeSet::new(),
            counts: StatsReply::default(),
            touched: BTreeSet::new(),
        }
    }

    /// One that was on disk.
    pub(crate) fn load(&mut self, record: Record) {
        let id = record.0.id;
        self.last_id = self.last_id.max(id);
        if !record.0.spec.key.is_empty() {
            self.keys.insert(record.0.spec.key.clone(), id);
        }
        if !record.0.phase.is_over() {
            self.active.insert(id, record);
        }
    }

    /// It is remembered no longer.
    pub(crate) fn forget(&mut self, key: &str) {
        self.keys.remove(key);
    }

    pub(crate) fn knows_nodes(&self) -> bool {
        self.knows_nodes
    }

    pub(crate) fn active(&self) -> usize {
        self.active.len()
    }

    pub(crate) fn submit(&mut self, spec: JobSpec, by: &str, now_ms: u64) -> Submitted {
        if let Some(id) = self.keys.get(&spec.key).filter(|_| !spec.key.is_empty()) {
            return Submitted::Accepted { id: *id };
        }
        let id = self.last_id + 1;
        if let Err(rejected) = self.core.submit(job(id, &spec, now_ms)) {
            return Submitted::Refused {
                why: explain(&rejected, now_ms),
            };
        }
        self.last_id = id;
        if !spec.key.is_empty() {
            self.keys.insert(spec.key.clone(), id);
        }
        self.active
            .insert(id, Record::new(id, spec, by.to_owned(), now_ms));
        self.touched.insert(id);
        Submitted::Accepted { id }
    }

    /// `false` if it neither waits nor runs.
    pub(crate) fn cancel(&mut self, id: u64, by: &str, now_ms: u64) -> bool {
        self.end(
            id,
            JobPhase::Cancelled,
            now_ms,
            format!("cancelled by {by}"),
        )
    }

    /// Takes note of what was seen, and decides what starts, stops and moves.
    pub(crate) fn turn(&mut self, seen: &Seen, now_ms: u64) {
        self.see_nodes(seen, now_ms);
        if !self.knows_nodes {
            self.knows_nodes = true;
            self.recover(now_ms);
        }
        self.see_instances(seen, now_ms);
        self.stop_late(now_ms);
        let report = self.core.tick();
        self.note(&report, now_ms);
    }

    fn see_nodes(&mut self, seen: &Seen, now_ms: u64) {
        let kept: Vec<_> = seen.nodes.iter().filter(|node| keeps_jobs(node)).collect();
        let names: BTreeSet<String> = kept.iter().map(|node| node.name.clone()).collect();
        for gone in self.nodes.difference(&names) {
            let status = seen.nodes.iter().find(|node| node.name == *gone);
            let status = status.map_or("gone", |node| node.status.as_str());
            for id in self.core.lose_machine(gone) {
                self.counts.lost += 1;
                self.touched.insert(id);
                if let Some(record) = self.active.get_mut(&id) {
                    record.wait(now_ms, format!("the node {gone} is {status}"));
                }
            }
        }
        for node in kept {
            if let Some(machine) = machine_of(node) {
                // That it is there already is no news.
                self.core.add_machine(machine).ok();
            }
            self.core.set_open(&node.name, is_open(node));
        }
        self.nodes = names;
    }

    /// After a restart: what ran is taken to run, and what waited waits.
    fn recover(&mut self, now_ms: u64) {
        for (id, record) in &mut self.active {
            let node = record
                .0
                .node
                .clone()
                .filter(|_| record.0.phase == JobPhase::Running);
            let job = record.job();
            if let Some(node) = node {
                if self.core.adopt(&job, &node, record.expected_end_ms()) {
                    continue;
                }
                record.wait(now_ms, format!("the node {node} was gone after a restart"));
                self.touched.insert(*id);
            }
            self.core.restore(&job);
        }
    }

    fn see_instances(&mut self, seen: &Seen, now_ms: u64) {
        let ended = self.active.values().filter_map(|record| {
            let running = record.0.phase == JobPhase::Running;
            let instance = seen.instances.get(&(record.0.id, record.0.attempt));
            let instance = instance.filter(|instance| running && instance.state.is_terminal())?;
            Some((record.0.id, instance.clone()))
        });
        let ended: Vec<(u64, InstanceInfo)> = ended.collect();
        for (id, instance) in ended {
            self.see_end(id, &instance, now_ms);
        }
    }

    fn see_end(&mut self, id: u64, instance: &InstanceInfo, now_ms: u64) {
        let Some(record) = self.active.get_mut(&id) else {
            return;
        };
        let deadline_ms = record.0.spec.deadline_ms;
        match (instance.state, &instance.failure) {
            // It was stopped by somebody, and its slot gets another one.
            (InstanceState::Stopped, _) => {}
            (InstanceState::Failed, Some(how)) if *how == Exit::Code(0).to_string() => {
                let late_ms = instance.since_ms.saturating_sub(deadline_ms);
                let (phase, why) = match late_ms {
                    0 => (JobPhase::Done, "done".to_owned()),
                    late_ms => (JobPhase::Missed, format!("done {late_ms} ms too late")),
                };
                self.end(id, phase, now_ms, why);
            }
            (InstanceState::Failed, how) => {
                let how = how.as_deref().unwrap_or(&instance.reason);
                let why = format!("{how} on {}", instance.node.as_deref().unwrap_or("no node"));
                let last = instance.last_lines.iter().rev().take(5).rev();
                let lines: String = last.map(|line| format!("\n  {line}")).collect();
                self.end(id, JobPhase::Failed, now_ms, why + &lines);
            }
            (state, _) => {
                let job = record.job();
                let node = record.0.node.clone().unwrap_or_default();
                record.wait(
                    now_ms,
                    format!("its process is {state}: {}", instance.reason),
                );
                self.counts.lost += 1;
                self.touched.insert(id);
                if self.core.withdraw(id, &node) {
                    self.core.restore(&job);
                }
            }
        }
    }

    fn stop_late(&mut self, now_ms: u64) {
        let late = self.active.values().filter(|record| {
            let job = &record.0;
            job.phase == JobPhase::Running
                && job.spec.when_late == WhenLate::Stop
                && job.spec.deadline_ms < now_ms
        });
        let late: Vec<u64> = late.map(|record| record.0.id).collect();
        for id in late {
            self.end(
                id,
                JobPhase::Missed,
                now_ms,
                "stopped at its deadline".to_owned(),
            );
        }
    }

    fn note(&mut self, report: &TickReport, now_ms: u64) {
        // Victims first: one of them may have found another place at once.
        for preempted in &report.preempted {
            let why = format!(
                "job {} took its place on {}",
                preempted.by, preempted.machine
            );
            self.change(preempted.job, |record| record.wait(now_ms, why));
        }
        for placed in &report.placed {
            self.change(placed.job, |record| {
                record.place(&placed.machine, now_ms, "goes to")
            });
        }
        for moved in &report.migrated {
            let why = format!("moves from {} to", moved.from);
            self.change(moved.job, |record| record.place(&moved.to, now_ms, &why));
        }
        for missed in &report.missed {
            let why = "found no place in time".to_owned();
            self.end(*missed, JobPhase::Missed, now_ms, why);
        }
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.active.get_mut(&id) {
            change(record);
            self.touched.insert(id);
        }
    }

    fn end(&mut self, id: u64, phase: JobPhase, now_ms: u64, why: String) -> bool {
        let Some(record) = self.active.get_mut(&id).filter(|r| !r.0.phase.is_over()) else {
            return false;
        };
        match record.0.phase {
            JobPhase::Running => {
                let node = record.0.node.as_deref().unwrap_or_default();
                if phase == JobPhase::Done {
                    self.core.finished(id, node);
                } else {
                    self.core.withdraw(id, node);
                }
            }
            _ => {
                self.core.cancel(id);
            }
        }
        record.end(phase, now_ms, why);
        let count = match phase {
            JobPhase::Done => &mut self.counts.done,
            JobPhase::Missed => &mut self.counts.missed,
            JobPhase::Cancelled => &mut self.counts.cancelled,
            _ => &mut self.counts.failed,
        };
        *count += 1;
        self.touched.insert(id);
        true
    }

    /// What has changed since it was last asked. What is over is no longer looked after.
    pub(crate) fn take_touched(&mut self) -> Vec<Record> {
        let mut touched = Vec::new();
        for id in std::mem::take(&mut self.touched) {
            let Some(record) = self.active.get(&id) else {
                continue;
            };
            touched.push(record.clone());
            if record.0.phase.is_over() {
                self.active.remove(&id);
            }
        }
        touched
    }

    /// The jobs that should have a process now.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Record> {
        let all = self.active.values();
        all.filter(|record| record.0.phase == JobPhase::Running)
    }

    /// A start that scheduling does not accept will not be accepted later either.
    pub(crate) fn cannot_start(&mut self, id: u64, why: String, now_ms: u64) {
        self.end(id, JobPhase::Failed, now_ms, why);
    }

    pub(crate) fn stats(&self) -> StatsReply {
        let metrics = self.core.metrics();
        StatsReply {
            machines: u32::try_from(self.core.fleet().machines().count()).unwrap_or(u32::MAX),
            used_pct: (self.core.fleet().utilization() * 100.0) as u32,
            waiting: metrics.queue_depth_by_priority.to_vec(),
            running: self.core.running() as u64,
            submitted: metrics.total_submitted,
            refused: metrics.total_rejected,
            preempted: metrics.preemptions,
            migrated: metrics.migrations_executed,
            steal_attempts: metrics.steal_attempts,
            steal_successes: metrics.steal_successes,
            decisions: metrics.decisions_by_worker.iter().sum(),
            ..self.counts.clone()
        }
    }
}
