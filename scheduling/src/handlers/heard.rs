//! Which agents are connected, and when they were last heard of.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{NodeId, NodeStatus};
use parking_lot::Mutex;
use reconciliation::Command;
use tokio::time::{Duration, Instant};

use crate::brain::{Handle, Refused};

/// The newest connection of each node's agent. An agent reports at least once a second, so one that
/// is silent for longer than `patience` is not there, whatever its connection says.
#[derive(Clone)]
pub(crate) struct Heard {
    sessions: Arc<Mutex<BTreeMap<NodeId, Session>>>,
    patience: Duration,
}

#[derive(Clone, Copy)]
struct Session {
    number: u64,
    heard: Instant,
}

impl Heard {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            sessions: Arc::default(),
            patience,
        }
    }

    /// Its agent said something.
    pub(super) fn of(&self, node: &NodeId) {
        if let Some(session) = self.sessions.lock().get_mut(node) {
            session.heard = Instant::now();
        }
    }

    /// Its agent connects. An older connection of it counts no more.
    pub(super) async fn connect(&self, brain: &Handle, node: NodeId) -> Result<Connected, Refused> {
        let connected = Connected {
            heard: self.clone(),
            number: self.begin(&node),
            brain: brain.clone(),
            node: node.clone(),
        };
        let status = NodeStatus::Ready;
        brain.command(Command::SetNode { node, status }).await?;
        Ok(connected)
    }

    fn begin(&self, node: &NodeId) -> u64 {
        let mut sessions = self.sessions.lock();
        let number = sessions.get(node).map_or(1, |session| session.number + 1);
        let heard = Instant::now();
        sessions.insert(node.clone(), Session { number, heard });
        number
    }
}

/// A node counts as ready for as long as this is kept, unless its agent connects again.
pub(super) struct Connected {
    heard: Heard,
    number: u64,
    brain: Handle,
    node: NodeId,
}

impl Connected {
    /// Waits until its agent was silent for too long, or has another connection. Cancel safe.
    pub(super) async fn lost(&self) -> String {
        loop {
            let until = match self.session() {
                Some(session) => session.heard + self.heard.patience,
                None => return format!("the agent of {} has connected again", self.node),
            };
            if until <= Instant::now() {
                let patience = self.heard.patience;
                return format!("the agent of {} said nothing for {patience:?}", self.node);
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// The session, if it still is the newest.
    fn session(&self) -> Option<Session> {
        let sessions = self.heard.sessions.lock();
        let session = sessions.get(&self.node).copied();
        session.filter(|session| session.number == self.number)
    }
}

impl Drop for Connected {
    /// What runs there goes on running, as far as anybody knows; nothing new is sent there.
    fn drop(&mut self) {
        if self.session().is_none() {
            return;
        }
        let (brain, node) = (self.brain.clone(), self.node.clone());
        let status = NodeStatus::Away;
        tokio::spawn(async move { brain.command(Command::SetNode { node, status }).await });
    }
}
