//! The one task of a connection: reads, dispatches in place, writes; per wake-up, not per call.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{Sleep, sleep_until};

use super::connection::{Ended, ServerConnection};
use super::incoming::{HandlerFuture, Incoming, unknown_procedure};
use super::job::Job;
use crate::clock;
use crate::frame::{self, Frame, Header, Kind, append_bare};
use crate::pump::Pump;
use crate::{Code, Codec, Context, Error, Metadata, Retry, Shape};

/// Handlers are polled in place for this long per wake-up; the rest become tasks, so that a slow
/// one cannot hold up the connection's other calls.
const IN_PLACE_BUDGET: Duration = Duration::from_millis(1);
/// Calls between two looks at the clock while handlers are polled in place.
const BUDGET_STRIDE: u32 = 64;
/// A client that was told to go away may have sent calls before it heard; after this long
/// without any it has none left. A client that heard and has none closes the connection itself.
const DRAIN_QUIET: Duration = Duration::from_millis(500);
/// After so many cancellations the tasks that they ended get their turn to go, before more calls
/// are read: else a client that opens and cancels would fill the memory with ended tasks.
const CANCELS_MAX: u32 = 64;
/// One call in so many that end in place is timed, and stands for the others.
const TIMED_STRIDE: u32 = 16;

/// A call that became a task.
struct Spawned {
    handle: AbortHandle,
    route: usize,
    /// Of its request.
    bytes: usize,
    serial: u64,
}

impl Spawned {
    fn cancel(self, connection: &ServerConnection) {
        connection.router.route(self.route).stats.cancel();
        self.handle.abort();
    }
}

pub(crate) struct Driver<S> {
    pump: Pump<S>,
    connection: Arc<ServerConnection>,
    /// Calls that did not end at once.
    spawned: HashMap<u64, Spawned>,
    /// Bytes of their requests.
    spawned_bytes: usize,
    /// How many there were so far.
    serial: u64,
    idle: Pin<Box<Sleep>>,
    heard: Instant,
    /// Set when the connection ends after what is queued is written.
    ending: bool,
    /// The socket took less than there was to write.
    blocked: bool,
    /// Nothing is read, or not all that was read is parsed, until replies were written.
    held: bool,
    unparsed: bool,
    /// Others get their turn before this connection goes on.
    tired: bool,
    cancels: u32,
    /// Calls so far; says which ones are timed.
    calls: u32,
    /// Set once the streams were told that the server is about to stop.
    streams_ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(crate) fn new(io: S, connection: Arc<ServerConnection>) -> Self {
        let now = Instant::now();
        let idle = sleep_until((now + connection.router.limits.idle_timeout).into());
        Self {
            pump: Pump::new(io),
            connection,
            spawned: HashMap::new(),
            spawned_bytes: 0,
            serial: 0,
            idle: Box::pin(idle),
            heard: now,
            ending: false,
            blocked: false,
            held: false,
            unparsed: false,
            tired: false,
            cancels: 0,
            calls: 0,
            streams_ended: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        if let Err(e) = ended {
            tracing::debug!(peer = %self.connection.peer, error = %e, "connection ended");
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        loop {
            self.forget_finished();
            self.end_streams();
            let read = match self.poll_read(cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                read => read.is_ready(),
            };
            let written = self.poll_write(cx)?;
            self.blocked = written.is_pending();
            if self.ending && written.is_ready() && self.pump.poll_shutdown(cx)?.is_ready() {
                return Poll::Ready(Ok(()));
            }
            if !read && self.held && written.is_ready() {
                continue;
            }
            if !read {
                return self.park(cx, written.is_ready());
            }
            if std::mem::take(&mut self.tired) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// When the server drains, unary calls end by themselves; streams would not, so they are
    /// ended with an error that sends their readers elsewhere.
    fn end_streams(&mut self) {
        if self.streams_ended || !self.connection.router.is_draining() {
            return;
        }
        self.streams_ended = true;
        self.idle
            .as_mut()
            .reset((Instant::now() + DRAIN_QUIET).into());
        let connection = &self.connection;
        self.spawned.retain(|call, spawned| {
            let route = connection.router.route(spawned.route);
            if route.procedure.shape == Shape::Unary {
                return true;
            }
            spawned.handle.abort();
            self.spawned_bytes -= spawned.bytes;
            route.stats.cancel();
            connection.fail(Codec::Bincode, *call, &going_away());
            false
        });
    }

    fn park(&mut self, cx: &mut TaskContext<'_>, written: bool) -> Poll<io::Result<()>> {
        let mut shared = self.connection.lock();
        if shared.closed {
            return Poll::Ready(Ok(()));
        }
        if self.spawned.is_empty() {
            // They ended just before they were cancelled.
            shared.finished.clear();
        }
        // A frame or an ended call that came while this was busy found nobody asleep to wake.
        if (written && !shared.outbox.is_empty()) || !shared.finished.is_empty() {
            drop(shared);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        shared.outbox.park(cx);
        drop(shared);
        self.poll_idle(cx)
    }

    /// Ends a connection that has been quiet for too long.
    fn poll_idle(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        while self.idle.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let patience = self.patience();
            let quiet = now.saturating_duration_since(self.heard);
            // While draining, calls may take their time; otherwise a client that lives sends
            // pings while it waits.
            if quiet >= patience && (!self.streams_ended || self.spawned.is_empty()) {
                return Poll::Ready(Ok(()));
            }
            if self.spawned.is_empty() {
                self.connection.lock().outbox.release();
                self.pump.release();
            }
            self.idle
                .as_mut()
                .reset((self.heard.max(now - patience / 2) + patience).into());
        }
        Poll::Pending
    }

    fn patience(&self) -> Duration {
        if self.streams_ended {
            DRAIN_QUIET
        } else {
            self.connection.router.limits.idle_timeout
        }
    }

    fn forget_finished(&mut self) {
        if self.spawned.is_empty() {
            return;
        }
        let finished = std::mem::take(&mut self.connection.lock().finished);
        for Ended { call, serial } in finished {
            if self.spawned.get(&call).is_some_and(|s| s.serial == serial) {
                self.forget(call);
            }
        }
    }

    fn forget(&mut self, call: u64) -> Option<Spawned> {
        let spawned = self.spawned.remove(&call)?;
        self.spawned_bytes -= spawned.bytes;
        Some(spawned)
    }

    /// Reads once and dispatches what arrived. `Pending`: nothing to read, or too much to write.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Poll<usize>> {
        let limits = &self.connection.router.limits;
        let full =
            self.blocked && self.connection.lock().outbox.queued_bytes() >= limits.queued_bytes_max;
        self.held = full && !self.ending;
        if self.ending || full {
            return Ok(Poll::Pending);
        }
        if !self.unparsed {
            match self.pump.poll_read(cx)? {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(0) => return Ok(Poll::Ready(0)),
                Poll::Ready(_) => {}
            }
        }
        let before = std::mem::replace(&mut self.heard, clock::now());
        match self.dispatch_all() {
            // Bytes that never make a frame are no sign of life.
            Ok(0) if !self.unparsed => self.heard = before,
            Ok(_) => {}
            Err(e) => {
                self.connection.fail(Codec::Bincode, 0, &e);
                self.ending = true;
            }
        }
        Ok(Poll::Ready(1))
    }

    /// Dispatches what was read; returns how many frames that were.
    fn dispatch_all(&mut self) -> Result<u32, Error> {
        let limit = self.connection.router.limits.frame_bytes_max;
        let mut start = None;
        let mut in_place = true;
        let mut calls = 0_u32;
        self.cancels = 0;
        loop {
            self.unparsed = self.connection.is_crowded();
            if self.unparsed {
                break;
            }
            let Some(frame) = frame::take(&mut self.pump.input, limit)? else {
                break;
            };
            self.handle(frame, in_place)?;
            calls += 1;
            if calls.is_multiple_of(BUDGET_STRIDE) {
                in_place = start.get_or_insert_with(Instant::now).elapsed() < IN_PLACE_BUDGET;
            }
        }
        self.tired = !in_place || self.cancels >= CANCELS_MAX;
        self.pump.give_back();
        Ok(calls)
    }

    fn handle(&mut self, frame: Frame, in_place: bool) -> Result<(), Error> {
        let call = frame.header.call;
        match frame.header.kind {
            Kind::Request => self.start(frame, in_place),
            Kind::Cancel => self.cancel(call),
            Kind::Credit => self.grant(call, frame.header.number),
            Kind::Ping => self.connection.send(|shared| {
                append_bare(&mut shared.outbox.urgent, &Header::new(Kind::Pong, call));
            }),
            Kind::Pong => {}
            Kind::Unknown => {
                let error = frame::not_understood(&frame.header);
                self.connection.fail(Codec::Bincode, call, &error);
            }
            Kind::Response | Kind::Failure | Kind::Item | Kind::End | Kind::GoAway => {
                return Err(Error::protocol("a client sent what only servers send"));
            }
        }
        Ok(())
    }

    fn start(&mut self, frame: Frame, in_place: bool) {
        let Frame {
            header,
            metadata,
            payload,
        } = frame;
        let connection = &self.connection;
        let Some(route) = connection.router.find(header.number) else {
            let error = unknown_procedure(&connection.router.name, header.number);
            return connection.fail(header.codec, header.call, &error);
        };
        let bytes = payload.len();
        if let Some(refusal) = self.refusal(header.call, route, bytes) {
            return connection.fail(header.codec, header.call, &refusal);
        }
        let metadata = match Metadata::read(&metadata) {
            Ok(metadata) => metadata,
            Err(e) => return connection.fail(header.codec, header.call, &e),
        };
        let context = Context {
            connection: Arc::clone(connection),
            call: header.call,
            route,
            procedure: header.number,
            codec: header.codec,
            deadline: deadline_of(self.heard, header.remaining_ms),
            metadata,
            reply: parking_lot::Mutex::default(),
            caller: std::sync::OnceLock::new(),
        };
        let found = connection.router.route(route);
        if let Some(guard) = &connection.router.guard
            && let Err(refusal) = guard.check(&context, found.procedure)
        {
            found.stats.finish(false);
            return connection.fail(header.codec, header.call, &refusal);
        }
        let future = found.dispatch.call(Incoming { context, payload });
        self.run_handler(future, &header, (route, bytes), in_place);
    }

    /// Why this connection may not start another call, if so.
    fn refusal(&self, call: u64, route: usize, bytes: usize) -> Option<Error> {
        let router = &self.connection.router;
        if self.spawned.is_empty() && !self.streams_ended {
            return None;
        }
        let calls = self.spawned.len();
        let held = self.spawned_bytes.saturating_add(bytes);
        if calls >= router.limits.calls_max || held > router.limits.calls_bytes_max {
            let message = format!(
                "{calls} calls of this connection are in flight, with {} bytes",
                self.spawned_bytes
            );
            return Some(
                Error::new(Code::ResourceExhausted, "too-many-calls", message)
                    .with_hint("wait for some to end")
                    .with_retry(Retry::Safe),
            );
        }
        if self.spawned.contains_key(&call) {
            return Some(Error::protocol("a call's number is in use"));
        }
        // One that crossed with the `GoAway`; those that were open have ended already.
        if self.streams_ended && router.route(route).procedure.shape == Shape::Stream {
            return Some(going_away());
        }
        None
    }

    /// Polls the handler once; only one that has to wait becomes a task.
    fn run_handler(
        &mut self,
        mut future: HandlerFuture,
        header: &Header,
        (route, bytes): (usize, usize),
        in_place: bool,
    ) {
        let job = |connection| Job {
            connection,
            header: *header,
            route,
            deadline: deadline_of(self.heard, header.remaining_ms),
            serial: self.serial,
        };
        if in_place {
            self.calls = self.calls.wrapping_add(1);
            let timed = self.calls.is_multiple_of(TIMED_STRIDE).then(Instant::now);
            let mut cx = TaskContext::from_waker(Waker::noop());
            match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
                Ok(Poll::Ready(())) => {
                    if let Some(start) = timed {
                        let stats = &self.connection.router.route(route).stats;
                        stats.took(start.elapsed(), u64::from(TIMED_STRIDE));
                    }
                    return;
                }
                Ok(Poll::Pending) => {}
                Err(_) => return job(Arc::clone(&self.connection)).panicked(),
            }
        }
        let job = job(Arc::clone(&self.connection));
        let handle = tokio::spawn(job.run(future, self.heard)).abort_handle();
        let spawned = Spawned {
            handle,
            route,
            bytes,
            serial: self.serial,
        };
        self.serial += 1;
        self.spawned_bytes += bytes;
        self.spawned.insert(header.call, spawned);
    }

    fn cancel(&mut self, call: u64) {
        if let Some(spawned) = self.forget(call) {
            self.cancels += 1;
            spawned.cancel(&self.connection);
        }
        let credit = self.connection.lock().streams.remove(&call);
        crate::client::wake(credit.and_then(|c| c.waker));
    }

    fn grant(&self, call: u64, bytes: u32) {
        let waker = {
            let mut shared = self.connection.lock();
            let Some(credit) = shared.streams.get_mut(&call) else {
                return;
            };
            // Never more than the window, whatever the client says.
            let window = i64::from(self.connection.window_bytes);
            credit.bytes = (credit.bytes + i64::from(bytes)).min(window);
            credit.waker.take()
        };
        crate::client::wake(waker);
    }

    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Poll<()>> {
        let connection = &self.connection;
        let written = self
            .pump
            .poll_write_all(cx, |writing| connection.take_frames(writing));
        match written {
            Poll::Ready(result) => result.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        }
    }
}

impl<S> Drop for Driver<S> {
    /// However the connection ended, also with the task that served it: its handlers end too.
    fn drop(&mut self) {
        self.connection.close();
        for (_, spawned) in self.spawned.drain() {
            spawned.cancel(&self.connection);
        }
    }
}

fn going_away() -> Error {
    Error::new(
        Code::Unavailable,
        "going-away",
        "the server is about to stop",
    )
    .with_hint("open the stream again; another instance will answer")
    .with_retry(Retry::Safe)
}

fn deadline_of(now: Instant, remaining_ms: u32) -> Option<Instant> {
    (remaining_ms > 0).then(|| now + Duration::from_millis(remaining_ms.into()))
}
