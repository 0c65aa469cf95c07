//! What a follower does: ask the leader, and find the next one when it is gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rpc::{
    Access, CallOptions, Channel, Code, Context, Deserializable, Error, ProcedureId, Retry,
    Serializable,
};
use storage::{LEADER_METADATA, reason};
use tokio::time::sleep;

use crate::seat::{Seat, Taken};

/// Goes with a call that was forwarded: it is not forwarded again.
const FORWARDED: &str = "storage-forwarded";
/// How long the change from one leader to the next is waited for, unless the caller waits less.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// The way from a follower to the leader.
pub(crate) struct Forward {
    pub(crate) seat: Arc<Seat>,
    channel: Mutex<Option<(SocketAddr, Channel)>>,
    /// Calls that the leader answered for us.
    forwarded: AtomicU64,
    /// Writes of which nobody knows whether they were made.
    lost: AtomicU64,
}

/// Who is to do a call.
pub(crate) enum Who {
    /// We lead.
    Us(Arc<Taken>),
    /// Somebody else does.
    Leader(SocketAddr, Channel),
}

impl Forward {
    pub(crate) fn new(seat: Arc<Seat>) -> Self {
        Self {
            seat,
            channel: Mutex::new(None),
            forwarded: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// In OpenMetrics format.
    pub(crate) fn metrics(&self) -> String {
        let leads = u8::from(self.seat.taken().is_some());
        let generation = self.seat.leader().map_or(0, |leader| leader.generation);
        let (forwarded, lost) = (self.forwarded.load(Relaxed), self.lost.load(Relaxed));
        format!(
            "# TYPE storage_leads gauge\nstorage_leads {leads}\n\
             # TYPE storage_generation gauge\nstorage_generation {generation}\n\
             # TYPE storage_forwarded counter\nstorage_forwarded_total {forwarded}\n\
             # TYPE storage_leader_lost counter\nstorage_leader_lost_total {lost}\n"
        )
    }

    /// Who is to do this call now.
    ///
    /// # Errors
    /// Nobody is known to lead, or whoever forwarded the call takes us for the leader.
    pub(crate) fn who(&self, context: &Context) -> Result<Who, Error> {
        if let Some(taken) = self.seat.taken() {
            return Ok(Who::Us(taken));
        }
        if is_forwarded(context) {
            return Err(no_leader(
                "the call was forwarded to a replica that does not lead",
            ));
        }
        let Some(leader) = self.seat.leader() else {
            return Err(no_leader("nobody has led yet"));
        };
        let mut known = self.channel.lock();
        let known = match known.as_ref() {
            Some((address, channel)) if *address == leader.address => channel.clone(),
            _ => {
                let channel = Channel::to(leader.address);
                *known = Some((leader.address, channel.clone()));
                channel
            }
        };
        Ok(Who::Leader(leader.address, known))
    }

    /// What an error of our own store means: that we gave the seat up meanwhile is the next
    /// leader's affair, and no failure.
    pub(crate) fn unless_we_left(&self, error: Error) -> Error {
        if self.seat.leaves() && error.reason == reason::STORE_FAILED {
            return lost(&error);
        }
        error
    }

    /// Has a call done by whoever leads: `here` if we do.
    ///
    /// # Errors
    /// What the leader answered; or that it went away, and whether the call may have been done.
    pub(crate) async fn call<A, R, F, Fut>(
        &self,
        context: &Context,
        (procedure, access): (ProcedureId, Access),
        args: A,
        here: F,
    ) -> Result<R, Error>
    where
        A: Serializable + Clone,
        R: Deserializable,
        F: Fn(Arc<Taken>, A) -> Fut,
        Fut: Future<Output = Result<R, Error>>,
    {
        let begun = Instant::now();
        let until = context
            .deadline()
            .map_or(begun + PATIENCE, |at| at.min(begun + PATIENCE));
        loop {
            let error = match self.who(context) {
                Ok(Who::Us(taken)) => {
                    let done = here(taken, args).await;
                    return done.map_err(|error| self.unless_we_left(error));
                }
                Ok(Who::Leader(at, channel)) => {
                    let options = options_of(context);
                    let asked = channel
                        .call_with_metadata::<A, R>(procedure, access, &args, &options)
                        .await;
                    match asked {
                        Ok(reply) => {
                            self.forwarded.fetch_add(1, Relaxed);
                            context.set_reply_metadata(LEADER_METADATA, at.to_string());
                            return Ok(reply.value);
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if !is_about_the_leader(&error) || is_forwarded(context) {
                return Err(error);
            }
            let may_repeat = error.retry == Retry::Safe || access.may_repeat();
            if !may_repeat {
                self.lost.fetch_add(1, Relaxed);
                return Err(lost(&error));
            }
            if Instant::now() + PAUSE >= until {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }
}

/// Options for the call to the leader: the caller's deadline and token, and a mark.
pub(crate) fn options_of(context: &Context) -> CallOptions {
    let mut options = context.options();
    options.metadata.set(FORWARDED, "1");
    options
}

/// Whether another replica sent us the call: it looks for the next leader itself, and must hear at
/// once that we are not that.
pub(crate) fn is_forwarded(context: &Context) -> bool {
    context.metadata().get(FORWARDED).is_some()
}

/// Whether the leader went away, or is not there yet: what another one may do.
pub(crate) fn is_about_the_leader(error: &Error) -> bool {
    error.code == Code::Unavailable && error.reason != reason::STORE_FAILED
}

pub(crate) fn no_leader(why: &str) -> Error {
    let message = format!("nobody leads storage just now: {why}");
    Error::new(Code::Unavailable, reason::NO_LEADER, message)
        .with_hint("it takes a tenth of a second; try again")
        .with_retry(Retry::Safe)
}

fn lost(error: &Error) -> Error {
    let message = format!("the leader went away in the middle of the call: {error}");
    Error::new(Code::Unavailable, reason::LEADER_LOST, message)
        .with_hint("it may have been done: read, then decide whether to do it again")
        .with_retry(Retry::IfIdempotent)
}
