//! The one task of a connection: reads, completes, yields once, writes; per wake-up, not per call.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep_until};

use super::connection::{Connection, Shared, keepalive_of};
use crate::clock;
use crate::frame::{self, Frame, Header, Kind, append_bare};
use crate::pump::Pump;
use crate::slots::Answer;
use crate::{Error, Retry};

/// Deadlines are kept to within this; a finer timer would cost more than it gives.
const TIMER_GRAIN: Duration = Duration::from_millis(2);
/// Pings without an answer after which the peer counts as dead.
const PINGS_MISSED_MAX: u8 = 2;

pub(crate) struct Driver<S> {
    pump: Pump<S>,
    connection: Arc<Connection>,
    timer: Pin<Box<Sleep>>,
    armed: Instant,
    heard: Instant,
    /// When the timer last fired: an answer to what was asked then has had no time before.
    looked: Instant,
    pings_missed: u8,
    /// Set while the callers that were just woken get their turn, before anything is written.
    yielded: bool,
    wakers: Vec<Waker>,
    /// As of the last write or rest: the next deadline, and the calls in flight.
    earliest: Option<Instant>,
    live: usize,
    /// Set when the timer queued a frame.
    said: bool,
    /// Bytes written as of the last look at a silent peer.
    written_then: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(crate) fn new(io: S, connection: Arc<Connection>) -> Self {
        let now = Instant::now();
        let armed = now + connection.limits.keepalive_idle;
        Self {
            pump: Pump::new(io),
            timer: Box::pin(sleep_until(armed.into())),
            connection,
            armed,
            heard: now,
            looked: now,
            pings_missed: 0,
            yielded: false,
            wakers: Vec::new(),
            earliest: None,
            live: 0,
            said: false,
            written_then: 0,
        }
    }

    pub(crate) async fn run(mut self) {
        let error = poll_fn(|cx| self.poll(cx)).await;
        self.connection.close(error);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            let read = match self.poll_read(cx) {
                Poll::Ready(Ok(woken)) => Some(woken),
                Poll::Ready(Err(e)) => return Poll::Ready(e),
                Poll::Pending => None,
            };
            if read == Some(true) && !self.yielded {
                // Those who were woken will call again; waiting for them makes one write of many.
                self.yielded = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.yielded = false;
            let written = match self.poll_write(cx) {
                Poll::Ready(Err(e)) => return Poll::Ready(self.gone(&e)),
                written => written.is_ready(),
            };
            if read.is_none() {
                return self.park(cx, written);
            }
            if let Poll::Ready(end) = self.poll_timer(cx) {
                return Poll::Ready(end);
            }
        }
    }

    /// Sleeps until there is something to do, unless that came while this was busy.
    fn park(&mut self, cx: &mut Context<'_>, written: bool) -> Poll<Error> {
        let mut state = self.connection.lock();
        if (state.abandoned || state.going_away) && state.slots.live() == 0 {
            return Poll::Ready(Error::unsent("closed", "the connection was given up"));
        }
        // Calls that came while the socket takes nothing have deadlines too.
        (self.earliest, self.live) = (state.slots.earliest(), state.slots.live());
        // A call that came after the last look found nobody asleep to wake.
        let more = written && !state.outbox.is_empty();
        if !more {
            state.outbox.park(cx);
        }
        drop(state);
        self.said = false;
        if let Poll::Ready(end) = self.poll_timer(cx) {
            return Poll::Ready(end);
        }
        if more || (written && self.said) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Reads once and completes what arrived. `true` if somebody was woken.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        match self.pump.poll_read(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(e)) => return Poll::Ready(Err(self.gone(&e))),
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.gone(&"it closed the connection"))),
            Poll::Ready(Ok(_)) => {}
        }
        self.heard = clock::now();
        self.pings_missed = 0;
        let parsed = self.complete_all();
        let woken = !self.wakers.is_empty();
        self.wakers.drain(..).for_each(Waker::wake);
        Poll::Ready(parsed.map(|()| woken))
    }

    fn complete_all(&mut self) -> Result<(), Error> {
        let mut state = self.connection.lock();
        let limits = &self.connection.limits;
        let limit = limits.frame_bytes_max;
        // A server overdraws its credit by one item at most.
        let queued_max = limits.stream_window_bytes as usize + limit;
        while let Some(frame) = frame::take(&mut self.pump.input, limit)? {
            if let Some(waker) = complete(&self.connection, &mut state, frame, queued_max)? {
                self.wakers.push(waker);
            }
        }
        drop(state);
        self.pump.give_back();
        Ok(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = &self.connection;
        let (earliest, live) = (&mut self.earliest, &mut self.live);
        self.pump.poll_write_all(cx, |writing| {
            let mut shared = connection.lock();
            (*earliest, *live) = (shared.slots.earliest(), shared.slots.live());
            let room = shared.outbox.take(writing);
            drop(shared);
            room.into_iter().for_each(Waker::wake);
        })
    }

    /// Expires calls, asks a silent peer whether it lives, and sets the timer for the next look.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let (earliest, live) = (self.earliest, self.live);
        let limits = &self.connection.limits;
        let due = |earliest: Option<Instant>, from: Instant| {
            let keepalive = from + keepalive_of(limits, live);
            earliest.map_or(keepalive, |at| keepalive.min(at + TIMER_GRAIN))
        };
        // Armed too late is wrong; too early only costs one look.
        let wanted = due(earliest, self.heard.max(self.looked));
        if wanted < self.armed {
            self.arm(wanted);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            self.looked = now;
            self.earliest = self.expire(now);
            if let Some(dead) = self.keep_alive(now, live) {
                return Poll::Ready(dead);
            }
            let keepalive = now + keepalive_of(&self.connection.limits, live);
            let next = self.earliest.map(|at| at + TIMER_GRAIN);
            self.arm(next.map_or(keepalive, |at| keepalive.min(at)));
        }
        Poll::Pending
    }

    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.timer.as_mut().reset(at.into());
    }

    fn expire(&mut self, now: Instant) -> Option<Instant> {
        let mut wakers = Vec::new();
        let mut state = self.connection.lock();
        let Shared { slots, outbox, .. } = &mut *state;
        slots.expire(now, |call, waker| {
            append_bare(&mut outbox.urgent, &Header::new(Kind::Cancel, call));
            wakers.extend(waker);
        });
        let earliest = slots.earliest();
        drop(state);
        self.said |= !wakers.is_empty();
        wakers.into_iter().for_each(Waker::wake);
        earliest
    }

    fn keep_alive(&mut self, now: Instant, live: usize) -> Option<Error> {
        let quiet = now.saturating_duration_since(self.heard);
        if quiet < keepalive_of(&self.connection.limits, live) {
            return None;
        }
        // A ping waits behind what is being written: a peer that takes that, however slowly, lives.
        let written = self.pump.bytes_written();
        if std::mem::replace(&mut self.written_then, written) != written && self.pump.is_writing() {
            return None;
        }
        if self.pings_missed >= PINGS_MISSED_MAX {
            return Some(self.gone(&"it stopped answering"));
        }
        self.pings_missed += 1;
        self.said = true;
        let mut state = self.connection.lock();
        if live == 0 {
            state.outbox.release();
            self.pump.release();
        }
        append_bare(&mut state.outbox.urgent, &Header::new(Kind::Ping, 0));
        None
    }

    fn gone(&self, why: &dyn std::fmt::Display) -> Error {
        Error::unavailable(
            "connection-lost",
            format!("lost {}: {why}", self.connection.peer),
        )
        .with_hint("the call may have taken effect; look before repeating it")
        .with_retry(Retry::IfIdempotent)
    }
}

impl<S> Drop for Driver<S> {
    /// Whatever ends the task, also a runtime that ends before the channel: no call waits for it.
    fn drop(&mut self) {
        let message = format!(
            "the task of the connection to {} ended",
            self.connection.peer
        );
        self.connection
            .close(Error::unavailable("connection-lost", message));
    }
}

/// What one frame from the server means to the calls in flight.
fn complete(
    connection: &Connection,
    state: &mut Shared,
    frame: Frame,
    queued_max: usize,
) -> Result<Option<Waker>, Error> {
    let Frame {
        header,
        metadata,
        payload,
    } = frame;
    let answer = Answer {
        codec: header.codec,
        metadata,
        payload,
    };
    Ok(match header.kind {
        Kind::Response => state.slots.complete(header.call, Ok(answer)),
        Kind::End => state.slots.end(header.call),
        Kind::Failure => {
            let error = read_error(header.codec, &answer.payload);
            if header.call == 0 {
                return Err(error);
            }
            state.slots.complete(header.call, Err(error))
        }
        Kind::Item => {
            let (waker, queued) = state.slots.push(header.call, answer);
            if queued > queued_max {
                return Err(Error::protocol("a stream's server ignores flow control"));
            }
            waker
        }
        // A server that asks and does not read the answers gets no more of them.
        Kind::Ping if state.outbox.queued_bytes() >= connection.limits.queued_bytes_max => None,
        Kind::Ping => {
            append_bare(
                &mut state.outbox.urgent,
                &Header::new(Kind::Pong, header.call),
            );
            None
        }
        Kind::Pong => None,
        Kind::Unknown => {
            let error = frame::not_understood(&header);
            state.slots.complete(header.call, Err(error))
        }
        Kind::GoAway => {
            connection.going_away(state);
            None
        }
        Kind::Request | Kind::Cancel | Kind::Credit => {
            return Err(Error::protocol("a server sent what only clients send"));
        }
    })
}

fn read_error(codec: crate::Codec, payload: &bytes::Bytes) -> Error {
    use crate::Deserializable as _;
    Error::decode(codec, payload)
        .unwrap_or_else(|e| Error::protocol(format!("an error that cannot be read: {e}")))
}
