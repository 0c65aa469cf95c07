//! Logs that need nobody to stay alive, and take a bounded part of the disk.
//!
//! A program writes its standard output and error to two files itself (`O_APPEND`), so a supervisor
//! that dies breaks no pipe and blocks nobody. While a supervisor lives it *trims*: when a file
//! takes more of the disk than the stream may, the blocks at its front are given back (a hole is
//! punched), so that half is left. The file keeps its length, nothing is copied, no new byte is
//! touched, and a program that writes is never made to wait.
//!
//! **Positions** are offsets in the file: byte 0 is the first one the instance ever wrote to that
//! stream, and [`Reader`] tells how much of the front is gone. `ls` shows the length, `du` what is
//! there.
//!
//! **The bounds.** Trimming is triggered by inotify, at most every [`TRIM_PAUSE`], so a flood adds
//! what it writes in that time (some megabytes at 1 GB/s). While no supervisor lives nothing is
//! trimmed; the next one catches up when it starts. On a file system without holes a log begins
//! anew instead; ext4, XFS, Btrfs, tmpfs and ZFS have them.

mod keeper;
mod lines;
mod reader;
mod trim;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{InstanceId, Slot};

pub use keeper::Keeper;
pub use lines::{LINE_BYTES_MAX, Line};
pub use reader::Reader;

/// How soon after a write the next check of the logs may follow the last one.
pub const TRIM_PAUSE: Duration = Duration::from_millis(5);

/// One of an instance's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    fn suffix(self) -> &'static str {
        match self {
            Self::Stdout => "out",
            Self::Stderr => "err",
        }
    }
}

/// The file a stream is being written to.
#[must_use]
pub fn path(log_dir: &Path, id: &InstanceId, stream: Stream) -> PathBuf {
    log_dir.join(format!("{id}.{}", stream.suffix()))
}

/// Opens a log for a child to append to. Never follows a link, never waits for a FIFO's reader.
pub(crate) fn open_for_child(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
    Ok(file)
}

/// The last lines of one stream, oldest first, at most `lines_max`; the unfinished last one too.
///
/// # Errors
/// The log cannot be read; one that was never written is empty.
pub fn tail(
    log_dir: &Path,
    id: &InstanceId,
    stream: Stream,
    lines_max: usize,
) -> io::Result<Vec<Line>> {
    let mut reader = Reader::before_end(log_dir, id, stream, TAIL_BYTES_MAX)?;
    let mut lines = Vec::new();
    loop {
        let before = reader.position();
        lines.extend(reader.read()?);
        if reader.position() == before {
            break;
        }
    }
    lines.extend(reader.rest());
    Ok(lines.split_off(lines.len().saturating_sub(lines_max)))
}

/// How far back [`tail`] looks, in bytes.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// The last lines for a failure report: of standard error, filled up in front with those of
/// standard output when there are fewer.
#[must_use]
pub fn last_lines(log_dir: &Path, id: &InstanceId, lines_max: usize) -> Vec<String> {
    let tail = |stream, lines_max| {
        let lines = tail(log_dir, id, stream, lines_max).unwrap_or_default();
        lines.iter().map(Line::text).collect::<Vec<_>>()
    };
    let errors = tail(Stream::Stderr, lines_max);
    let mut lines = tail(Stream::Stdout, lines_max - errors.len());
    lines.extend(errors);
    lines
}

/// Deletes the logs of all but the newest `keep` generations of a slot. Reads the directory.
///
/// # Errors
/// The directory cannot be read, or a file not deleted.
pub fn prune(log_dir: &Path, slot: &Slot, keep: usize) -> io::Result<()> {
    let mut of_slot = Vec::new();
    for entry in fs::read_dir(log_dir)? {
        let name = entry?.file_name();
        if let Some(id) = name
            .to_str()
            .and_then(owner_of)
            .filter(|id| id.slot == *slot)
        {
            of_slot.push((id.generation, name));
        }
    }
    let mut generations: Vec<_> = of_slot.iter().map(|(generation, _)| *generation).collect();
    generations.sort_unstable();
    generations.dedup();
    let Some(oldest_kept) = generations.iter().rev().take(keep).next_back() else {
        return Ok(());
    };
    for (generation, name) in &of_slot {
        if generation < oldest_kept {
            fs::remove_file(log_dir.join(name))?;
        }
    }
    Ok(())
}

/// The instance a log file's name belongs to.
fn owner_of(name: &str) -> Option<InstanceId> {
    let (id, suffix) = name.rsplit_once('.')?;
    matches!(suffix, "out" | "err").then(|| id.parse().ok())?
}

/// Whether a file of this name is being written by an instance.
fn is_live(name: &str) -> bool {
    name.ends_with(".out") || name.ends_with(".err")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstanceId {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_newest_generations_of_a_slot_are_kept_and_other_slots_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for generation in 1..=11 {
            for suffix in ["out", "err"] {
                fs::write(dir.path().join(format!("a.0.{generation}.{suffix}")), "x").unwrap();
            }
        }
        fs::write(dir.path().join("a.1.1.out"), "x").unwrap();
        prune(dir.path(), &id("a.0.1").slot, 2).unwrap();
        let mut left: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let kept = ["a.0.10.err", "a.0.10.out", "a.0.11.err", "a.0.11.out"];
        assert_eq!(left, [&kept[..], &["a.1.1.out"]].concat());
    }

    #[test]
    fn a_link_or_a_fifo_in_the_place_of_a_log_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link.out");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(open_for_child(&link).is_err());
        let fifo = dir.path().join("fifo.out");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(open_for_child(&fifo).is_err());
    }

    #[test]
    fn a_failure_shows_errors_first_and_fills_up_with_output() {
        let dir = tempfile::tempdir().unwrap();
        let id = id("a.0.1");
        fs::write(path(dir.path(), &id, Stream::Stdout), "one\ntwo\nthree\n").unwrap();
        fs::write(path(dir.path(), &id, Stream::Stderr), "panic!\nno newline").unwrap();
        assert_eq!(
            last_lines(dir.path(), &id, 3),
            ["three", "panic!", "no newline"]
        );
        assert_eq!(last_lines(dir.path(), &id, 1), ["no newline"]);
        assert_eq!(
            last_lines(dir.path(), &super::tests::id("b.0.1"), 3),
            Vec::<String>::new()
        );
    }
}
