//! What is done when the writes are durable. Nothing here is waited for.

use std::collections::BTreeMap;

use dataflow::manifest::{Manifest, TaskId as Named};
use dataflow::storage::Storage;
use dataflow::worker::{Assignment, Execution as Told};
use streaming::{
    Action, CheckpointId, Event, Execution, Found, Generation, Halt, Message, WorkerId,
};
use tokio::task::spawn_blocking;

use super::Executor;
use crate::backend::secret;
use crate::files;
use crate::link::{Link, Order};
use crate::mail::Input;

impl Executor {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Save(_) | Action::SaveRow(_) | Action::Forget(_) | Action::Log(_) => {}
            Action::ReadCheckpoint { id } => self.read(id),
            Action::WriteManifest { id } => self.write(id),
            Action::StopWorkers { generation } => self.stop_workers(generation),
            Action::StartWorkers {
                generation,
                slots,
                env,
            } => {
                let backend = &self.tools.backend;
                let answer = backend.start(&self.record.name, generation, slots, &env);
                self.tell(Event::Slots { generation, answer });
            }
            Action::OpenChannel { worker, generation } => self.open(worker, generation),
            Action::StartExecution {
                generation,
                execution,
            } => self.start_execution(generation, &execution),
            Action::Checkpoint {
                epoch, then_stop, ..
            } => {
                let epoch = epoch.0;
                // Parts of earlier ones are written already, or never will be.
                self.parts.retain(|of, _| *of >= epoch);
                self.order_all(|| Order::Barrier { epoch, then_stop });
            }
            Action::Commit { epoch, .. } => self.order_all(|| Order::Commit { epoch: epoch.0 }),
            Action::StopExecution { halt, .. } => {
                let graceful = halt == Halt::Graceful;
                self.order_all(|| Order::End { graceful });
            }
            Action::CollectGarbage { drop, keep } => self.collect(drop, keep),
            Action::WakeAt { at_ms } => self.wake = Some(self.tools.clock.at(at_ms)),
        }
    }

    fn tell(&self, event: Event) {
        // The receiver is this executor itself.
        let _ = self.own.send(Input::Event(event));
    }

    /// To all workers that have tasks.
    fn order_all(&self, order: impl Fn() -> Order) {
        for worker in &self.job.facts().workers {
            if let Some(link) = self.links.get(&worker.id) {
                link.order(order());
            }
        }
    }

    fn read(&mut self, id: CheckpointId) {
        let (found, manifest) = files::look(&self.tools.checkpoints, id);
        self.restored = manifest.map(|manifest| (id, manifest));
        self.tell(Event::Checkpoint { id, found });
    }

    fn write(&mut self, id: CheckpointId) {
        let manifest = Manifest {
            epoch: id.epoch.0,
            generation: id.generation.0,
            tasks: self.parts.remove(&id.epoch.0).unwrap_or_default(),
        };
        let (root, own) = (self.tools.checkpoints.clone(), self.own.clone());
        spawn_blocking(move || {
            let written = Storage::new(root).write_manifest(&manifest);
            let result = written.map(drop).map_err(|error| error.to_string());
            let _ = own.send(Input::Event(Event::Manifest { id, result }));
        });
    }

    fn collect(&self, drop: Vec<CheckpointId>, keep: Vec<CheckpointId>) {
        let (root, own) = (self.tools.checkpoints.clone(), self.own.clone());
        spawn_blocking(move || {
            let result = files::collect(&root, &drop, &keep);
            let _ = own.send(Input::Event(Event::Collected { result }));
        });
    }

    fn stop_workers(&mut self, generation: Generation) {
        if generation >= self.linked {
            // What they would say of their own end is of no interest.
            self.links.clear();
        }
        let (backend, own) = (self.tools.backend.clone(), self.own.clone());
        let job = self.record.name.clone();
        tokio::spawn(async move {
            match backend.stop(&job, generation).await {
                Ok(()) => _ = own.send(Input::Event(Event::Cleared { generation })),
                Err(error) => tracing::error!(job, %error, "failed to end workers"),
            }
        });
    }

    fn open(&mut self, id: WorkerId, generation: Generation) {
        let worker = self.tools.backend.worker(id);
        let worker = worker.filter(|worker| worker.generation == generation.0);
        let link = worker.and_then(|worker| Link::open(id, &worker, self.own.clone()));
        match link {
            Some(link) => _ = self.links.insert(id, link),
            None => {
                let message = Message::ChannelFailed("nobody knows where it is".into());
                self.tell(Event::Worker {
                    generation,
                    worker: id,
                    message,
                });
            }
        }
    }

    fn start_execution(&mut self, generation: Generation, execution: &Execution) {
        let told = match self.told(generation, execution) {
            Ok(told) => told,
            Err(why) => {
                let message = Message::NotInitialized(why);
                let worker = execution.assignments.shares.first();
                let worker = worker.map(|share| share.worker).unwrap_or_default();
                return self.tell(Event::Worker {
                    generation,
                    worker,
                    message,
                });
            }
        };
        for (share, told) in execution.assignments.shares.iter().zip(told) {
            if let Some(link) = self.links.get(&share.worker) {
                link.order(Order::Start(told));
            }
        }
    }

    /// What each worker with tasks is told, in the order of the shares.
    fn told(
        &mut self,
        generation: Generation,
        execution: &Execution,
    ) -> Result<Vec<String>, String> {
        let restore = execution.restore.map(|id| self.manifest(id)).transpose()?;
        let mut workers = BTreeMap::new();
        for (number, share) in (0_u32..).zip(&execution.assignments.shares) {
            let found = self.tools.backend.worker(share.worker);
            let data = found.and_then(|worker| worker.data_address);
            let data = data.ok_or_else(|| format!("worker {} is gone", share.worker))?;
            workers.insert(number, data);
        }
        let operators = execution.program.operators.iter();
        let names: BTreeMap<_, _> = operators.map(|o| (o.id, o.name.clone())).collect();
        let parallelism = execution.program.parallelism();
        let mut assignments = Vec::new();
        for (number, (_, tasks)) in (0_u32..).zip(execution.assignments.tasks(&parallelism)) {
            assignments.extend(tasks.into_iter().map(|task| Assignment {
                task: Named {
                    stage: names[&task.operator].clone(),
                    subtask: task.subtask,
                },
                worker: number,
            }));
        }
        let mut told = Told {
            job: self.record.name.clone(),
            generation: generation.0,
            plan: self.record.running_plan(),
            assignments,
            workers,
            worker: 0,
            token: secret().map_err(|e| e.to_string())?,
            checkpoints: self.tools.checkpoints.clone(),
            restore,
        };
        let count = told.workers.len() as u32;
        let each = (0..count).map(|number| {
            told.worker = number;
            serde_json::to_string(&told).map_err(|e| e.to_string())
        });
        each.collect()
    }

    fn manifest(&mut self, id: CheckpointId) -> Result<Manifest, String> {
        match &self.restored {
            Some((read, manifest)) if *read == id => Ok(manifest.clone()),
            _ => match files::look(&self.tools.checkpoints, id) {
                (Found::Whole, Some(manifest)) => Ok(manifest),
                (found, _) => Err(format!("checkpoint {id}: {found:?}")),
            },
        }
    }
}
