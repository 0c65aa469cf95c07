//! Rows between workers: one connection for each ordered pair, all channels of the pair on it.
//!
//! A channel may have only so many rows under way as its receiver has promised to keep
//! ([`CHANNEL_ROWS_MAX`]); what is taken there is promised anew. So whoever reads a connection
//! never waits for a task, and a channel that is held back by a barrier cannot keep another one's
//! barrier from coming.

mod frame;
mod receive;
mod send;

use serde::{Deserialize, Serialize};

use crate::inbox::CHANNEL_ROWS_MAX;

pub(crate) use receive::{Inlet, Inlets, Lost, serve};
pub(crate) use send::{Link, Sender};

/// One edge from one subtask to one subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId {
    pub(crate) edge: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// The first words on a connection. An older generation is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) job: String,
    pub(crate) generation: u64,
    pub(crate) token: String,
    pub(crate) worker: u32,
}

/// Rows are promised anew when so many have been taken.
const PROMISE_ROWS: usize = CHANNEL_ROWS_MAX / 4;
