//! The sending half of a stream: bounded by what its reader has taken.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connection::{Credit, ServerConnection};
use crate::client::wake;
use crate::frame::{self, Header, Kind};
use crate::{Code, Codec, Error, Metadata, Serializable};

/// Sends the items of a stream, no faster than their reader takes them.
pub struct StreamSender<T> {
    connection: Arc<ServerConnection>,
    call: u64,
    codec: Codec,
    items: PhantomData<fn(T)>,
}

impl<T> std::fmt::Debug for StreamSender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamSender")
            .field("peer", &self.connection.peer)
            .finish_non_exhaustive()
    }
}

impl<T: Serializable> StreamSender<T> {
    pub(crate) fn new(connection: Arc<ServerConnection>, call: u64, codec: Codec) -> Self {
        let credit = Credit {
            bytes: i64::from(connection.window_bytes),
            waker: None,
        };
        let mut shared = connection.lock();
        if !shared.closed {
            shared.streams.insert(call, credit);
        }
        drop(shared);
        Self {
            connection,
            call,
            codec,
            items: PhantomData,
        }
    }

    /// Sends one item; waits while the reader has not taken enough of the earlier ones.
    ///
    /// # Errors
    /// `Cancelled` when the reader is gone; `TooLarge` when the item does not fit in a frame.
    pub async fn send(&self, item: &T) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        let mut result = Ok(());
        self.connection.send(|shared| {
            let header = Header::new(Kind::Item, self.call).with_codec(self.codec);
            let out = &mut shared.outbox.bulk;
            let before = out.len();
            let encode = |out: &mut bytes::BytesMut| {
                item.encode(self.codec, out)
                    .map_err(|e| Error::internal("codec", e.to_string()))
            };
            let limit = self.connection.frame_bytes_max;
            result = frame::append(out, limit, &header, &Metadata::new(), encode);
            // The header counts too: see `Answer::cost`.
            let cost = out.len() - before;
            if let Some(credit) = shared.streams.get_mut(&self.call) {
                credit.bytes -= cost as i64;
            }
        });
        result
    }

    /// Waits until the reader is gone.
    pub async fn closed(&self) {
        poll_fn(|cx| {
            let mut shared = self.connection.lock();
            match shared.streams.get_mut(&self.call) {
                Some(credit) => {
                    credit.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }
        })
        .await;
    }

    fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let mut shared = self.connection.lock();
        let full = shared.outbox.bulk.len() >= self.connection.router.limits.queued_bytes_max;
        let Some(credit) = shared.streams.get_mut(&self.call) else {
            return Poll::Ready(Err(reader_gone()));
        };
        if credit.bytes <= 0 {
            credit.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if full {
            shared.outbox.wait_for_room(self.call, cx);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for StreamSender<T> {
    fn drop(&mut self) {
        let mut shared = self.connection.lock();
        shared.outbox.forget(self.call);
        let credit = shared.streams.remove(&self.call);
        drop(shared);
        wake(credit.and_then(|c| c.waker));
    }
}

fn reader_gone() -> Error {
    Error::new(
        Code::Cancelled,
        "reader-gone",
        "the stream's reader is gone",
    )
}
