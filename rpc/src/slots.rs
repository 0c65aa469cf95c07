//! The calls in flight on one connection: a slab with generations. Pure: no I/O, no clock.
//!
//! A call's number on the wire is its slot's index and generation, so an answer to a call that is
//! long over finds another generation and is dropped, and nothing is ever hashed.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;

use crate::frame::HEADER_BYTES;
use crate::{Codec, Error};

/// Items that may wait in the buffer they were read into; further small ones are copied out of
/// it, or a slow reader's few bytes would each keep a whole read buffer.
const UNCOPIED_MAX: usize = 4;
/// Larger items are never copied.
const COPIED_BYTES_MAX: usize = 4 << 10;

/// An answer as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) codec: Codec,
    pub(crate) metadata: Bytes,
    pub(crate) payload: Bytes,
}

impl Answer {
    /// What an item takes of its stream's credit. Its header counts, or items without a payload
    /// would cost nothing, and their reader any amount of memory.
    pub(crate) fn cost(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }
}

/// A stream as far as it has arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) items: VecDeque<Answer>,
    /// What `items` took of the stream's credit.
    pub(crate) queued: usize,
    pub(crate) end: Option<Result<(), Error>>,
    /// Bytes taken by the reader and not yet given back as credit.
    pub(crate) taken: u32,
}

/// What a slot holds.
#[derive(Debug)]
pub(crate) enum State {
    Free,
    Unary(Option<Result<Answer, Error>>),
    Stream(Arrived),
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    state: State,
    waker: Option<Waker>,
    deadline: Option<Instant>,
}

/// All calls in flight.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// No deadline lies before this; it may lie before every deadline.
    earliest: Option<Instant>,
}

impl Slots {
    pub(crate) fn live(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// A slot for a new call; returns the call's number.
    pub(crate) fn insert(
        &mut self,
        state: State,
        waker: Option<Waker>,
        deadline: Option<Instant>,
    ) -> u64 {
        if let Some(at) = deadline
            && self.earliest.is_none_or(|earliest| at < earliest)
        {
            self.earliest = Some(at);
        }
        let index = if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.state = state;
            entry.waker = waker;
            entry.deadline = deadline;
            index
        } else {
            self.entries.push(Entry {
                generation: 1,
                state,
                waker,
                deadline,
            });
            (self.entries.len() - 1) as u32
        };
        u64::from(self.entries[index as usize].generation) << 32 | u64::from(index)
    }

    fn entry(&mut self, call: u64) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(call as u32 as usize)?;
        let same = entry.generation == (call >> 32) as u32;
        (same && !matches!(entry.state, State::Free)).then_some(entry)
    }

    /// A call that is not over, and the place for its waker.
    pub(crate) fn get(&mut self, call: u64) -> Option<(&mut State, &mut Option<Waker>)> {
        self.entry(call).map(|e| (&mut e.state, &mut e.waker))
    }

    /// Ends a call and frees its slot.
    pub(crate) fn remove(&mut self, call: u64) -> Option<State> {
        let entry = self.entry(call)?;
        let state = std::mem::replace(&mut entry.state, State::Free);
        // Never 0: call 0 is the connection itself.
        entry.generation = entry.generation.wrapping_add(1).max(1);
        entry.waker = None;
        entry.deadline = None;
        self.free.push(call as u32);
        Some(state)
    }

    /// Gives a unary call its result. Returns who waits for it.
    pub(crate) fn complete(&mut self, call: u64, result: Result<Answer, Error>) -> Option<Waker> {
        let entry = self.entry(call)?;
        match &mut entry.state {
            State::Unary(place @ None) => *place = Some(result),
            State::Stream(arrived) if arrived.end.is_none() => {
                arrived.end = Some(result.and_then(|_| Err(wrong_shape("one answer"))));
            }
            _ => return None,
        }
        entry.waker.take()
    }

    /// A stream ended well. Returns who waits for it.
    pub(crate) fn end(&mut self, call: u64) -> Option<Waker> {
        let entry = self.entry(call)?;
        match &mut entry.state {
            State::Unary(place @ None) => *place = Some(Err(wrong_shape("a stream"))),
            State::Stream(arrived) if arrived.end.is_none() => arrived.end = Some(Ok(())),
            _ => return None,
        }
        entry.waker.take()
    }

    /// Adds an item to a stream. Returns who waits for it, and the bytes that wait with it.
    pub(crate) fn push(&mut self, call: u64, mut item: Answer) -> (Option<Waker>, usize) {
        let Some(entry) = self.entry(call) else {
            return (None, 0);
        };
        let State::Stream(arrived) = &mut entry.state else {
            return (None, 0);
        };
        if arrived.items.len() >= UNCOPIED_MAX && item.payload.len() <= COPIED_BYTES_MAX {
            item.payload = Bytes::copy_from_slice(&item.payload);
            item.metadata = Bytes::new();
        }
        arrived.queued += item.cost();
        arrived.items.push_back(item);
        (entry.waker.take(), arrived.queued)
    }

    /// When to call [`Self::expire`] next.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Ends every call whose deadline is not after `now`; each is reported once.
    pub(crate) fn expire(&mut self, now: Instant, mut expired: impl FnMut(u64, Option<Waker>)) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        self.earliest = None;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let Some(deadline) = entry.deadline else {
                continue;
            };
            if deadline > now {
                self.earliest = Some(self.earliest.map_or(deadline, |e| e.min(deadline)));
                continue;
            }
            entry.deadline = None;
            match &mut entry.state {
                State::Unary(place @ None) => *place = Some(Err(Error::deadline())),
                State::Stream(arrived) if arrived.end.is_none() => {
                    arrived.end = Some(Err(Error::deadline()));
                }
                _ => continue,
            }
            let call = u64::from(entry.generation) << 32 | index as u64;
            expired(call, entry.waker.take());
        }
    }

    /// Ends every call with the same error, because the connection is gone.
    pub(crate) fn fail_all(&mut self, error: &Error) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for entry in &mut self.entries {
            match &mut entry.state {
                State::Unary(place @ None) => *place = Some(Err(error.clone())),
                State::Stream(arrived) if arrived.end.is_none() => {
                    arrived.end = Some(Err(error.clone()));
                }
                _ => continue,
            }
            wakers.extend(entry.waker.take());
        }
        wakers
    }
}

fn wrong_shape(has: &str) -> Error {
    let message = format!("the procedure answers with {has}, which is not what was asked for");
    Error::new(crate::Code::BadPayload, "wrong-shape", message)
        .with_hint("client and server may be of different versions")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer() -> Answer {
        Answer {
            codec: Codec::Bincode,
            metadata: Bytes::new(),
            payload: Bytes::new(),
        }
    }

    #[test]
    fn an_answer_to_a_call_that_is_over_finds_nobody() {
        let mut slots = Slots::default();
        let first = slots.insert(State::Unary(None), None, None);
        assert!(slots.remove(first).is_some());
        let second = slots.insert(State::Unary(None), None, None);
        assert_eq!(first as u32, second as u32, "the slot is used again");
        assert_ne!(first, second, "the call's number is not");
        slots.complete(first, Ok(answer()));
        assert!(matches!(slots.get(second), Some((State::Unary(None), _))));
        assert!(slots.remove(first).is_none());
        assert_eq!(slots.live(), 1);
    }

    #[test]
    fn no_call_has_number_0_however_often_a_slot_is_used() {
        let mut slots = Slots::default();
        let call = slots.insert(State::Unary(None), None, None);
        slots.entries[0].generation = u32::MAX;
        assert!(slots.remove(u64::from(u32::MAX) << 32).is_some());
        let next = slots.insert(State::Unary(None), None, None);
        assert_eq!(call as u32, next as u32);
        assert_ne!(next, 0, "an error of call 0 would end the connection");
    }

    #[test]
    fn an_answer_of_the_wrong_shape_is_an_error_and_never_an_empty_stream() {
        let mut slots = Slots::default();
        let stream = slots.insert(State::Stream(Arrived::default()), None, None);
        slots.complete(stream, Ok(answer()));
        let Some((State::Stream(arrived), _)) = slots.get(stream) else {
            panic!("it is still a stream");
        };
        let end = arrived.end.take().expect("an end");
        assert_eq!(&*end.expect_err("not a stream").reason, "wrong-shape");
        let unary = slots.insert(State::Unary(None), None, None);
        slots.end(unary);
        assert!(matches!(
            slots.remove(unary),
            Some(State::Unary(Some(Err(_))))
        ));
    }

    #[test]
    fn each_deadline_ends_its_own_call_once() {
        let mut slots = Slots::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let calls: Vec<u64> = (1..=3)
            .map(|n| slots.insert(State::Unary(None), None, Some(at(n * 10))))
            .collect();
        let mut expired = Vec::new();
        slots.expire(at(9), |call, _| expired.push(call));
        assert!(expired.is_empty());
        slots.expire(at(20), |call, _| expired.push(call));
        assert_eq!(expired, calls[..2]);
        assert_eq!(slots.earliest(), Some(at(30)));
        slots.expire(at(25), |call, _| expired.push(call));
        slots.expire(at(30), |call, _| expired.push(call));
        assert_eq!(expired, calls);
        assert_eq!(slots.earliest(), None);
    }
}
