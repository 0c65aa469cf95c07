//! The side that takes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::frame;
use super::{ChannelId, Hello, PROMISE_ROWS};
use crate::columns::SchemaRef;
use crate::inbox::{Barrier, Inbox, Message};

const HELLO_BYTES_MAX: u32 = 4096;

/// Where the frames of a channel go.
pub(crate) struct Inlet {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) channel: usize,
    pub(crate) schema: SchemaRef,
    pub(crate) from_worker: u32,
}

/// All channels that come from other workers.
pub(crate) type Inlets = BTreeMap<ChannelId, Inlet>;

/// What ends a connection before all its channels have ended.
pub(crate) struct Lost {
    pub(crate) error: io::Error,
    /// One of the channels that wait for more.
    pub(crate) waiting: Option<ChannelId>,
}

/// Reads the first words.
pub(super) fn hello(stream: &mut TcpStream) -> io::Result<Hello> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > HELLO_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the first words are too long",
        ));
    }
    let mut words = vec![0; length as usize];
    stream.read_exact(&mut words)?;
    stream.set_read_timeout(None)?;
    serde_json::from_slice(&words).map_err(io::Error::from)
}

/// Serves one connection until it ends. `find` waits for the run that the first words name, and
/// gives its channels, or nothing when it is unknown, of another generation, or the token is wrong.
pub(crate) fn serve<R: std::ops::Deref<Target: AsRef<Inlets>>>(
    mut stream: TcpStream,
    find: impl FnOnce(&Hello, &TcpStream) -> Option<R>,
) -> Result<(), (Option<R>, Lost)> {
    let early = |error| {
        (
            None,
            Lost {
                error,
                waiting: None,
            },
        )
    };
    let hello = hello(&mut stream).map_err(early)?;
    let Some(run) = find(&hello, &stream) else {
        return Ok(());
    };
    match frames(stream, (*run).as_ref(), hello.worker) {
        Ok(()) => Ok(()),
        Err(lost) => Err((Some(run), lost)),
    }
}

fn frames(mut stream: TcpStream, inlets: &Inlets, worker: u32) -> Result<(), Lost> {
    let own = inlets
        .iter()
        .filter(|(_, inlet)| inlet.from_worker == worker);
    let mut waiting: BTreeSet<ChannelId> = own.map(|(id, _)| *id).collect();
    let run = || -> io::Result<()> {
        stream.set_nodelay(true)?;
        let promises = Arc::new(Mutex::new(stream.try_clone()?));
        for id in &waiting {
            promise(&inlets[id], *id, promises.clone());
        }
        stream.write_all(&[1])?;
        let mut reader = BufReader::with_capacity(128 * 1024, stream);
        while !waiting.is_empty() {
            let frame = frame::read(&mut reader)?;
            let inlet = inlets
                .get(&frame.id)
                .filter(|_| waiting.contains(&frame.id));
            let inlet = inlet.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a frame of no channel of its worker",
                )
            })?;
            let message = frame.message(&inlet.schema)?;
            let last = matches!(
                message,
                Message::End
                    | Message::Stop
                    | Message::Barrier(Barrier {
                        then_stop: true,
                        ..
                    })
            );
            if last {
                waiting.remove(&frame.id);
            }
            // A task that has ended takes nothing; its worker knows why.
            _ = inlet.inbox.force(inlet.channel, message);
        }
        // The promises of rows that still wait must find the connection open.
        _ = io::copy(&mut reader, &mut io::sink());
        Ok(())
    };
    run().map_err(|error| Lost {
        error,
        waiting: waiting.first().copied(),
    })
}

/// Tells the sender of room, whenever enough rows were taken.
fn promise(inlet: &Inlet, id: ChannelId, stream: Arc<Mutex<TcpStream>>) {
    let taken = AtomicUsize::new(0);
    inlet.inbox.on_taken(inlet.channel, move |rows| {
        let sum = taken.fetch_add(rows, Relaxed) + rows;
        if sum >= PROMISE_ROWS {
            taken.fetch_sub(sum, Relaxed);
            let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
            _ = frame::write_promise(&mut *stream, id, sum as u32);
        }
    });
}
