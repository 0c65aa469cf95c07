//! What a job waits for, in words.

use super::{ChannelState, Job, Phase, Restore, Stage};
use crate::event::TaskState;
use crate::facts::State;
use crate::program::slots_needed;

impl Job {
    /// Why the job is where it is, and what it waits for, one sentence each.
    pub fn why(&self) -> Vec<String> {
        let mut why = vec![format!("it is {}", self.facts.state)];
        why.extend(self.waits_for());
        why.extend(self.checkpoint_words());
        if let Some(failure) = &self.facts.failure {
            why.push(format!("the last failure: {}", failure.message));
        }
        if self.facts.restarts > 0 {
            let max = self.settings.restarts_max;
            let max = max.map_or("any number".into(), |max| max.to_string());
            why.push(format!(
                "recovered {} times; {max} is allowed",
                self.facts.restarts
            ));
        }
        why
    }

    fn left(&self, until: u64) -> String {
        format!("{} ms more", until.saturating_sub(self.now))
    }

    fn waits_for(&self) -> Option<String> {
        Some(match self.phase {
            Phase::Rest => return self.rest_words(),
            Phase::Pausing { until } => {
                format!("it tries again after a pause of {}", self.left(until))
            }
            Phase::Clearing { until, .. } => {
                let left = self.left(until);
                format!("it waits for the end of its workers, {left}")
            }
            Phase::Gathering { until, .. } => self.gathering_words(until),
            Phase::Starting { until } => {
                let pending = |state: &&TaskState| **state == TaskState::Pending;
                let pending = self.run.tasks.values().filter(pending).count();
                let (all, left) = (self.run.tasks.len(), self.left(until));
                format!("it waits for {pending} of {all} tasks to start, {left}")
            }
            Phase::Adopting { until } => {
                let left = self.left(until);
                format!("its workers run; they are asked what they do, {left}")
            }
            Phase::Last { until, .. } => {
                let left = self.left(until);
                format!("it takes a last checkpoint and ends its tasks, {left}")
            }
            Phase::Ending { until, .. } => {
                let (ended, all) = (self.ended_count(), self.run.tasks.len());
                format!("{ended} of {all} tasks have ended, {}", self.left(until))
            }
        })
    }

    fn rest_words(&self) -> Option<String> {
        let words = match self.facts.state {
            State::Stopped => "a stop was wished; start it again with a restart",
            State::Failed => "it cannot go on by itself; `restart` tries again",
            State::Finished => "its sources came to their end, and all rows are out",
            State::Finishing => "its sources came to their end; the last rows are on their way",
            _ => return None,
        };
        Some(words.into())
    }

    fn gathering_words(&self, until: u64) -> String {
        let needed = slots_needed(&self.facts.applied.program.parallelism());
        let left = self.left(until);
        if let Some(missing) = self.run.missing {
            return format!("{missing} of {needed} slots are missing; asked every second, {left}");
        }
        if let Restore::Reading { id, .. } = self.run.restore {
            return format!("it reads checkpoint {id}");
        }
        let open = self.run.workers.values();
        let open = open.filter(|worker| worker.channel == ChannelState::Open);
        let found: u32 = open.map(|worker| worker.fact.slots).sum();
        format!("workers with {found} of {needed} slots are connected, {left}")
    }

    fn checkpoint_words(&self) -> Option<String> {
        let open = self.run.checkpoint.as_ref()?;
        let epoch = open.row.id.epoch;
        Some(match &open.stage {
            Stage::Collecting => {
                let (parts, all) = (open.parts.len(), self.run.tasks.len());
                format!("checkpoint {epoch}: {parts} of {all} tasks have stored their part")
            }
            Stage::Writing => format!("checkpoint {epoch}: its manifest is written"),
            Stage::Committing { waiting, .. } => {
                format!("checkpoint {epoch}: {} sinks still commit", waiting.len())
            }
        })
    }
}
