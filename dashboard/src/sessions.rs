//! Who has logged in. A session holds the operator's token, here and nowhere else: the browser has
//! a random name for it, in a cookie that no script reads.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chassis::trust::Doorman;
use parking_lot::Mutex;
use rpc::Credential;

use crate::view::Follower;

/// The cookie.
pub(crate) const COOKIE: &str = "orrery_session";
/// A session that is not used for so long is over.
const IDLE_MAX: Duration = Duration::from_secs(60 * 60);
/// Every session is over after so long.
pub(crate) const LASTS: Duration = Duration::from_secs(12 * 60 * 60);
/// Sessions at a time; each follows the fleet. The one unused for longest makes room.
const SESSIONS_MAX: usize = 100;
/// Attempts to log in at once, and how long one takes to come back. All of them come from this
/// machine, so that they are not told apart.
const ATTEMPTS: u32 = 10;
const ATTEMPT_EVERY: Duration = Duration::from_secs(1);

/// One operator's stay.
pub(crate) struct Session {
    /// Who, for the page.
    pub(crate) name: String,
    /// What a form of ours has and one of another page cannot have.
    pub(crate) csrf: String,
    /// The fleet, as this operator may see it.
    pub(crate) look: Follower,
    token: Bytes,
    doorman: Doorman,
    begun: Instant,
    used: Mutex<Instant>,
    said: Mutex<Option<String>>,
}

impl Session {
    /// Whether this operator may do this; the service decides again when it is done.
    pub(crate) fn may(&self, service: &str, procedure: &str, writes: bool) -> bool {
        if !self.doorman.is_on() {
            return true;
        }
        let holder = self.doorman.holder(&self.token);
        holder.is_some_and(|holder| holder.may(service, procedure, writes))
    }

    /// Something to be said on the next page, once.
    pub(crate) fn say(&self, words: String) {
        *self.said.lock() = Some(words);
    }

    /// What is to be said now.
    pub(crate) fn said(&self) -> Option<String> {
        self.said.lock().take()
    }

    /// Whether it may go on: not too old, and its token is still good.
    pub(crate) fn is_good(&self) -> bool {
        let now = Instant::now();
        let young = now - self.begun < LASTS && now - *self.used.lock() < IDLE_MAX;
        young && (!self.doorman.is_on() || self.doorman.holder(&self.token).is_some())
    }
}

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nobody knows the token, or it is no longer good.
    Token,
    /// Too many attempts; try again after so long.
    TooMany(Duration),
}

/// All sessions.
pub(crate) struct Sessions {
    doorman: Doorman,
    scheduling: Option<SocketAddr>,
    discovery: SocketAddr,
    /// Everybody's, where the fleet asks for no token.
    open: Mutex<Option<Arc<Session>>>,
    all: Mutex<HashMap<String, Arc<Session>>>,
    /// When all attempts to log in will have come back.
    attempts_full: Mutex<Instant>,
}

impl Sessions {
    pub(crate) fn new(
        doorman: Doorman,
        scheduling: Option<SocketAddr>,
        discovery: SocketAddr,
    ) -> Self {
        Self {
            doorman,
            scheduling,
            discovery,
            open: Mutex::default(),
            all: Mutex::default(),
            attempts_full: Mutex::new(Instant::now()),
        }
    }

    /// Whether one has to log in at all.
    pub(crate) fn asks_for_tokens(&self) -> bool {
        self.doorman.is_on()
    }

    /// The session of this cookie, if it may go on.
    pub(crate) fn find(&self, cookie: Option<&str>) -> Option<Arc<Session>> {
        if !self.doorman.is_on() {
            let mut open = self.open.lock();
            let session = open.get_or_insert_with(|| {
                Arc::new(self.session("anybody".to_owned(), Bytes::new(), None))
            });
            return Some(Arc::clone(session));
        }
        let id = cookie?;
        let mut all = self.all.lock();
        let session = Arc::clone(all.get(id)?);
        if !session.is_good() {
            all.remove(id);
            return None;
        }
        *session.used.lock() = Instant::now();
        Some(session)
    }

    /// Lets the holder of this token in; the answer is for the cookie.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn log_in(&self, token: &str) -> Result<String, Refused> {
        self.attempt()?;
        let token = Bytes::copy_from_slice(token.trim().as_bytes());
        let holder = self.doorman.holder(&token).ok_or(Refused::Token)?;
        let credential = Credential::new(token.clone());
        let session = Arc::new(self.session(holder.name.clone(), token, Some(credential)));
        let id = random_name();
        let mut all = self.all.lock();
        all.retain(|_, session| session.is_good());
        if all.len() >= SESSIONS_MAX {
            let oldest = all.iter().min_by_key(|(_, session)| *session.used.lock());
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                all.remove(&id);
            }
        }
        all.insert(id.clone(), session);
        Ok(id)
    }

    /// Ends a session.
    pub(crate) fn log_out(&self, cookie: Option<&str>) {
        if let Some(id) = cookie {
            self.all.lock().remove(id);
        }
    }

    /// Counts an attempt.
    fn attempt(&self) -> Result<(), Refused> {
        let now = Instant::now();
        let mut full = self.attempts_full.lock();
        let next = (*full).max(now) + ATTEMPT_EVERY;
        let over = (next - now).saturating_sub(ATTEMPT_EVERY * ATTEMPTS);
        if !over.is_zero() {
            return Err(Refused::TooMany(over));
        }
        *full = next;
        Ok(())
    }

    fn session(&self, name: String, token: Bytes, credential: Option<Credential>) -> Session {
        let now = Instant::now();
        Session {
            name,
            csrf: random_name(),
            look: Follower::start(self.scheduling, self.discovery, credential),
            token,
            doorman: self.doorman.clone(),
            begun: now,
            used: Mutex::new(now),
            said: Mutex::default(),
        }
    }
}

/// 256 random bits in hexadecimal.
fn random_name() -> String {
    let mut bytes = [0_u8; 32];
    // Without randomness nobody can be let in safely; Linux has it from its start on.
    getrandom::fill(&mut bytes).expect("the kernel gives randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
