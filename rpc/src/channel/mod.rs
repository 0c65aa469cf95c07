//! From a caller's point of view: a service, wherever it runs and however often it moves.

mod balance;
mod budget;
mod peer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use self::balance::Balance;
use self::budget::RetryBudget;
use self::peer::Peer;
use crate::client::{Connection, Handle, Request, Streaming, Unary};
use crate::clock;
use crate::credential::{Credential, Sent};
use crate::{
    Access, Code, Codec, Deserializable, Error, Limits, Metadata, ProcedureId, Retry, Serializable,
};

/// Attempts at one call, the first included, when nothing else bounds them.
const ATTEMPTS_MAX: u32 = 4;
/// Pause before the second attempt; each further one is three times as long.
const PAUSE_FIRST: Duration = Duration::from_millis(10);

/// One place where a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: SocketAddr,
    /// Its share of the calls, relative to the others'; 0 keeps it out.
    pub weight: u32,
}

/// How a call is to be made.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// How long it may take, everything included; the channel's default when absent.
    pub timeout: Option<Duration>,
    /// When it must be over, if that is earlier.
    pub deadline: Option<Instant>,
    /// What travels beside the arguments.
    pub metadata: Metadata,
    /// How the payload is written.
    pub codec: Codec,
    /// Keep trying until the deadline while no server can be reached, instead of a moment.
    pub wait_for_ready: bool,
    /// Try once and no more: for whoever decides about further attempts itself.
    pub once: bool,
}

/// A result with what the server said beside it.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    /// The result.
    pub value: T,
    /// What the server said beside it.
    pub metadata: Metadata,
}

/// A way to call a service. Clones share connections, which are made when needed and made again
/// when lost.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
    credential: Option<Credential>,
}

struct Inner {
    target: Target,
    limits: Limits,
    budget: RetryBudget,
}

enum Target {
    Over(Arc<Handle>),
    One(Arc<Peer>),
    Many(Box<Balance>),
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl Channel {
    /// Calls one server.
    #[must_use]
    pub fn to(address: SocketAddr) -> Self {
        Self::to_with(address, Limits::default())
    }

    /// Calls one server, within these limits.
    #[must_use]
    pub fn to_with(address: SocketAddr, limits: Limits) -> Self {
        Self::new(
            Target::One(Arc::new(Peer::new(address, limits.clone()))),
            limits,
        )
    }

    /// Calls whichever of `endpoints` is least busy, as they come and go: two are drawn at random,
    /// and the one with fewer calls in flight and lower latency gets the call. `name` is for
    /// messages.
    #[must_use]
    pub fn balanced(name: &str, endpoints: watch::Receiver<Arc<[Endpoint]>>) -> Self {
        let limits = Limits::default();
        Self::new(
            Target::Many(Box::new(Balance::new(name, endpoints, limits.clone()))),
            limits,
        )
    }

    /// Calls the server at the other end of a stream that was connected already: TLS, a Unix
    /// socket, a pipe in a test. `peer` is for messages.
    ///
    /// The stream is the channel's for good. When it ends, so does the channel: every call fails
    /// from then on, and whoever made the stream makes the next one.
    ///
    /// # Errors
    /// `Unavailable` if the stream ends, or says nothing for `limits.handshake_timeout`;
    /// `Protocol` if the other side speaks another protocol.
    pub async fn over<S>(stream: S, peer: SocketAddr, limits: Limits) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handle = Connection::over(stream, peer, &limits).await?;
        Ok(Self::new(Target::Over(Arc::new(handle)), limits))
    }

    fn new(target: Target, limits: Limits) -> Self {
        Self {
            inner: Arc::new(Inner {
                target,
                limits,
                budget: RetryBudget::default(),
            }),
            credential: None,
        }
    }

    /// The same channel, whose calls show this credential unless they bring a token of their own.
    /// Without it they show the one that the process has installed, if any.
    #[must_use]
    pub fn with_credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    fn sent<'a>(&self, options: &'a CallOptions) -> Sent<'a> {
        let credential = self.credential.as_ref().or_else(|| Credential::installed());
        match credential {
            Some(credential) => credential.beside(&options.metadata),
            None => Sent::Given(&options.metadata),
        }
    }

    /// Makes a unary call.
    ///
    /// # Errors
    /// What the server answered, or why it could not be asked. A call that certainly was not done
    /// is tried again; one whose answer was lost, only if `access` says it may be repeated.
    pub async fn call<A: Serializable, R: Deserializable>(
        &self,
        procedure: ProcedureId,
        access: Access,
        args: &A,
        options: &CallOptions,
    ) -> Result<R, Error> {
        self.call_with_metadata(procedure, access, args, options)
            .await
            .map(|reply| reply.value)
    }

    /// Makes a unary call, and returns what the server said beside the result too.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with_metadata<A: Serializable, R: Deserializable>(
        &self,
        procedure: ProcedureId,
        access: Access,
        args: &A,
        options: &CallOptions,
    ) -> Result<Reply<R>, Error> {
        let metadata = self.sent(options);
        let mut request = self.request(procedure, args, options, &metadata)?;
        let mut attempt = 0;
        loop {
            let error = match self.try_once(&request).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            attempt += 1;
            self.pause_before_retry(&mut request, access, options, attempt, error)
                .await?;
        }
    }

    /// Opens a stream of answers.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub async fn open<A: Serializable, T: Deserializable>(
        &self,
        procedure: ProcedureId,
        args: &A,
        options: &CallOptions,
    ) -> Result<Streaming<T>, Error> {
        let metadata = self.sent(options);
        let mut request = self.request(procedure, args, options, &metadata)?;
        // A stream lasts as long as its reader wants, unless a deadline was asked for.
        let asked = options.timeout.is_some() || options.deadline.is_some();
        let mut attempt = 0;
        loop {
            let opened = async {
                let (connection, _) = self.connection(&request).await?;
                let lasting = Request {
                    procedure,
                    args,
                    codec: options.codec,
                    metadata: &metadata,
                    deadline: request.deadline.filter(|_| asked),
                    now: request.now,
                };
                let opening = Streaming::open(&connection, &lasting);
                match request.deadline {
                    // Waiting for room takes of the caller's time, as connecting does.
                    Some(at) => timeout_at(at.into(), opening)
                        .await
                        .unwrap_or_else(|_| Err(Error::deadline())),
                    None => opening.await,
                }
            };
            let error = match opened.await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            attempt += 1;
            self.pause_before_retry(&mut request, Access::Read, options, attempt, error)
                .await?;
        }
    }

    fn request<'a, A>(
        &self,
        procedure: ProcedureId,
        args: &'a A,
        options: &CallOptions,
        metadata: &'a Metadata,
    ) -> Result<Request<'a, A>, Error> {
        if !metadata.is_empty() {
            metadata.check()?;
        }
        let now = clock::now();
        let in_time = now + options.timeout.unwrap_or(self.inner.limits.call_timeout);
        let deadline = Some(options.deadline.map_or(in_time, |at| at.min(in_time)));
        Ok(Request {
            procedure,
            args,
            codec: options.codec,
            metadata,
            deadline,
            now,
        })
    }

    async fn try_once<A: Serializable, R: Deserializable>(
        &self,
        request: &Request<'_, A>,
    ) -> Result<Reply<R>, Error> {
        let (connection, load) = self.connection(request).await?;
        let answer = Unary::new(&connection, request).await;
        if let Some(load) = load {
            load.ended(answer.as_ref().err());
        }
        let answer = answer?;
        let value = R::decode(answer.codec, &answer.payload).map_err(|e| {
            let message = format!(
                "failed to read the answer of procedure {}: {e}",
                request.procedure
            );
            Error::new(Code::BadPayload, "bad-payload", message)
                .with_hint("client and server may be of different versions")
        })?;
        let metadata = Metadata::read(&answer.metadata)?;
        Ok(Reply { value, metadata })
    }

    /// A connection to make the call on, and the load to count it under.
    async fn connection<A>(
        &self,
        request: &Request<'_, A>,
    ) -> Result<(Arc<Handle>, Option<peer::Load>), Error> {
        let balance = match &self.inner.target {
            Target::Over(handle) if handle.is_open() => return Ok((Arc::clone(handle), None)),
            Target::Over(handle) => return Err(handle.ended()),
            Target::One(peer) => return Ok((connect(peer, request.deadline).await?, None)),
            Target::Many(balance) => balance,
        };
        let mut tries = 0;
        loop {
            let peer = balance.pick()?;
            let error = match connect(&peer, request.deadline).await {
                Ok(connection) => return Ok((connection, Some(peer::Load::start(&peer)))),
                Err(error) => error,
            };
            tries += 1;
            // Nothing was sent: whoever else serves may be asked at once.
            if error.retry != Retry::Safe || tries >= balance.len() {
                return Err(error);
            }
        }
    }

    /// Returns if the call may be tried again, after a pause; otherwise fails with `error`.
    async fn pause_before_retry<A>(
        &self,
        request: &mut Request<'_, A>,
        access: Access,
        options: &CallOptions,
        attempt: u32,
        error: Error,
    ) -> Result<(), Error> {
        let may_repeat = match error.retry {
            Retry::Safe => true,
            Retry::IfIdempotent => error.code == Code::Unavailable && access.may_repeat(),
            Retry::Never => false,
        };
        let patient = options.wait_for_ready && error.code == Code::Unavailable;
        let exhausted = !patient && (attempt >= ATTEMPTS_MAX || !self.inner.budget.spend());
        if !may_repeat || exhausted || options.once {
            return Err(error);
        }
        let pause = jittered(PAUSE_FIRST * 3_u32.pow(attempt.min(5) - 1));
        let now = Instant::now();
        if request.deadline.is_some_and(|at| at <= now + pause) {
            return Err(error);
        }
        sleep(pause).await;
        request.now = clock::now();
        Ok(())
    }
}

/// An open connection to `peer`; the deadline covers making one.
async fn connect(peer: &Arc<Peer>, deadline: Option<Instant>) -> Result<Arc<Handle>, Error> {
    if let Some(connection) = peer.open_connection() {
        return Ok(connection);
    }
    match deadline {
        Some(at) => timeout_at(at.into(), peer.connect())
            .await
            .unwrap_or_else(|_| {
                Err(Error::deadline()
                    .with_retry(Retry::Never)
                    .with_hint("nothing was sent"))
            }),
        None => peer.connect().await,
    }
}

/// Half to all of `pause`, so that many callers do not come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    pause / 2 + pause.mul_f64(f64::from(random() >> 1) / f64::from(u32::MAX))
}

/// A number nobody can foresee and nobody relies on: enough to spread load, not to keep secrets.
fn random() -> u32 {
    use std::cell::Cell;
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8) | 1);
    }
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        (x >> 32) as u32
    })
}
