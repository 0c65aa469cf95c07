//! What a connection has still to write, and who waits for it. Pure: no I/O.

use std::collections::BTreeMap;
use std::collections::btree_map::IntoValues;
use std::task::{Context, Waker};

use bytes::BytesMut;

/// Items of streams are written in pieces of about this size, so that they never delay a reply
/// by more than the time one piece takes.
const BULK_PIECE_BYTES: usize = 64 << 10;

/// Frames to be written, in two classes: replies and control first, items of streams after.
///
/// The connection's task parks here when it has nothing to do; whoever adds a frame takes its
/// waker, so that any number of frames costs one wake-up.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Requests, replies, control.
    pub(crate) urgent: BytesMut,
    /// Items of streams, and their ends.
    pub(crate) bulk: BytesMut,
    parked: Option<Waker>,
    /// By ticket, so that who waits in vain costs one entry, and first come is first woken.
    waiting_for_room: BTreeMap<u64, Waker>,
    tickets: u64,
}

impl Outbox {
    pub(crate) fn queued_bytes(&self) -> usize {
        self.urgent.len() + self.bulk.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued_bytes() == 0
    }

    /// The connection's task sleeps until somebody takes its waker.
    pub(crate) fn park(&mut self, cx: &Context<'_>) {
        match &mut self.parked {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// The waker of the connection's task if it sleeps. Wake it after the lock is released.
    #[must_use]
    pub(crate) fn unpark(&mut self) -> Option<Waker> {
        self.parked.take()
    }

    /// A number to wait under, for whoever has none.
    pub(crate) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Wakes the holder of `ticket` when there is room again.
    pub(crate) fn wait_for_room(&mut self, ticket: u64, cx: &Context<'_>) {
        self.waiting_for_room.insert(ticket, cx.waker().clone());
    }

    /// The holder of `ticket` waits no more. A waker that stayed would keep its task's memory.
    pub(crate) fn forget(&mut self, ticket: u64) {
        self.waiting_for_room.remove(&ticket);
    }

    /// Moves what is to be written next into `writing`, which is empty. Returns who waited for
    /// the room that this makes.
    pub(crate) fn take(&mut self, writing: &mut BytesMut) -> IntoValues<u64, Waker> {
        debug_assert!(writing.is_empty(), "what was taken before is written first");
        std::mem::swap(writing, &mut self.urgent);
        // One piece each time, however much is urgent: else busy callers would starve all streams.
        if !self.bulk.is_empty() {
            let piece = self
                .bulk
                .split_to(whole_frames(&self.bulk, BULK_PIECE_BYTES));
            if writing.is_empty() {
                *writing = piece;
            } else {
                writing.extend_from_slice(&piece);
            }
        }
        std::mem::take(&mut self.waiting_for_room).into_values()
    }

    /// Gives memory back while nothing is to be written.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.urgent = BytesMut::new();
            self.bulk = BytesMut::new();
        }
    }

    /// Everybody who waits for anything.
    #[must_use]
    pub(crate) fn everybody(&mut self) -> Vec<Waker> {
        let waiting = std::mem::take(&mut self.waiting_for_room);
        let mut all: Vec<Waker> = waiting.into_values().collect();
        all.extend(self.parked.take());
        all
    }
}

/// Bytes of the whole frames at the start of `bulk` that make up about `target` bytes.
fn whole_frames(bulk: &[u8], target: usize) -> usize {
    let mut end = 0;
    while end < bulk.len() && end < target {
        let Some(length) = bulk[end..].first_chunk::<4>() else {
            break;
        };
        end += u32::from_le_bytes(*length) as usize + 4;
    }
    end.min(bulk.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Header, Kind, append_bare};

    #[test]
    fn replies_overtake_items_and_items_go_out_in_whole_frames() {
        let mut outbox = Outbox::default();
        for call in 0..10_000 {
            append_bare(&mut outbox.bulk, &Header::new(Kind::Item, call));
        }
        append_bare(&mut outbox.urgent, &Header::new(Kind::Response, 7));
        let queued = outbox.queued_bytes();
        let mut writing = BytesMut::new();
        let mut seen = 0;
        let mut first = None;
        while !outbox.is_empty() {
            writing.clear();
            let _ = outbox.take(&mut writing);
            assert_eq!(writing.len() % 24, 0, "only whole frames");
            assert!(writing.len() <= BULK_PIECE_BYTES + 48);
            first.get_or_insert(writing[4]);
            seen += writing.len();
        }
        assert_eq!(first, Some(Kind::Response as u8));
        assert_eq!(seen, queued);
    }

    #[test]
    fn items_go_out_however_many_replies_there_are() {
        let mut outbox = Outbox::default();
        for call in 0..10_000 {
            append_bare(&mut outbox.bulk, &Header::new(Kind::Item, call));
        }
        let mut writing = BytesMut::new();
        for _ in 0..10 {
            outbox.urgent.resize(2 * BULK_PIECE_BYTES, 0);
            writing.clear();
            let _ = outbox.take(&mut writing);
        }
        assert_eq!(outbox.bulk.len(), 0, "items wait for ever behind replies");
    }

    #[test]
    fn who_gave_up_waiting_for_room_leaves_nothing_behind() {
        let mut outbox = Outbox::default();
        let cx = Context::from_waker(Waker::noop());
        let ticket = outbox.ticket();
        for _ in 0..100 {
            outbox.wait_for_room(ticket, &cx);
        }
        assert_eq!(outbox.waiting_for_room.len(), 1);
        outbox.forget(ticket);
        assert_eq!(outbox.everybody().len(), 0);
    }
}
