//! The control loop: one task owns the state, and everything that changes it comes through here.
//!
//! ```text
//!  command, report, timer ─▶ pure function ─┐
//!                               plan ◀──────┤  until there is nothing more to do
//!                               execute ────┘
//!                                  │ changes
//!                                  ▼
//!                    one durable transaction ─▶ answers, watchers, agents
//! ```
//!
//! Inputs that arrive while a transaction is being made durable are taken together with the next
//! one: under load the fsync is shared, and an idle fleet answers in the time of one.

mod clock;
mod feed;
mod handle;
mod memory;
mod publish;

use std::collections::BTreeMap;

use model::{Generation, NodeId, ServiceSpec, Timestamp};
use reconciliation::{
    Change, Command, CommandError, Decision, Deposed, Plan, Refusal, Report, Snapshot, Waiting,
};
use store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use self::clock::Clock;
pub(crate) use self::feed::Feed;
use self::feed::Touched;
pub(crate) use self::handle::{Handle, Refused, View};
pub(crate) use self::memory::MemoryError;
use self::memory::{Memory, Numbered};
use self::publish::Agents;

/// Inputs taken together.
const BATCH_MAX: usize = 512;

/// What comes to the control loop.
enum Input {
    /// All of these, or none.
    Commands(Vec<Command>, oneshot::Sender<Result<Done, Refused>>),
    /// What an agent saw; the answer says what was ignored.
    Reports(Vec<Report>, Option<oneshot::Sender<(u64, Vec<String>)>>),
    /// What the placer of this generation decided.
    Place(Generation, Vec<Decision>, oneshot::Sender<PlaceAnswer>),
    /// A look at the state.
    Read(Box<dyn FnOnce(&View<'_>) + Send>),
    /// An agent that wants its assignments.
    Subscribe(NodeId, oneshot::Sender<publish::Assigned>),
    /// Plan no more, take no more commands; the fleet is being stopped.
    Drain(oneshot::Sender<()>),
    /// While draining: end these instances.
    Stop(Vec<Command>, oneshot::Sender<()>),
    /// While draining: forget whatever has ended, so that the next start begins anew.
    ForgetEnded(oneshot::Sender<()>),
}

/// A command's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) revision: u64,
    pub(crate) changed: bool,
}

/// What came of a placer's decisions.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) verdicts: Vec<Result<(), Refusal>>,
    pub(crate) revision: u64,
}

type PlaceAnswer = Result<Result<Placed, Deposed>, Refused>;

/// The owner of the state.
pub(crate) struct Brain<S> {
    snapshot: Snapshot,
    waiting: Vec<Waiting>,
    wake_at: Option<Timestamp>,
    clock: Clock,
    memory: Memory<S>,
    feed: Feed,
    agents: Agents,
    draining: bool,
    inputs: mpsc::Receiver<Input>,
}

type Answer = Box<dyn FnOnce(&View<'_>) + Send>;

/// An answer that says only that it is durable.
fn done(reply: oneshot::Sender<()>) -> Answer {
    Box::new(move |_| {
        // Whoever asked may have gone.
        let _ = reply.send(());
    })
}

impl<S: Store> Brain<S> {
    /// Recalls the state. `snapshot` is an empty one with its settings.
    pub(crate) async fn recall(
        store: S,
        snapshot: Snapshot,
    ) -> Result<(Self, Handle, BTreeMap<String, ServiceSpec>), MemoryError> {
        let (memory, remembered) = Memory::load(store, snapshot).await?;
        let snapshot = remembered.snapshot;
        let feed = Feed::new(snapshot.revision.0, remembered.events);
        let (sender, inputs) = mpsc::channel(4 * BATCH_MAX);
        let handle = Handle::new(sender, feed.clone());
        let brain = Self {
            clock: Clock::start(&snapshot),
            snapshot,
            waiting: Vec::new(),
            wake_at: None,
            memory,
            feed,
            agents: Agents::default(),
            draining: false,
            inputs,
        };
        Ok((brain, handle, remembered.defaults))
    }

    /// Takes over defaults before anything runs; `taken` is what to remember of them.
    pub(crate) async fn bootstrap(
        &mut self,
        commands: Vec<Command>,
        taken: &[ServiceSpec],
    ) -> Result<Result<(), CommandError>, MemoryError> {
        let mut changes = Vec::new();
        for command in commands {
            match reconciliation::command(&mut self.snapshot, command, self.clock.now()) {
                Ok(more) => changes.extend(more),
                Err(e) => return Ok(Err(e)),
            }
        }
        self.commit(changes).await?;
        self.memory.put_defaults(taken).await?;
        Ok(Ok(()))
    }

    /// What the state is; for the time before it runs.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Works until nobody has a handle any more.
    ///
    /// # Errors
    /// The state could not be made durable: nothing more may be acknowledged, and the process has
    /// to end. The fleet goes on running.
    pub(crate) async fn run(mut self) -> Result<(), MemoryError> {
        let mut batch = Vec::new();
        let mut changes = self.settle();
        loop {
            self.commit(std::mem::take(&mut changes)).await?;
            let wake_at = self.wake_at.map(|at| self.clock.instant(at));
            let wake = async {
                match wake_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                taken = self.inputs.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 {
                        return Ok(());
                    }
                }
                () = wake => {}
            }
            let mut answers = Vec::new();
            for input in batch.drain(..) {
                answers.extend(self.take(input, &mut changes));
            }
            changes.extend(self.settle());
            self.commit(std::mem::take(&mut changes)).await?;
            let view = View {
                snapshot: &self.snapshot,
                waiting: &self.waiting,
                now: self.clock.now(),
            };
            for answer in answers {
                answer(&view);
            }
        }
    }

    /// Takes one input into the state; its answer is given when that is durable.
    fn take(&mut self, input: Input, changes: &mut Vec<Change>) -> Option<Answer> {
        match input {
            Input::Commands(commands, reply) => {
                let result = self.commands(commands, changes);
                Some(Box::new(move |view| {
                    let _ = reply.send(result.map(|changed| Done {
                        revision: view.snapshot.revision.0,
                        changed,
                    }));
                }))
            }
            Input::Reports(reports, reply) => {
                let ignored = self.reports(&reports, changes);
                reply.map(|reply| -> Answer {
                    Box::new(move |view| {
                        let _ = reply.send((view.snapshot.revision.0, ignored));
                    })
                })
            }
            Input::Place(by, decisions, reply) => {
                let answer = self.place(by, &decisions, changes);
                Some(Box::new(move |view| {
                    let revision = view.snapshot.revision.0;
                    let placed = |verdicts| Placed { verdicts, revision };
                    let _ = reply.send(answer.map(|answer| answer.map(placed)));
                }))
            }
            Input::Read(look) => Some(look),
            Input::Subscribe(node, reply) => {
                let _ = reply.send(self.agents.subscribe(&node, &self.snapshot));
                None
            }
            Input::Drain(reply) => {
                self.draining = true;
                Some(done(reply))
            }
            Input::Stop(commands, reply) => {
                for command in commands {
                    // One that has ended meanwhile needs no stopping.
                    let now = self.clock.now();
                    let done = reconciliation::command(&mut self.snapshot, command, now);
                    changes.extend(done.unwrap_or_default());
                }
                Some(done(reply))
            }
            Input::ForgetEnded(reply) => {
                changes.extend(self.forget_ended());
                Some(done(reply))
            }
        }
    }

    /// All of the commands or none: they are tried on a copy when there are several.
    fn commands(
        &mut self,
        commands: Vec<Command>,
        changes: &mut Vec<Change>,
    ) -> Result<bool, Refused> {
        if self.draining {
            return Err(Refused::Draining);
        }
        let now = self.clock.now();
        let mut made = Vec::new();
        if let [_] = commands.as_slice() {
            for command in commands {
                made = reconciliation::command(&mut self.snapshot, command, now)?;
            }
        } else {
            let mut trial = self.snapshot.clone();
            for command in commands {
                made.extend(reconciliation::command(&mut trial, command, now)?);
            }
            self.snapshot = trial;
        }
        let changed = !made.is_empty();
        changes.extend(made);
        Ok(changed)
    }

    fn place(
        &mut self,
        by: Generation,
        decisions: &[Decision],
        changes: &mut Vec<Change>,
    ) -> Result<Result<Vec<Result<(), Refusal>>, Deposed>, Refused> {
        if self.draining {
            return Err(Refused::Draining);
        }
        let now = self.clock.now();
        let placed = reconciliation::place(&mut self.snapshot, by, decisions, now);
        Ok(placed.map(|(made, verdicts)| {
            changes.extend(made);
            verdicts
        }))
    }

    fn reports(&mut self, reports: &[Report], changes: &mut Vec<Change>) -> Vec<String> {
        let now = self.clock.now();
        let mut ignored = Vec::new();
        for report in reports {
            match reconciliation::observe(&mut self.snapshot, report, now) {
                Ok(more) => changes.extend(more),
                Err(why) => {
                    tracing::debug!(%why, "a report changed nothing");
                    ignored.push(why.to_string());
                }
            }
        }
        ignored
    }

    /// Plans and executes until there is nothing more to do now.
    fn settle(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.draining {
            self.wake_at = None;
            return changes;
        }
        loop {
            let now = self.clock.now();
            let plan = reconciliation::plan(&self.snapshot, now);
            self.wake_at = plan.wake_at;
            if plan.actions.is_empty() {
                self.waiting = plan.waiting;
                return changes;
            }
            debug_assert_eq!(reconciliation::check(&self.snapshot, &plan, now), Ok(()));
            match reconciliation::execute(&mut self.snapshot, &plan, now) {
                Ok(more) => changes.extend(more),
                Err(stale) => tracing::error!(%stale, "planned from another state than its own"),
            }
        }
    }

    fn forget_ended(&mut self) -> Vec<Change> {
        let instances = self.snapshot.instances.values();
        let ended = instances.filter(|instance| instance.state.is_terminal());
        let actions = ended.map(|instance| reconciliation::Action::Forget {
            instance: instance.id.clone(),
        });
        let plan = Plan {
            revision: self.snapshot.revision,
            actions: actions.collect(),
            ..Plan::default()
        };
        let now = self.clock.now();
        reconciliation::execute(&mut self.snapshot, &plan, now).unwrap_or_default()
    }

    /// Makes changes durable, then tells everybody.
    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), MemoryError> {
        if changes.is_empty() {
            return Ok(());
        }
        let touched = Touched::of(&changes);
        let events: Numbered = self.memory.commit(changes).await?;
        for (_, event) in &events {
            tracing::debug!(%event, "happened");
        }
        self.agents.publish(&self.snapshot, &touched);
        let instances = self.snapshot.instances.values();
        self.feed.count(instances.map(|instance| instance.state));
        self.feed.publish(self.snapshot.revision.0, touched, events);
        Ok(())
    }
}
