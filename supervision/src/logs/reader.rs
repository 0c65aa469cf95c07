//! Reading a log while it is written and rotated.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::InstanceId;
use rustix::fs::FlockOperation;

use super::lines::{Line, Splitter};
use super::rotate::{HEADER_BYTES, Kept, open_kept};
use super::{Stream, path};

/// How much is read at once, in bytes.
const CHUNK_BYTES: u64 = 256 << 10;
/// How often a reader that follows looks for more.
const FOLLOW_PAUSE: Duration = Duration::from_millis(50);

/// Follows one stream of one instance, through rotations.
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
        let view = View::open(&reader.path)?;
        let oldest = view.kept.start.max(view.end().saturating_sub(bytes));
        reader.splitter = Splitter::starting_at(oldest);
        if oldest > 0 {
            // Most likely in the middle of a line.
            let start = view.read(oldest)?.1;
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
    View::open(path)?.read(position)
}

/// Both files of a log, at one moment: while it is held nothing is rotated.
struct View {
    kept_file: Option<File>,
    kept: Kept,
    /// With a shared lock on it.
    live: Option<File>,
    live_bytes: u64,
}

impl View {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let live = match File::options().read(true).custom_flags(flags).open(path) {
            Ok(live) => Some(live),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if let Some(live) = &live {
            rustix::fs::flock(live, FlockOperation::LockShared)?;
        }
        let live_bytes = live
            .as_ref()
            .map_or(Ok(0), |live| live.metadata().map(|m| m.len()))?;
        let (kept_file, kept) = open_kept(path)?.unzip();
        Ok(Self {
            kept_file,
            kept: kept.unwrap_or_default(),
            live,
            live_bytes,
        })
    }

    fn end(&self) -> u64 {
        self.kept.end + self.live_bytes
    }

    fn read(&self, wanted: u64) -> io::Result<(u64, Vec<u8>)> {
        let position = wanted.max(self.kept.start);
        if position > self.end() {
            // Its last bytes were lost in a rotation; go on with what came after.
            return Ok((self.end(), Vec::new()));
        }
        if position < self.kept.end {
            let length = (self.kept.end - position).min(CHUNK_BYTES);
            let offset = position - self.kept.start + HEADER_BYTES as u64;
            return Ok((position, read_at(self.kept_file.as_ref(), offset, length)?));
        }
        let offset = position - self.kept.end;
        let length = (self.live_bytes - offset).min(CHUNK_BYTES);
        Ok((position, read_at(self.live.as_ref(), offset, length)?))
    }
}

fn read_at(file: Option<&File>, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let read = file.read_at(&mut bytes, offset)?;
    bytes.truncate(read);
    Ok(bytes)
}
