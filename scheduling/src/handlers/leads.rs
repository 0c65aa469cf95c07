//! Which replica of the placer decides.
//!
//! A candidate holds `lead` open and renews. It is out at once when its stream ends, and after
//! [`Leads::ttl`] when it is silent; then the one that has waited the longest leads, with the next
//! generation. Nothing here is kept: who led before a restart asks again, and is elected anew.

use std::sync::Arc;

use parking_lot::Mutex;
use reconciliation::Command;
use rpc::{Code, Error, StreamSender};
use scheduling::{LeadArgs, LeadItem, RenewArgs, RenewReply, reason};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};

use super::Handlers;
use super::errors::refused;
use crate::brain::{Handle, Refused};

/// Who would lead, and who does.
#[derive(Clone)]
pub(crate) struct Leads {
    inner: Arc<Mutex<Inner>>,
    /// Who leads, as it is durable.
    lead: Arc<watch::Sender<LeadItem>>,
    ttl: Duration,
}

#[derive(Default)]
struct Inner {
    /// Those that have waited the longest come first.
    candidates: Vec<Candidate>,
    /// Which one is elected, or is being elected.
    leader: Option<u64>,
    next: u64,
}

struct Candidate {
    seat: u64,
    name: String,
    heard: Instant,
}

impl Leads {
    pub(crate) fn new(ttl: Duration) -> Self {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        Self {
            inner: Arc::default(),
            lead: Arc::new(watch::Sender::new(LeadItem {
                ttl_ms,
                ..LeadItem::default()
            })),
            ttl,
        }
    }

    /// The one that it calls by this name takes the seat of an older connection of it.
    fn join(&self, name: String) -> u64 {
        let mut inner = self.inner.lock();
        let seat = inner.next;
        inner.next += 1;
        inner.candidates.retain(|other| other.name != name);
        let heard = Instant::now();
        inner.candidates.push(Candidate { seat, name, heard });
        seat
    }

    fn renew(&self, name: &str) -> bool {
        let mut inner = self.inner.lock();
        let mut all = inner.candidates.iter_mut();
        let found = all.find(|candidate| candidate.name == name);
        found.is_some_and(|candidate| {
            candidate.heard = Instant::now();
            true
        })
    }

    /// Takes away whoever is silent; the one to elect, if there is nobody who leads.
    fn vacancy(&self) -> Option<(u64, String)> {
        let mut inner = self.inner.lock();
        let ttl = self.ttl;
        inner.candidates.retain(|one| one.heard.elapsed() < ttl);
        let leader = inner.leader;
        if inner.candidates.iter().any(|one| Some(one.seat) == leader) {
            return None;
        }
        let next = inner.candidates.first();
        let next = next.map(|one| (one.seat, one.name.clone()));
        inner.leader = next.as_ref().map(|(seat, _)| *seat);
        next
    }

    /// Elects whoever is next, if somebody has to be.
    async fn elect(&self, brain: &Handle) -> Result<(), Refused> {
        while let Some((seat, leader)) = self.vacancy() {
            let elect = Command::Elect {
                leader: leader.clone(),
            };
            let done = brain.command(elect).await;
            let now = brain.read(|view| view.snapshot.leader.clone()).await;
            let (Ok(_), Ok(now)) = (&done, now) else {
                self.inner.lock().leader = None;
                return done.map(drop);
            };
            if self.inner.lock().leader == Some(seat) {
                self.lead.send_modify(|lead| {
                    lead.leader = leader;
                    lead.generation = now.generation.0;
                });
            }
        }
        Ok(())
    }

    /// When the next one may have been silent for too long.
    fn look_again(&self, seat: u64) -> Option<Instant> {
        let inner = self.inner.lock();
        let own = inner.candidates.iter().any(|one| one.seat == seat);
        let first = inner.candidates.iter().map(|one| one.heard).min();
        first.filter(|_| own).map(|heard| heard + self.ttl)
    }
}

/// A candidate for as long as this is kept.
struct Seat {
    leads: Leads,
    brain: Handle,
    seat: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let seat = self.seat;
        let mut inner = self.leads.inner.lock();
        inner.candidates.retain(|one| one.seat != seat);
        drop(inner);
        let (leads, brain) = (self.leads.clone(), self.brain.clone());
        tokio::spawn(async move { leads.elect(&brain).await });
    }
}

pub(super) async fn lead(
    handlers: &Handlers,
    args: LeadArgs,
    out: StreamSender<LeadItem>,
) -> Result<(), Error> {
    let leads = handlers.leads.clone();
    let mut told = leads.lead.subscribe();
    let seat = leads.join(args.candidate);
    let kept = Seat {
        leads: leads.clone(),
        brain: handlers.brain.clone(),
        seat,
    };
    loop {
        leads.elect(&handlers.brain).await.map_err(refused)?;
        let Some(again) = leads.look_again(seat) else {
            drop(kept);
            return Err(unheard());
        };
        let item = told.borrow_and_update().clone();
        if !item.leader.is_empty() {
            out.send(&item).await?;
        }
        tokio::select! {
            changed = told.changed() => changed.map_err(|_| refused(Refused::Gone))?,
            () = sleep_until(again) => {}
            () = out.closed() => return Ok(()),
        }
    }
}

pub(super) fn renew(handlers: &Handlers, args: &RenewArgs) -> Result<RenewReply, Error> {
    if !handlers.leads.renew(&args.candidate) {
        return Err(unheard());
    }
    let lead = handlers.leads.lead.borrow().clone();
    Ok(RenewReply { lead })
}

fn unheard() -> Error {
    let message = "it was silent for too long, or has joined again, and is no candidate";
    Error::new(Code::Unavailable, reason::NO_CANDIDATE, message).with_hint("call `lead` again")
}
