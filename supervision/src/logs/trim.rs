//! One trim: what is old is given back to the disk, and nothing that is new is touched.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;

/// Holes begin and end at multiples of this: a part of a block would be zeroed, not given back.
const BLOCK_BYTES: u64 = 64 << 10;

/// Past this length, in bytes, a log begins anew: ext4 ends a file at 16 TiB.
const LENGTH_MAX: u64 = 8 << 40;

/// The position of the first byte that is still there; the end when none is.
pub(super) fn start_of(log: &File) -> io::Result<u64> {
    first_data(log, 0)
}

/// The position of the first byte from `position` on that is still there, or the end.
pub(super) fn first_data(log: &File, position: u64) -> io::Result<u64> {
    match rustix::fs::seek(log, SeekFrom::Data(position)) {
        Ok(start) => Ok(start),
        // No data from there on.
        Err(Errno::NXIO) => Ok(log.metadata()?.len().max(position)),
        // A file system without holes has made none.
        Err(Errno::INVAL) => Ok(position),
        Err(e) => Err(e.into()),
    }
}

/// Gives back the front of a log that takes more than `bytes_max`, so that half of that is left.
pub(super) fn trim_if_large(path: &Path, bytes_max: u64) -> io::Result<bool> {
    let large = |log: &fs::Metadata| log.is_file() && log.blocks() * 512 > bytes_max;
    match fs::symlink_metadata(path) {
        Ok(metadata) if large(&metadata) => {}
        Ok(_) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    }
    let log = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let length = log.metadata()?.len();
    let end = length.saturating_sub(bytes_max / 2) / BLOCK_BYTES * BLOCK_BYTES;
    if length > LENGTH_MAX {
        log.set_len(0)?;
        return Ok(true);
    }
    // What the file system has allocated ahead may make a small log look large.
    let start = start_of(&log)?;
    if start >= end {
        return Ok(false);
    }
    punch(&log, end)?;
    Ok(true)
}

fn punch(log: &File, end: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(log, flags, 0, end) {
        // A file system without holes: a log that begins anew is better than a full disk.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => log.set_len(0),
        other => other.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_trim_keeps_the_tail_where_it_was_and_gives_the_front_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.0.1.out");
        let mut log = File::options()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        log.write_all(&vec![b'a'; 1 << 20]).unwrap();
        assert!(!trim_if_large(&path, 2 << 20).unwrap());
        assert!(trim_if_large(&path, 512 << 10).unwrap());
        log.write_all(b"bc").unwrap();
        let reader = File::open(&path).unwrap();
        let start = start_of(&reader).unwrap();
        assert_eq!(start, (1 << 20) - (256 << 10));
        assert_eq!(first_data(&reader, start + 5).unwrap(), start + 5);
        let mut bytes = vec![0; (256 << 10) + 2];
        reader.read_exact_at(&mut bytes, start).unwrap();
        assert!(bytes.ends_with(b"aabc") && bytes[0] == b'a');
        assert!(reader.metadata().unwrap().blocks() * 512 <= 512 << 10);
        assert!(!trim_if_large(&path, 512 << 10).unwrap());
    }

    #[test]
    fn what_is_no_log_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, vec![b'a'; 1 << 20]).unwrap();
        let link = dir.path().join("a.0.1.out");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(!trim_if_large(&link, 1).unwrap());
        assert!(!trim_if_large(&dir.path().join("b.0.1.out"), 1).unwrap());
        assert_eq!(fs::read(&target).unwrap(), vec![b'a'; 1 << 20]);
    }
}
