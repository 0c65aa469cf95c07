//! What handlers and the connection's task share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;

use bytes::BytesMut;
use parking_lot::{Mutex, MutexGuard};

use super::router::Router;
use crate::client::wake;
use crate::frame::{self, Header, Kind, append_bare};
use crate::outbox::Outbox;
use crate::{Code, Codec, Error, Metadata, Serializable};

/// How much a stream may still send, and who waits to send more.
#[derive(Default)]
pub(crate) struct Credit {
    pub(crate) bytes: i64,
    pub(crate) waker: Option<Waker>,
}

/// A spawned call that ended. Its number alone could be that of a later call of a careless client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) call: u64,
    pub(crate) serial: u64,
}

/// State under the connection's one lock.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) outbox: Outbox,
    pub(crate) streams: HashMap<u64, Credit>,
    /// Spawned calls that ended, for the connection's task to forget.
    pub(crate) finished: Vec<Ended>,
    pub(crate) closed: bool,
}

/// One connection from one client.
pub(crate) struct ServerConnection {
    shared: Mutex<Shared>,
    /// More replies wait than may; no further call is started before they are written.
    crowded: AtomicBool,
    pub(crate) router: Arc<Router>,
    pub(crate) peer: SocketAddr,
    /// The largest frame that the client takes.
    pub(crate) frame_bytes_max: usize,
    /// The credit each stream towards the client starts with.
    pub(crate) window_bytes: u32,
}

impl ServerConnection {
    pub(crate) fn new(router: Arc<Router>, peer: SocketAddr, theirs: &frame::Preface) -> Arc<Self> {
        let frame_bytes_max = router
            .limits
            .frame_bytes_max
            .min(theirs.frame_bytes_max as usize);
        router.connection_count.fetch_add(1, Relaxed);
        let connection = Arc::new(Self {
            shared: Mutex::new(Shared::default()),
            crowded: AtomicBool::new(false),
            peer,
            frame_bytes_max,
            window_bytes: theirs.stream_window_bytes,
            router,
        });
        let mut all = connection.router.connections.lock();
        if all.len() == all.capacity() {
            all.retain(|weak| weak.strong_count() > 0);
        }
        all.push(Arc::downgrade(&connection));
        drop(all);
        if connection.router.is_draining() {
            connection.go_away();
        }
        if connection.router.is_stopped() {
            connection.close();
        }
        connection
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    /// Adds frames, and wakes the connection's task if it sleeps.
    pub(crate) fn send(&self, add: impl FnOnce(&mut Shared)) {
        let waker = {
            let mut shared = self.lock();
            if shared.closed {
                return;
            }
            add(&mut shared);
            if shared.outbox.urgent.len() >= self.router.limits.queued_bytes_max {
                self.crowded.store(true, Relaxed);
            }
            shared.outbox.unpark()
        };
        wake(waker);
    }

    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Relaxed)
    }

    /// Moves what is to be written next into `writing`, and wakes who waited for that.
    pub(crate) fn take_frames(&self, writing: &mut BytesMut) {
        let room = {
            let mut shared = self.lock();
            self.crowded.store(false, Relaxed);
            shared.outbox.take(writing)
        };
        room.for_each(Waker::wake);
    }

    pub(crate) fn go_away(&self) {
        self.send(|s| append_bare(&mut s.outbox.urgent, &Header::new(Kind::GoAway, 0)));
    }

    pub(crate) fn fail(&self, codec: Codec, call: u64, error: &Error) {
        let limit = self.frame_bytes_max;
        self.send(|s| frame::append_failure(&mut s.outbox.urgent, limit, codec, call, error));
    }

    /// Writes a result straight into what is to be sent; a result that cannot be sent becomes an
    /// error that says so. `true` if the result itself was written.
    pub(crate) fn respond<T: Serializable>(
        &self,
        codec: Codec,
        call: u64,
        metadata: &Metadata,
        value: &T,
    ) -> bool {
        let (mut written, limit) = (true, self.frame_bytes_max);
        self.send(|shared| {
            let header = Header::new(Kind::Response, call).with_codec(codec);
            let out = &mut shared.outbox.urgent;
            if out.len() >= self.router.limits.calls_bytes_max {
                written = false;
                return frame::append_failure(out, limit, codec, call, &unread());
            }
            let encode = |out: &mut BytesMut| {
                value
                    .encode(codec, out)
                    .map_err(|e| Error::internal("codec", e.to_string()))
            };
            let appended = metadata
                .check()
                .and_then(|()| frame::append(out, limit, &header, metadata, encode));
            if let Err(e) = appended {
                frame::append_failure(out, limit, codec, call, &e);
                written = false;
            }
        });
        written
    }

    /// Refuses everything from now on and wakes whoever waits.
    pub(crate) fn close(&self) {
        let wakers: Vec<Waker> = {
            let mut shared = self.lock();
            shared.closed = true;
            let streams = std::mem::take(&mut shared.streams);
            let mut wakers = shared.outbox.everybody();
            wakers.extend(streams.into_values().filter_map(|credit| credit.waker));
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn unread() -> Error {
    let message = "too many bytes of replies wait for this connection's client to read them";
    Error::new(Code::ResourceExhausted, "replies-unread", message)
        .with_hint("read faster, or have fewer calls with large results in flight")
}

impl Drop for ServerConnection {
    fn drop(&mut self) {
        self.router.connection_count.fetch_sub(1, Relaxed);
        self.router.connection_gone.notify_waiters();
    }
}
