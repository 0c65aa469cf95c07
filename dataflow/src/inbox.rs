//! What waits for a task: rows and signals of its input channels, and what its worker tells it.
//!
//! Each channel is bounded by rows, so that a slow task slows those before it. A channel that is
//! held back (its barrier has come, those of others have not) is not read, and so fills up.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::columns::Batch;
use crate::failure::Halt;

/// Rows that wait in one channel, at most (but always one batch).
pub(crate) const CHANNEL_ROWS_MAX: usize = 32 * 1024;

/// What flows from task to task.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// Rows.
    Batch(Batch),
    /// No row before this time comes any more.
    Watermark(i64),
    /// All before it belongs to this epoch.
    Barrier(Barrier),
    /// The job stops; nothing comes any more, but the data has not ended.
    Stop,
    /// The data has ended.
    End,
}

/// The border between an epoch and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Barrier {
    pub(crate) epoch: u64,
    /// Whoever has stored its state ends.
    pub(crate) then_stop: bool,
}

/// What a worker tells a task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// To a source: give out a barrier.
    Checkpoint(Barrier),
    /// To a source: end, gracefully.
    Stop,
    /// The epoch is complete.
    Commit(u64),
    /// To a source in stepping mode: read so many rows.
    Step(u64),
}

/// What a task takes next.
pub(crate) enum Received {
    /// From its worker; goes before all else.
    Control(Control),
    /// From an input channel.
    Message(usize, Message),
}

/// See the module.
pub(crate) struct Inbox {
    state: Mutex<State>,
    ready: Condvar,
    room: Condvar,
}

struct State {
    control: VecDeque<Control>,
    channels: Vec<Channel>,
    next: usize,
    closed: bool,
}

#[derive(Default)]
struct Channel {
    messages: VecDeque<Message>,
    rows: usize,
    held: bool,
    /// Told of rows that were taken, when their sender is elsewhere.
    taken: Option<Box<dyn Fn(usize) + Send>>,
}

impl Inbox {
    pub(crate) fn new(channels: usize) -> Inbox {
        let channels = (0..channels).map(|_| Channel::default()).collect();
        let state = State {
            control: VecDeque::new(),
            channels,
            next: 0,
            closed: false,
        };
        Inbox {
            state: Mutex::new(state),
            ready: Condvar::new(),
            room: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message into a channel. A batch waits for room, for as long as is returned.
    pub(crate) fn send(&self, channel: usize, message: Message) -> Result<Duration, Halt> {
        let mut state = self.lock();
        let mut waited = Duration::ZERO;
        if matches!(message, Message::Batch(_)) {
            let full = |state: &mut State| {
                !state.closed && state.channels[channel].rows >= CHANNEL_ROWS_MAX
            };
            if full(&mut state) {
                let since = Instant::now();
                state = self
                    .room
                    .wait_while(state, full)
                    .unwrap_or_else(PoisonError::into_inner);
                waited = since.elapsed();
            }
        }
        self.put(state, channel, message)?;
        Ok(waited)
    }

    /// Puts a message into a channel without waiting: its sender has been promised the room.
    pub(crate) fn force(&self, channel: usize, message: Message) -> Result<(), Halt> {
        self.put(self.lock(), channel, message)
    }

    fn put(
        &self,
        mut state: MutexGuard<'_, State>,
        channel: usize,
        message: Message,
    ) -> Result<(), Halt> {
        if state.closed {
            return Err(Halt::Stopped);
        }
        let channel = &mut state.channels[channel];
        if let Message::Batch(batch) = &message {
            channel.rows += batch.num_rows();
        }
        channel.messages.push_back(message);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Tells the task something.
    pub(crate) fn control(&self, control: Control) {
        self.lock().control.push_back(control);
        self.ready.notify_one();
    }

    /// What comes next; waits for it.
    pub(crate) fn receive(&self) -> Result<Received, Halt> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Halt::Stopped);
            }
            if let Some(control) = state.control.pop_front() {
                return Ok(Received::Control(control));
            }
            if let Some((channel, message)) = self.take(&mut state) {
                return Ok(Received::Message(channel, message));
            }
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From the channels in turn, so that none starves.
    fn take(&self, state: &mut State) -> Option<(usize, Message)> {
        let count = state.channels.len();
        let turn = (0..count).map(|offset| (state.next + offset) % count);
        let ready = |at: &usize| {
            let channel = &state.channels[*at];
            !channel.held && !channel.messages.is_empty()
        };
        let at = turn.into_iter().find(ready)?;
        state.next = at + 1;
        let channel = &mut state.channels[at];
        let message = channel.messages.pop_front()?;
        if let Message::Batch(batch) = &message {
            let was_full = channel.rows >= CHANNEL_ROWS_MAX;
            channel.rows -= batch.num_rows();
            if let Some(taken) = &channel.taken {
                taken(batch.num_rows());
            } else if was_full {
                self.room.notify_all();
            }
        }
        Some((at, message))
    }

    /// What the worker says, if it does within `wait`; for sources, which have no channel.
    pub(crate) fn poll(&self, wait: Duration) -> Result<Option<Control>, Halt> {
        let mut state = self.lock();
        if state.control.is_empty() && !state.closed && !wait.is_zero() {
            let quiet = |state: &mut State| state.control.is_empty() && !state.closed;
            let waited = self.ready.wait_timeout_while(state, wait, quiet);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match state.closed {
            true => Err(Halt::Stopped),
            false => Ok(state.control.pop_front()),
        }
    }

    /// Reads this channel no more, until all are released.
    pub(crate) fn hold(&self, channel: usize) {
        self.lock().channels[channel].held = true;
    }

    /// Reads all channels again.
    pub(crate) fn release(&self) {
        self.lock()
            .channels
            .iter_mut()
            .for_each(|channel| channel.held = false);
    }

    /// Calls `taken` with the rows of each batch that is taken from this channel.
    pub(crate) fn on_taken(&self, channel: usize, taken: impl Fn(usize) + Send + 'static) {
        self.lock().channels[channel].taken = Some(Box::new(taken));
    }

    /// Ends all waiting; whoever sends or receives is told to stop.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state
            .channels
            .iter_mut()
            .for_each(|channel| channel.messages.clear());
        drop(state);
        self.ready.notify_all();
        self.room.notify_all();
    }
}
