//! One call with many answers, read at the reader's own pace.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connection::{Handle, Waiting, wake};
use super::unary::Request;
use crate::frame::{Header, append_bare};
use crate::slots::{Answer, Arrived, State};
use crate::{Code, Deserializable, Error, Serializable};

/// The items of a server's stream. Dropping it tells the server to stop.
///
/// Items that were not taken cost at most one window of memory; the server waits beyond that.
pub struct Streaming<T> {
    connection: Arc<Handle>,
    call: Option<u64>,
    items: PhantomData<fn() -> T>,
}

impl<T> std::fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streaming")
            .field("peer", &self.connection.peer)
            .finish_non_exhaustive()
    }
}

impl<T: Deserializable> Streaming<T> {
    /// Opens the stream; `Pending` only while the connection is too full to take the request.
    pub(crate) async fn open<A: Serializable>(
        connection: &Arc<Handle>,
        request: &Request<'_, A>,
    ) -> Result<Self, Error> {
        let mut waiting = Waiting::new(connection);
        let call = poll_fn(|cx| {
            let mut shared = connection.lock();
            if waiting.must(&mut shared, cx) {
                return Poll::Pending;
            }
            let state = State::Stream(Arrived::default());
            let started = request.start(connection, &mut shared, state, cx);
            let parked = shared.outbox.unpark();
            drop(shared);
            wake(parked);
            Poll::Ready(started)
        })
        .await?;
        Ok(Self {
            connection: Arc::clone(connection),
            call: Some(call),
            items: PhantomData,
        })
    }

    /// The next item; `None` when the server ended the stream well. Cancel safe.
    ///
    /// # Errors
    /// Whatever ended the stream otherwise; after that, `None`.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        let item = poll_fn(|cx| self.poll_item(cx)).await?;
        Some(item.and_then(|answer| {
            T::decode(answer.codec, &answer.payload).map_err(|e| {
                let message = format!("failed to read an item of the stream: {e}");
                Error::new(Code::BadPayload, "bad-payload", message)
            })
        }))
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Error>>> {
        let Some(call) = self.call else {
            return Poll::Ready(None);
        };
        let mut shared = self.connection.lock();
        let Some((State::Stream(arrived), waker)) = shared.slots.get(call) else {
            return Poll::Ready(None);
        };
        if let Some(item) = arrived.items.pop_front() {
            arrived.queued -= item.cost();
            arrived.taken = arrived.taken.saturating_add(item.cost() as u32);
            let due = arrived.taken >= self.connection.limits.stream_window_bytes / 4;
            let grant = if due {
                std::mem::take(&mut arrived.taken)
            } else {
                0
            };
            let mut parked = None;
            if grant > 0 {
                append_bare(&mut shared.outbox.urgent, &Header::credit(call, grant));
                parked = shared.outbox.unpark();
            }
            drop(shared);
            wake(parked);
            return Poll::Ready(Some(Ok(item)));
        }
        if let Some(end) = arrived.end.take() {
            shared.slots.remove(call);
            drop(shared);
            self.call = None;
            return Poll::Ready(end.err().map(Err));
        }
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl<T> Drop for Streaming<T> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.connection.cancel(call);
        }
    }
}
