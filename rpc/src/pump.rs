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
/// A buffer of which this much is left is used again while frames in it are still held: else each
/// small frame that somebody holds would keep a whole buffer alive.
const REUSED_BYTES_MIN: usize = READ_BYTES / 4;
/// What is left of a frame after a read is moved out of its large buffer if it is at most this.
const SETTLED_BYTES_MAX: usize = 4 << 10;
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
    /// Since the start; says whether the peer takes anything.
    written_ever: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    pub(crate) fn new(io: S) -> Self {
        Self {
            io,
            input: BytesMut::new(),
            writing: BytesMut::new(),
            written: 0,
            written_ever: 0,
        }
    }

    /// Reads what there is. `Ok(0)` is the end of the stream.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.is_empty() {
            self.input = borrow_buffer();
        } else {
            if self.input.capacity() < REUSED_BYTES_MIN {
                let rest = std::mem::replace(&mut self.input, borrow_buffer());
                self.input.extend_from_slice(&rest);
            }
            // Grows with what arrived, never with what a header claims.
            let wanted = frame::missing(&self.input).min(self.input.len().max(READ_BYTES));
            self.input.reserve(wanted);
        }
        let read = poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input);
        if read.is_pending() {
            self.settle();
        }
        read
    }

    /// While nothing comes, what waits for the rest of its frame takes no more than it needs.
    fn settle(&mut self) {
        if self.input.len() <= SETTLED_BYTES_MAX && self.input.capacity() > 2 * SETTLED_BYTES_MAX {
            let rest = BytesMut::from(&self.input[..]);
            let mut buffer = std::mem::replace(&mut self.input, rest);
            buffer.advance(buffer.len());
            return_buffer(buffer);
        }
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
            self.written_ever += n as u64;
        }
    }

    /// Bytes that the peer took so far.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.written_ever
    }

    /// Whether there are bytes that the peer did not take yet.
    pub(crate) fn is_writing(&self) -> bool {
        self.written < self.writing.len()
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
    if !buffer.try_reclaim(READ_BYTES) && buffer.capacity() < REUSED_BYTES_MIN {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::frame::{Header, Kind, append_bare};

    async fn read(pump: &mut Pump<tokio::io::DuplexStream>) {
        let read = std::future::poll_fn(|cx| pump.poll_read(cx)).await;
        assert!(read.expect("an open stream") > 0);
    }

    #[tokio::test]
    async fn small_frames_that_come_one_by_one_and_are_held_share_their_buffers() {
        let (mut theirs, ours) = tokio::io::duplex(1 << 10);
        let mut pump = Pump::new(ours);
        let mut held = Vec::new();
        for call in 0..1_000 {
            let mut frame = BytesMut::new();
            let payload = |out: &mut BytesMut| {
                out.extend_from_slice(&[0; 8]);
                Ok::<(), frame::FrameTooLarge>(())
            };
            let header = Header::new(Kind::Item, call);
            frame::append(&mut frame, 64, &header, &crate::Metadata::new(), payload)
                .expect("a small frame");
            theirs.write_all(&frame).await.expect("room");
            read(&mut pump).await;
            held.push(
                frame::take(&mut pump.input, 64)
                    .expect("a frame")
                    .expect("whole")
                    .payload,
            );
            pump.give_back();
        }
        let apart = |pair: &[bytes::Bytes]| {
            (pair[1].as_ptr() as usize).wrapping_sub(pair[0].as_ptr() as usize) != 32
        };
        let buffers = held.windows(2).filter(|pair| apart(pair)).count();
        assert!(
            buffers < 10,
            "1,000 frames of 32 bytes hold {buffers} buffers"
        );
    }

    #[tokio::test]
    async fn a_started_frame_that_does_not_go_on_holds_a_few_bytes_and_then_arrives_whole() {
        let (mut theirs, ours) = tokio::io::duplex(1 << 10);
        let mut pump = Pump::new(ours);
        let mut frame = BytesMut::new();
        append_bare(&mut frame, &Header::new(Kind::Ping, 7));
        let (start, rest) = frame.split_at(9);
        theirs.write_all(start).await.expect("room");
        read(&mut pump).await;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(pump.poll_read(&mut cx).is_pending());
        let held = pump.input.capacity();
        assert!(held < 1 << 10, "{held} bytes are held for 9");
        theirs.write_all(rest).await.expect("room");
        read(&mut pump).await;
        let whole = frame::take(&mut pump.input, 64).expect("a frame");
        assert_eq!(whole.expect("whole").header.call, 7);
    }
}
