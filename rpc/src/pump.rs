//! Bytes in and out of a connection: one read and one write per wake-up, whatever they carry.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use crate::frame;

/// A read asks for this much at once.
const READ_BYTES: usize = 64 << 10;
/// Read buffers that a thread keeps for its next read.
const POOLED_MAX: usize = 16;

thread_local! {
    /// Idle connections hold no read buffer: they borrow one while there is something to read.
    static POOL: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// A byte stream with what was read and not yet parsed, and what is being written.
pub(crate) struct Pump<S> {
    io: S,
    pub(crate) input: BytesMut,
    writing: BytesMut,
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(crate) fn new(io: S) -> Self {
        Self {
            io,
            input: BytesMut::new(),
            writing: BytesMut::new(),
            written: 0,
        }
    }

    /// Reads what there is. `Ok(0)` is the end of the stream.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.is_empty() {
            self.input = borrow_buffer();
        } else {
            // Grows with what arrived, never with what a header claims.
            let wanted = frame::missing(&self.input).min(self.input.len().max(READ_BYTES));
            self.input.reserve(wanted);
        }
        let read = poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input);
        if self.input.is_empty() {
            self.give_back();
        }
        read
    }

    /// Gives the read buffer back to the thread when everything in it was parsed.
    pub(crate) fn give_back(&mut self) {
        if self.input.is_empty() {
            return_buffer(std::mem::take(&mut self.input));
        }
    }

    /// Writes until `refill` has nothing more. `Pending`: the socket takes nothing now.
    pub(crate) fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        mut refill: impl FnMut(&mut BytesMut),
    ) -> Poll<io::Result<()>> {
        loop {
            if self.written == self.writing.len() {
                self.writing.clear();
                self.written = 0;
                refill(&mut self.writing);
                if self.writing.is_empty() {
                    return Pin::new(&mut self.io).poll_flush(cx);
                }
            }
            let rest = &self.writing[self.written..];
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Gives memory back while the connection is idle.
    pub(crate) fn release(&mut self) {
        if self.written == self.writing.len() {
            self.writing = BytesMut::new();
            self.written = 0;
        }
    }
}

fn borrow_buffer() -> BytesMut {
    let mut buffer = POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
    // What was cut off its front may be free again: then this allocates nothing.
    if buffer.capacity() < READ_BYTES && !buffer.try_reclaim(READ_BYTES) {
        buffer = BytesMut::with_capacity(READ_BYTES);
    }
    buffer
}

fn return_buffer(mut buffer: BytesMut) {
    if buffer.capacity() == 0 {
        return;
    }
    buffer.advance(buffer.len());
    POOL.with_borrow_mut(|pool| {
        if pool.len() < POOLED_MAX {
            pool.push(buffer);
        }
    });
}
