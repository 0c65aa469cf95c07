//! One call with one answer, as a future that costs no allocation.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

use super::connection::{Connection, Handle, Shared, Waiting, wake};
use crate::frame::{self, Header};
use crate::slots::{Answer, State};
use crate::{Code, Codec, Error, Metadata, ProcedureId, Retry, Serializable};

/// What is asked, and until when.
pub(crate) struct Request<'a, A> {
    pub(crate) procedure: ProcedureId,
    pub(crate) args: &'a A,
    pub(crate) codec: Codec,
    pub(crate) metadata: &'a Metadata,
    pub(crate) deadline: Option<Instant>,
    /// A recent reading of the clock.
    pub(crate) now: Instant,
}

impl<A: Serializable> Request<'_, A> {
    /// Writes the request and takes a slot for its answer.
    pub(crate) fn start(
        &self,
        connection: &Connection,
        shared: &mut Shared,
        state: State,
        cx: &Context<'_>,
    ) -> Result<u64, Error> {
        if let Some(error) = &shared.closed {
            return Err(error.clone().with_retry(Retry::Safe));
        }
        if shared.going_away {
            return Err(Error::unsent("going-away", "the server is about to stop"));
        }
        if shared.slots.live() >= connection.limits.calls_max {
            return Err(too_many_calls(connection));
        }
        let call = shared
            .slots
            .insert(state, Some(cx.waker().clone()), self.deadline);
        let header = Header::request(self.codec, call, self.procedure, self.remaining_ms());
        let write = |out: &mut bytes::BytesMut| {
            self.args.encode(self.codec, out).map_err(|e| {
                Error::new(
                    Code::BadPayload,
                    "bad-payload",
                    format!("failed to write args: {e}"),
                )
            })
        };
        let out = &mut shared.outbox.urgent;
        let limit = connection.frame_bytes_max;
        let written = frame::append(out, limit, &header, self.metadata, write);
        if written.is_err() {
            shared.slots.remove(call);
        }
        written.map(|()| call)
    }

    fn remaining_ms(&self) -> u32 {
        let Some(deadline) = self.deadline else {
            return 0;
        };
        let left = deadline.saturating_duration_since(self.now).as_millis();
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }
}

fn too_many_calls(connection: &Connection) -> Error {
    let message = format!(
        "{} calls are in flight to {} already",
        connection.limits.calls_max, connection.peer
    );
    Error::new(Code::ResourceExhausted, "too-many-calls", message)
        .with_hint("wait for some to end, or use more connections")
        .with_retry(Retry::Safe)
}

/// A call in flight. Dropping it cancels it, here and on the server.
pub(crate) struct Unary<'a, A> {
    connection: &'a Handle,
    request: &'a Request<'a, A>,
    call: Option<u64>,
    waiting: Waiting<'a>,
    /// Made only when the connection is too full to take the request: the deadline ticks there too.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a, A> Unary<'a, A> {
    pub(crate) fn new(connection: &'a Handle, request: &'a Request<'a, A>) -> Self {
        Self {
            connection,
            request,
            call: None,
            waiting: Waiting::new(connection),
            timer: None,
        }
    }
}

impl<A: Serializable> Future for Unary<'_, A> {
    type Output = Result<Answer, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let connection = self.connection;
        let mut shared = connection.lock();
        if let Some(call) = self.call {
            let Some((state, waker)) = shared.slots.get(call) else {
                drop(shared);
                self.call = None;
                return Poll::Ready(Err(Error::internal("lost-call", "the call's slot is gone")));
            };
            if let State::Unary(Some(_)) = state {
                let state = shared.slots.remove(call);
                drop(shared);
                self.call = None;
                let Some(State::Unary(Some(result))) = state else {
                    unreachable!("just seen")
                };
                return Poll::Ready(result);
            }
            match waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        if self.waiting.must(&mut shared, cx) {
            drop(shared);
            return self.poll_waiting(cx);
        }
        let started = self
            .request
            .start(connection, &mut shared, State::Unary(None), cx);
        let parked = shared.outbox.unpark();
        drop(shared);
        wake(parked);
        match started {
            Ok(call) => {
                self.call = Some(call);
                Poll::Pending
            }
            Err(e) => Poll::Ready(Err(e)),
        }
    }
}

impl<A> Unary<'_, A> {
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, Error>> {
        let Some(deadline) = self.request.deadline else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(Error::deadline().with_retry(Retry::Safe)))
    }
}

impl<A> Drop for Unary<'_, A> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.connection.cancel(call);
        }
    }
}
