//! The side that gives.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::frame;
use super::{ChannelId, Hello};
use crate::failure::{Failure, Halt};
use crate::inbox::{CHANNEL_ROWS_MAX, Message};

const DIAL_ATTEMPTS: u32 = 10;

/// A connection to another worker.
pub(crate) struct Link {
    peer: SocketAddr,
    stream: Mutex<TcpStream>,
    raw: TcpStream,
    credits: Mutex<BTreeMap<ChannelId, Arc<Credit>>>,
}

/// How many rows a channel may still send.
#[derive(Default)]
struct Credit {
    state: Mutex<(i64, Ended)>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Ended {
    #[default]
    No,
    /// By this worker.
    Closed,
    /// By the other.
    Lost,
}

/// One channel of a link.
pub(crate) struct Sender {
    link: Arc<Link>,
    id: ChannelId,
    credit: Arc<Credit>,
}

impl Link {
    /// Connects and says who it is; tries for some seconds, as the other may still be starting.
    /// Each connection is given to `opened`, which may shut it down; `pause` waits, and says
    /// whether to go on.
    pub(crate) fn dial(
        peer: SocketAddr,
        hello: &Hello,
        opened: &dyn Fn(&TcpStream),
        pause: &dyn Fn(Duration) -> bool,
    ) -> io::Result<Arc<Link>> {
        let mut attempt = 0;
        let stream = loop {
            match connect(peer, hello, opened) {
                Ok(stream) => break stream,
                Err(error) if attempt + 1 == DIAL_ATTEMPTS => return Err(error),
                Err(_) => {
                    attempt += 1;
                    if !pause(Duration::from_millis(10u64 << attempt.min(6))) {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
            }
        };
        let (raw, mut reader) = (stream.try_clone()?, stream.try_clone()?);
        let link = Link {
            peer,
            stream: Mutex::new(stream),
            raw,
            credits: Mutex::default(),
        };
        let link = Arc::new(link);
        let weak = Arc::downgrade(&link);
        thread::Builder::new()
            .name(format!("promises of {peer}"))
            .spawn(move || {
                while let Ok((id, rows)) = frame::read_promise(&mut reader) {
                    let Some(link) = weak.upgrade() else { return };
                    link.credit(id).add(i64::from(rows));
                }
                if let Some(link) = weak.upgrade() {
                    link.end(Ended::Lost);
                }
            })?;
        Ok(link)
    }

    fn credit(&self, id: ChannelId) -> Arc<Credit> {
        let mut credits = self.credits.lock().unwrap_or_else(PoisonError::into_inner);
        credits
            .entry(id)
            .or_insert_with(|| {
                let credit = Credit::default();
                credit.add(CHANNEL_ROWS_MAX as i64);
                Arc::new(credit)
            })
            .clone()
    }

    /// The sending end of a channel.
    pub(crate) fn sender(self: &Arc<Link>, id: ChannelId) -> Sender {
        Sender {
            link: self.clone(),
            id,
            credit: self.credit(id),
        }
    }

    fn end(&self, why: Ended) {
        for credit in self
            .credits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            let mut state = credit.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.1 == Ended::No {
                state.1 = why;
            }
            drop(state);
            credit.changed.notify_all();
        }
    }

    /// Ends all sending at once.
    pub(crate) fn close(&self) {
        self.end(Ended::Closed);
        _ = self.raw.shutdown(Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // What was written still arrives; the promises' reader ends.
        _ = self.raw.shutdown(Shutdown::Write);
    }
}

fn connect(peer: SocketAddr, hello: &Hello, opened: &dyn Fn(&TcpStream)) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&peer, Duration::from_secs(1))?;
    opened(&stream);
    let greeted = greet(&stream, hello);
    if greeted.is_err() {
        _ = stream.shutdown(Shutdown::Both);
    }
    greeted.map(|()| stream)
}

fn greet(mut stream: &TcpStream, hello: &Hello) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let words = serde_json::to_vec(hello)?;
    stream.write_all(&(words.len() as u32).to_le_bytes())?;
    stream.write_all(&words)?;
    let mut answer = [0];
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.read_exact(&mut answer)?;
    stream.set_read_timeout(None)
}

impl Credit {
    fn add(&self, rows: i64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 += rows;
        self.changed.notify_all();
    }

    /// Waits until something may be sent, and takes `rows`; says whether the link has ended.
    fn take(&self, rows: i64) -> Ended {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let none = |state: &mut (i64, Ended)| state.0 <= 0 && state.1 == Ended::No;
        let mut state = self
            .changed
            .wait_while(state, none)
            .unwrap_or_else(PoisonError::into_inner);
        state.0 -= rows;
        state.1
    }
}

impl Sender {
    /// Sends; a batch waits until its receiver has room, for as long as is returned.
    pub(crate) fn send(&self, message: Message) -> Result<Duration, Halt> {
        let since = Instant::now();
        if let Message::Batch(batch) = &message {
            match self.credit.take(batch.num_rows() as i64) {
                Ended::No => {}
                Ended::Closed => return Err(Halt::Stopped),
                Ended::Lost => return Err(self.lost(&io::ErrorKind::ConnectionReset.into())),
            }
        }
        let waited = since.elapsed();
        let frame = frame::encode(self.id, &message)?;
        let mut stream = self
            .link
            .stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        stream
            .write_all(&frame)
            .map_err(|error| self.lost(&error))?;
        Ok(waited)
    }

    fn lost(&self, error: &io::Error) -> Halt {
        let state = self
            .credit
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match state.1 {
            Ended::Closed => Halt::Stopped,
            _ => Failure::io(format!("lost the connection to {}", self.link.peer), error).into(),
        }
    }
}
