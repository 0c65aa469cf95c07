//! Reading a log while it is written and trimmed.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lines::{Line, Splitter};
use super::trim::{first_data, start_of};
use super::{Stream, path};
use model::InstanceId;

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 256 << 10;
/// How often a reader that follows looks for more.
const FOLLOW_PAUSE: Duration = Duration::from_millis(50);

/// Follows one stream of one instance, while its front is given back.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    splitter: Splitter,
    gap_bytes: u64,
}

impl Reader {
    /// Reads from a position on (0 is the first byte ever written); what is gone by now is passed
    /// over and counted by [`Reader::gap_bytes`].
    #[must_use]
    pub fn at(log_dir: &Path, id: &InstanceId, stream: Stream, position: u64) -> Self {
        Self {
            path: path(log_dir, id, stream),
            splitter: Splitter::starting_at(position),
            gap_bytes: 0,
        }
    }

    /// Reads from the first whole line of the last `bytes` on.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn before_end(
        log_dir: &Path,
        id: &InstanceId,
        stream: Stream,
        bytes: u64,
    ) -> io::Result<Self> {
        let mut reader = Self::at(log_dir, id, stream, 0);
        let Some(log) = open(&reader.path)? else {
            return Ok(reader);
        };
        let oldest = start_of(&log)?.max(log.metadata()?.len().saturating_sub(bytes));
        reader.splitter = Splitter::starting_at(oldest);
        if oldest > 0 {
            // Most likely in the middle of a line.
            let (oldest, start) = read_from(&log, oldest)?;
            if let Some(newline) = start.iter().position(|&b| b == b'\n') {
                reader.splitter = Splitter::starting_at(oldest + newline as u64 + 1);
            }
        }
        Ok(reader)
    }

    /// The position after the last byte read; a later [`Reader::at`] can go on from a [`Line`]'s.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.splitter.position()
    }

    /// How many bytes were gone before they could be read.
    #[must_use]
    pub fn gap_bytes(&self) -> u64 {
        self.gap_bytes
    }

    /// The finished lines there are now, up to 256 KiB of them; none when there is nothing new.
    ///
    /// # Errors
    /// The log cannot be read; one that was never written is empty.
    pub fn read(&mut self) -> io::Result<Vec<Line>> {
        let chunk = read_chunk(&self.path, self.position())?;
        Ok(self.take(chunk))
    }

    /// Waits for lines. Cancel safe: what was not returned is returned by the next call.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn next_lines(&mut self) -> io::Result<Vec<Line>> {
        loop {
            let (path, position) = (self.path.clone(), self.position());
            let read = tokio::task::spawn_blocking(move || read_chunk(&path, position));
            let chunk = read.await.map_err(io::Error::other)??;
            let is_end = chunk.1.is_empty();
            let lines = self.take(chunk);
            if !lines.is_empty() {
                return Ok(lines);
            }
            if is_end {
                tokio::time::sleep(FOLLOW_PAUSE).await;
            }
        }
    }

    /// What was written without a newline so far; for when nothing more will come.
    pub fn rest(&mut self) -> Option<Line> {
        self.splitter.rest()
    }

    fn take(&mut self, (position, bytes): (u64, Vec<u8>)) -> Vec<Line> {
        let mut lines = Vec::new();
        let expected = self.position();
        if position != expected {
            self.gap_bytes += position.saturating_sub(expected);
            lines.extend(self.splitter.jump(position));
        }
        self.splitter.push(&bytes, &mut lines);
        lines
    }
}

/// The position of what was read (a later one when the wanted one is gone), and the bytes.
fn read_chunk(path: &Path, position: u64) -> io::Result<(u64, Vec<u8>)> {
    match open(path)? {
        Some(log) => read_from(&log, position),
        None => Ok((position, Vec::new())),
    }
}

/// `None` for a log that was never written.
fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    match File::options().read(true).custom_flags(flags).open(path) {
        Ok(log) => Ok(Some(log)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn read_from(log: &File, wanted: u64) -> io::Result<(u64, Vec<u8>)> {
    let mut position = wanted;
    if position > log.metadata()?.len() {
        // It began anew.
        position = 0;
    }
    let mut bytes = vec![0; CHUNK_BYTES];
    loop {
        position = first_data(log, position)?;
        let read = log.read_at(&mut bytes, position)?;
        // Holes grow from the front: when the first byte is still there, so were all of them.
        if first_data(log, position)? == position {
            bytes.truncate(read);
            return Ok((position, bytes));
        }
    }
}
