//! From what waits to decisions.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Instant;

use model::{CPU_MILLICORES, InstanceId, MEMORY_BYTES, ServiceName};
use placement::{Cluster, Rejection, Task};
use scheduling::Placement;

use crate::mirror::Mirror;

/// What is to be told to scheduling, and how many were looked at.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) placements: Vec<Placement>,
    pub(crate) looked_at: usize,
}

impl Mirror {
    /// Decides where up to so many go; the largest of them first, because they fit into fewer
    /// places.
    pub(crate) fn decide(&mut self, most: usize, now: Instant, now_ms: u64) -> Batch {
        let turn = self.turn(most, now, now_ms);
        let mut batch = Batch {
            looked_at: turn.len(),
            ..Batch::default()
        };
        let mut tasks: Vec<(InstanceId, Option<Task>)> = Vec::with_capacity(turn.len());
        for id in turn {
            let task = self.services.get(&id.slot.service).cloned();
            tasks.push((id, task));
        }
        tasks.sort_by_cached_key(|(_, task)| Reverse(task.as_ref().map(size)));
        let mut nowhere: BTreeMap<ServiceName, String> = BTreeMap::new();
        for (id, task) in tasks {
            // What others get in the same batch makes no room.
            if let Some(why) = nowhere.get(&id.slot.service) {
                self.refuse(&id, &why.clone(), &mut batch);
                continue;
            }
            if let Err(why) = self.seat(&id, task, &mut batch) {
                self.refuse(&id, &why, &mut batch);
                nowhere.insert(id.slot.service, why);
            }
        }
        batch
    }

    fn seat(
        &mut self,
        id: &InstanceId,
        task: Option<Task>,
        batch: &mut Batch,
    ) -> Result<(), String> {
        let task = task.ok_or("the resource scheduler cannot read what it asks for")?;
        let choice = match self.cluster.decide(&task) {
            Ok(choice) => choice,
            Err(rejection) => return Err(self.refusal(id, &task, rejection)),
        };
        batch.placements.push(Placement {
            instance: id.to_string(),
            node: Some(choice.seat.node.to_string()),
            why: why(&task).to_owned(),
        });
        self.ask(id.clone(), &task, choice.seat);
        Ok(())
    }

    /// As long as the same rules refuse it on as many machines, the same change helps, more or
    /// less: to look at every machine each time would hold up those that find a place.
    fn refusal(&mut self, id: &InstanceId, task: &Task, rejection: Rejection) -> String {
        let service = &id.slot.service;
        match self.refusals.get(service) {
            Some((known, why)) if *known == rejection => why.clone(),
            _ => {
                let why = refusal(&mut self.cluster, task, &rejection);
                let known = (rejection, why.clone());
                self.refusals.insert(service.clone(), known);
                why
            }
        }
    }

    fn refuse(&mut self, id: &InstanceId, why: &str, batch: &mut Batch) {
        if self.queue.no_place(id, why) {
            batch.placements.push(Placement {
                instance: id.to_string(),
                node: None,
                why: why.to_owned(),
            });
        }
    }
}

/// Why no machine takes it, and the least that would have to change.
pub(crate) fn refusal(cluster: &mut Cluster, task: &Task, rejection: &Rejection) -> String {
    match cluster.explain(task).first() {
        Some(nearest) => format!("{rejection}; the least that would help: {nearest}"),
        None => rejection.to_string(),
    }
}

fn size(task: &Task) -> (u32, u64, u64) {
    let gpus = task.gpu.as_ref().map_or(0, |gpu| gpu.milli);
    let (cpu, memory) = (CPU_MILLICORES, MEMORY_BYTES);
    (gpus, task.request.get(cpu), task.request.get(memory))
}

fn why(task: &Task) -> &'static str {
    match task.node {
        Some(_) => "it asks for that machine",
        None => "the best of those that take it",
    }
}
