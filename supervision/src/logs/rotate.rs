//! One rotation: keep the tail, truncate.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::{before, with_suffix};

/// The first line of a `.1`: the position of the byte after it.
pub(super) const HEADER_BYTES: usize = 39;

fn header(start: u64) -> String {
    format!("--- from byte {start:020} ---\n")
}

/// What `.1` holds: the bytes from `start` up to `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) start: u64,
    /// Also the position of the first byte of the live file.
    pub(super) end: u64,
}

/// Opens what was kept; `None` when nothing was.
pub(super) fn open_kept(path: &Path) -> io::Result<Option<(File, Kept)>> {
    let file = match open(&before(path)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut first = [0; HEADER_BYTES];
    let start = file.read_exact_at(&mut first, 0).ok().and_then(|()| {
        let text = std::str::from_utf8(&first).ok()?;
        text.strip_prefix("--- from byte ")?.get(..20)?.parse().ok()
    });
    let Some(start) = start else {
        return Err(io::Error::other(format!(
            "{} has no header",
            before(path).display()
        )));
    };
    let length = file.metadata()?.len() - HEADER_BYTES as u64;
    Ok(Some((
        file,
        Kept {
            start,
            end: start + length,
        },
    )))
}

fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    File::options().read(true).custom_flags(flags).open(path)
}

/// Rotates a log that has more than `half` bytes. When the tail cannot be kept (the disk is full)
/// the log is truncated all the same, because it must not grow on.
pub(super) fn rotate_if_large(path: &Path, half: u64) -> io::Result<bool> {
    let live = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.len() > half && metadata.is_file() => {
            let flags = libc::O_NOFOLLOW;
            File::options()
                .read(true)
                .write(true)
                .custom_flags(flags)
                .open(path)?
        }
        Ok(_) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    // Readers see one moment: nobody reads between truncation and rename.
    let _ = lock_out_readers(&live);
    let unfinished = with_suffix(path, UNFINISHED);
    let kept = keep_tail(path, &unfinished, &live, half);
    // Nothing may come between the end of the copy and this: what is written then is lost.
    live.set_len(0)?;
    kept.and_then(|()| fs::rename(&unfinished, before(path)))
        .map(|()| true)
}

/// The end of the name of a copy that is being made.
const UNFINISHED: &str = ".tmp";

/// Finishes what a supervisor that died in a rotation began: after the truncation the copy is whole
/// and only its name is missing; before it, the copy is of no use.
pub(super) fn recover(path: &Path, half: u64) -> io::Result<()> {
    let unfinished = with_suffix(path, UNFINISHED);
    if !unfinished.try_exists()? {
        return Ok(());
    }
    let truncated = fs::symlink_metadata(path).is_ok_and(|live| live.len() <= half);
    if truncated {
        return fs::rename(unfinished, before(path));
    }
    fs::remove_file(unfinished)
}

/// Copies the tail and what is written meanwhile, until nothing is; of a program that writes faster
/// than that for [`COPY_MAX`], some is lost.
fn keep_tail(path: &Path, unfinished: &Path, live: &File, half: u64) -> io::Result<()> {
    let base = open_kept(path)
        .ok()
        .flatten()
        .map_or(0, |(_, kept)| kept.end);
    let flags = libc::O_NOFOLLOW;
    let mut copy = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .custom_flags(flags)
        .open(unfinished)?;
    let deadline = Instant::now() + COPY_MAX;
    let copied = loop {
        let length = live.metadata()?.len();
        let start = length.saturating_sub(half / 4 * 3);
        match copy_from(live, &mut copy, base, start, half) {
            Ok(Copied::Everything) => break Ok(()),
            Ok(Copied::Half) if Instant::now() > deadline && live.metadata()?.len() > length => {
                break Ok(());
            }
            // It has more than may be kept: again, from further on.
            Ok(Copied::Half) => {}
            Err(e) => break Err(e),
        }
    };
    if copied.is_err() {
        let _ = fs::remove_file(unfinished);
    }
    copied
}

/// How long a copy may run after a program that floods, with readers locked out.
const COPY_MAX: Duration = Duration::from_millis(30);

enum Copied {
    Everything,
    /// As much as may be kept; there is more.
    Half,
}

fn copy_from(live: &File, copy: &mut File, base: u64, start: u64, half: u64) -> io::Result<Copied> {
    copy.set_len(0)?;
    copy.rewind()?;
    copy.write_all(header(base + start).as_bytes())?;
    let mut position = start;
    let mut chunk = vec![0; 128 << 10];
    while position < start + half {
        let room = usize::try_from(start + half - position).unwrap_or(usize::MAX);
        let room = room.min(chunk.len());
        let read = live.read_at(&mut chunk[..room], position)?;
        if read == 0 {
            return Ok(Copied::Everything);
        }
        copy.write_all(&chunk[..read])?;
        position += read as u64;
    }
    Ok(Copied::Half)
}

/// A reader that is stuck does not stop us: a wrong line is better than a full disk.
fn lock_out_readers(live: &File) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_millis(50);
    loop {
        match rustix::fs::flock(live, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_micros(200));
            }
            other => return other.map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_keeps_the_tail_and_positions_go_on() {
        assert_eq!(header(u64::MAX).len(), HEADER_BYTES);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.0.1.out");
        fs::write(&path, vec![b'a'; 1000]).unwrap();
        assert!(!rotate_if_large(&path, 1000).unwrap());
        assert!(rotate_if_large(&path, 400).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let kept = open_kept(&path).unwrap().unwrap().1;
        assert_eq!(
            kept,
            Kept {
                start: 700,
                end: 1000
            }
        );
        fs::write(&path, vec![b'b'; 500]).unwrap();
        assert!(rotate_if_large(&path, 400).unwrap());
        let kept = open_kept(&path).unwrap().unwrap().1;
        assert_eq!(
            kept,
            Kept {
                start: 1200,
                end: 1500
            }
        );
    }

    #[test]
    fn a_log_whose_tail_cannot_be_kept_is_truncated_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.0.1.out");
        fs::write(&path, vec![b'a'; 1000]).unwrap();
        fs::create_dir(with_suffix(&path, ".tmp")).unwrap();
        assert!(rotate_if_large(&path, 400).is_err());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn a_rotation_that_was_cut_short_is_finished_or_undone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.0.1.out");
        let unfinished = with_suffix(&path, UNFINISHED);
        fs::write(&path, vec![b'a'; 1000]).unwrap();
        fs::write(&unfinished, header(700)).unwrap();
        recover(&path, 400).unwrap();
        assert!(!unfinished.exists() && open_kept(&path).unwrap().is_none());
        fs::write(&path, b"").unwrap();
        fs::write(&unfinished, header(700) + "abc").unwrap();
        recover(&path, 400).unwrap();
        let kept = open_kept(&path).unwrap().unwrap().1;
        assert_eq!(
            kept,
            Kept {
                start: 700,
                end: 703
            }
        );
        recover(&path, 400).unwrap();
    }
}
