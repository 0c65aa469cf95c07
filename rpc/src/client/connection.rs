//! What callers and the connection's task share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::driver::Driver;
use crate::frame::{Header, Kind, PREFACE_BYTES, Preface, append_bare};
use crate::outbox::Outbox;
use crate::slots::Slots;
use crate::{Error, Limits, Retry};

/// Callers' side of a connection; the last one to go closes it.
pub(crate) struct Handle(Arc<Connection>);

impl std::ops::Deref for Handle {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.lock();
            state.abandoned = true;
            state.outbox.unpark()
        };
        wake(waker);
    }
}

/// State under the connection's one lock, which is held for the time of a copy, never longer.
pub(crate) struct Shared {
    pub(crate) slots: Slots,
    pub(crate) outbox: Outbox,
    /// Why no further call can be made here, once that is so.
    pub(crate) closed: Option<Error>,
    pub(crate) going_away: bool,
    pub(crate) abandoned: bool,
}

/// One connection to one server.
pub(crate) struct Connection {
    shared: Mutex<Shared>,
    /// A hint that needs no lock; `Shared` decides.
    open: AtomicBool,
    pub(crate) limits: Limits,
    /// The largest frame that the server takes.
    pub(crate) frame_bytes_max: usize,
    pub(crate) peer: SocketAddr,
}

impl Connection {
    /// Connects and starts the connection's task.
    pub(crate) async fn open(peer: SocketAddr, limits: &Limits) -> Result<Handle, Error> {
        let connecting = timeout(limits.connect_timeout, TcpStream::connect(peer));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(cannot_connect(peer, &e.to_string())),
            Err(_) => return Err(cannot_connect(peer, "no answer in time")),
        };
        stream
            .set_nodelay(true)
            .map_err(|e| cannot_connect(peer, &e.to_string()))?;
        Self::over(stream, peer, limits).await
    }

    /// Speaks the protocol over any byte stream: TCP, TLS, or a pipe in a test.
    pub(crate) async fn over<S>(
        mut io: S,
        peer: SocketAddr,
        limits: &Limits,
    ) -> Result<Handle, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shaken = timeout(limits.handshake_timeout, shake_hands(&mut io, limits)).await;
        let theirs = match shaken {
            Ok(Ok(preface)) => preface,
            Ok(Err(Shake::Io(e))) => return Err(cannot_connect(peer, &e.to_string())),
            Ok(Err(Shake::Protocol(e))) => return Err(e),
            Err(_) => return Err(cannot_connect(peer, "it accepted, and then said nothing")),
        };
        let connection = Arc::new(Self {
            shared: Mutex::new(Shared {
                slots: Slots::default(),
                outbox: Outbox::default(),
                closed: None,
                going_away: false,
                abandoned: false,
            }),
            limits: limits.clone(),
            open: AtomicBool::new(true),
            frame_bytes_max: limits.frame_bytes_max.min(theirs.frame_bytes_max as usize),
            peer,
        });
        tokio::spawn(Driver::new(io, Arc::clone(&connection)).run());
        Ok(Handle(connection))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    /// Whether new calls may be made here.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// Why no new call may be made here.
    pub(crate) fn ended(&self) -> Error {
        let why = self.lock().closed.clone();
        why.unwrap_or_else(|| Error::unsent("going-away", "the server is about to stop"))
            .with_retry(Retry::Never)
            .with_hint("nothing was sent; connect again")
    }

    /// The server drains: calls in flight go on, new ones go elsewhere.
    pub(crate) fn going_away(&self, shared: &mut Shared) {
        shared.going_away = true;
        self.open.store(false, Relaxed);
    }

    /// Gives a call up: frees its slot and tells the server.
    pub(crate) fn cancel(&self, call: u64) {
        let waker = {
            let mut state = self.lock();
            if state.slots.remove(call).is_none() || state.closed.is_some() {
                return;
            }
            append_bare(&mut state.outbox.urgent, &Header::new(Kind::Cancel, call));
            state.outbox.unpark()
        };
        wake(waker);
    }

    /// Ends every call and refuses new ones.
    pub(crate) fn close(&self, error: Error) {
        let wakers = {
            let mut state = self.lock();
            let mut wakers = state.slots.fail_all(&error);
            wakers.extend(state.outbox.everybody());
            state.closed.get_or_insert(error);
            self.open.store(false, Relaxed);
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A caller's place among those who wait until a connection has room; leaves it when dropped.
pub(crate) struct Waiting<'a> {
    connection: &'a Connection,
    ticket: Option<u64>,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            ticket: None,
        }
    }

    /// Whether the caller has to wait; if so, it is woken when there is room.
    pub(crate) fn must(&mut self, shared: &mut Shared, cx: &Context<'_>) -> bool {
        let outbox = &mut shared.outbox;
        let full = outbox.queued_bytes() >= self.connection.limits.queued_bytes_max;
        if full && shared.closed.is_none() {
            let ticket = *self.ticket.get_or_insert_with(|| outbox.ticket());
            outbox.wait_for_room(ticket, cx);
            return true;
        }
        false
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.connection.lock().outbox.forget(ticket);
        }
    }
}

pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn cannot_connect(peer: SocketAddr, why: &str) -> Error {
    Error::unsent(
        "cannot-connect",
        format!("failed to connect to {peer}: {why}"),
    )
    .with_hint("is the server running, and is this its address?")
}

enum Shake {
    Io(std::io::Error),
    Protocol(Error),
}

async fn shake_hands<S>(io: &mut S, limits: &Limits) -> Result<Preface, Shake>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    io.write_all(&Preface::of(limits).to_bytes())
        .await
        .map_err(Shake::Io)?;
    io.flush().await.map_err(Shake::Io)?;
    let mut bytes = [0; PREFACE_BYTES];
    io.read_exact(&mut bytes).await.map_err(Shake::Io)?;
    Preface::read(&bytes).map_err(Shake::Protocol)
}

/// Longest time between two looks at the clock of a connection with calls in flight.
pub(crate) fn keepalive_of(limits: &Limits, live: usize) -> Duration {
    if live > 0 {
        limits.keepalive
    } else {
        limits.keepalive_idle
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::client::{Request, Unary};
    use crate::{Codec, Metadata};

    /// Many callers with little patience, a peer that shook hands and takes nothing more.
    #[tokio::test]
    async fn a_hung_peer_costs_its_callers_a_bounded_queue_and_nothing_once_they_gave_up() {
        let limits = Limits {
            queued_bytes_max: 64 << 10,
            ..Limits::default()
        };
        let (ours, mut theirs) = tokio::io::duplex(64);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let shake = async {
            let preface = Preface::of(&limits).to_bytes();
            theirs.write_all(&preface).await.expect("room");
            theirs.read_exact(&mut [0; 16]).await.expect("a preface");
        };
        let (handle, ()) = tokio::join!(Connection::over(ours, peer, &limits), shake);
        let Ok(handle) = handle else {
            panic!("hands were shaken");
        };
        let handle = Arc::new(handle);
        let args = serde_json::Value::String("x".repeat(1 << 10));
        let calls: Vec<_> = (0..2_000)
            .map(|n| {
                let (handle, args) = (Arc::clone(&handle), args.clone());
                tokio::spawn(async move {
                    let now = Instant::now();
                    let request = Request {
                        procedure: 1,
                        args: &args,
                        codec: Codec::Json,
                        metadata: &Metadata::new(),
                        deadline: Some(now + Duration::from_millis(50 + n % 50)),
                        now,
                    };
                    Unary::new(&handle, &request).await
                })
            })
            .collect();
        let most = (64 << 10) + (2 << 10) + 2_000 * 24;
        for call in calls {
            let error = call.await.expect("no panic").expect_err("nobody answers");
            assert_eq!(error.code, crate::Code::DeadlineExceeded, "{error:?}");
            let queued = handle.lock().outbox.queued_bytes();
            assert!(queued <= most, "{queued} bytes are queued");
        }
        assert!(handle.is_open(), "the peer is not given up within a moment");
        let mut state = handle.lock();
        assert_eq!(state.slots.live(), 0, "no call is kept");
        let waiting = state.outbox.everybody().len();
        assert!(
            waiting <= 1,
            "{waiting} wakers of callers that are gone are kept"
        );
    }
}
