//! How everybody else reaches the control loop.

use std::collections::BTreeMap;

use model::{Generation, InstanceState, NodeId, ServiceName, Timestamp};
use reconciliation::{Command, CommandError, Decision, Deposed, Report, Snapshot, Waiting};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, timeout_at};

use super::publish::Assigned;
use super::{Done, Feed, Input, Placed};

/// A look at the state, all of which is durable.
pub(crate) struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// What the last plan could only wait for.
    pub(crate) waiting: &'a [Waiting],
    pub(crate) now: Timestamp,
}

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("the fleet is being stopped")]
    Draining,
    #[error("the state can no longer be made durable")]
    Gone,
}

/// A way to the control loop; cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    inputs: mpsc::Sender<Input>,
    feed: Feed,
}

impl Handle {
    pub(super) fn new(inputs: mpsc::Sender<Input>, feed: Feed) -> Self {
        Self { inputs, feed }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, Refused> {
        let (sender, answer) = oneshot::channel();
        let sent = self.inputs.send(input(sender)).await;
        sent.map_err(|_| Refused::Gone)?;
        answer.await.map_err(|_| Refused::Gone)
    }

    /// All of these or none; answers when it is durable.
    pub(crate) async fn commands(&self, commands: Vec<Command>) -> Result<Done, Refused> {
        self.ask(|reply| Input::Commands(commands, reply)).await?
    }

    pub(crate) async fn command(&self, command: Command) -> Result<Done, Refused> {
        self.commands(vec![command]).await
    }

    /// Answers when it is durable, with the revision and with what was ignored.
    pub(crate) async fn report(&self, reports: Vec<Report>) -> Result<(u64, Vec<String>), Refused> {
        self.ask(|reply| Input::Reports(reports, Some(reply))).await
    }

    /// As `report`, for those who look at their assignments to see what was understood.
    pub(crate) async fn tell(&self, reports: Vec<Report>) -> Result<(), Refused> {
        let sent = self.inputs.send(Input::Reports(reports, None)).await;
        sent.map_err(|_| Refused::Gone)
    }

    /// Takes what the placer of this generation decided; answers when it is durable.
    pub(crate) async fn place(
        &self,
        by: Generation,
        decisions: Vec<Decision>,
    ) -> Result<Result<Placed, Deposed>, Refused> {
        self.ask(|reply| Input::Place(by, decisions, reply)).await?
    }

    /// Looks at the state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        self.ask(|reply| Input::Read(Box::new(move |view| drop(reply.send(look(view))))))
            .await
    }

    pub(crate) async fn subscribe(&self, node: NodeId) -> Result<Assigned, Refused> {
        self.ask(|reply| Input::Subscribe(node, reply)).await
    }

    /// Waits until `is_so` of the state, looking again after every change. Cancel safe.
    pub(crate) async fn until<F>(&self, is_so: F) -> Result<(), Refused>
    where
        F: Fn(&View<'_>) -> bool + Clone + Send + 'static,
    {
        let mut position = self.feed.position();
        loop {
            position.mark_unchanged();
            if self.read(is_so.clone()).await? {
                return Ok(());
            }
            position.changed().await.map_err(|_| Refused::Gone)?;
        }
    }

    /// Ends every instance of the fleet, those that others wait for last, until `deadline`; then
    /// forgets them, so that the next start begins with an empty fleet and the same wishes.
    pub(crate) async fn drain(&self, deadline: Instant) -> Result<(), Refused> {
        self.ask(Input::Drain).await?;
        let waves = self.read(|view| waves(view.snapshot)).await?;
        let count = waves.len();
        for (index, wave) in waves.into_iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            // An early wave that does not end leaves the later ones half a second each.
            let later = Duration::from_millis(500) * u32::try_from(count - index - 1).unwrap_or(0);
            let until = Instant::now() + left.saturating_sub(later);
            let commands = self.stops(wave.clone()).await?;
            self.ask(|reply| Input::Stop(commands, reply)).await?;
            let ended = self.until(move |view| all_ended(view.snapshot, &wave));
            if let Ok(ended) = timeout_at(until, ended).await {
                ended?;
            }
        }
        self.ask(Input::ForgetEnded).await
    }

    async fn stops(&self, wave: Vec<ServiceName>) -> Result<Vec<Command>, Refused> {
        self.read(move |view| {
            let of = |name| view.snapshot.instances_of(name);
            let instances = wave.iter().flat_map(of);
            let running = instances.filter(|instance| !instance.state.is_terminal());
            let stop = |instance: &model::Instance| Command::StopInstance {
                instance: instance.id.clone(),
            };
            running.map(stop).collect()
        })
        .await
    }
}

fn all_ended(snapshot: &Snapshot, wave: &[ServiceName]) -> bool {
    let mut instances = wave.iter().flat_map(|name| snapshot.instances_of(name));
    instances.all(|i| i.state.is_terminal() || i.state == InstanceState::Pending)
}

/// Services in the order in which they are ended: each before those it waited for.
fn waves(snapshot: &Snapshot) -> Vec<Vec<ServiceName>> {
    let mut depths = BTreeMap::new();
    let running = snapshot.instances.keys().map(|id| &id.slot.service);
    for name in running.chain(snapshot.specs.keys()) {
        depth(snapshot, name, &mut depths, 0);
    }
    let mut waves: BTreeMap<u32, Vec<ServiceName>> = BTreeMap::new();
    for (name, depth) in depths {
        waves.entry(depth).or_default().push(name);
    }
    waves.into_values().rev().collect()
}

/// How long the longest chain of services below this one is. Chains deeper than 64 end together.
fn depth(
    snapshot: &Snapshot,
    name: &ServiceName,
    known: &mut BTreeMap<ServiceName, u32>,
    nesting: u32,
) -> u32 {
    if let Some(depth) = known.get(name) {
        return *depth;
    }
    if nesting > 64 {
        return 0;
    }
    let after = snapshot.specs.get(name).map_or(&[][..], |spec| &spec.after);
    let below = after
        .iter()
        .filter(|name| snapshot.specs.contains_key(name));
    let below = below.map(|name| 1 + depth(snapshot, name, known, nesting + 1));
    let depth = below.max().unwrap_or(0);
    known.insert(name.clone(), depth);
    depth
}
