//! The files of a data directory, and how they come to be so that a crash leaves all or nothing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Space kept back so that deletes and compaction still find some when the disk is full: as much
/// as SQLite's log can hold, which then fits into the main file, and leaves room in the log.
const RESERVE_BYTES: u64 = 8 * 1024 * 1024;
/// Writing resumes when this much is free beside the reserve.
const RESUME_BYTES: u64 = 4 * 1024 * 1024;

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    pub(super) database: PathBuf,
    pub(super) log: PathBuf,
    reserve: PathBuf,
}

impl Files {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            database: directory.join("store.sqlite"),
            log: directory.join("store.sqlite-wal"),
            reserve: directory.join("reserve"),
        }
    }

    /// A name for the database while it is being written.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.directory.join("store.sqlite.new")
    }

    /// Bytes on disk, those of the reserve left out.
    pub(super) fn bytes(&self) -> u64 {
        let size = |path: &Path| path.metadata().map_or(0, |about| about.len());
        size(&self.database) + size(&self.log)
    }

    /// Whether the reserve is there, or could be made now.
    pub(super) fn keep_reserve(&self) -> bool {
        let make = || -> io::Result<()> {
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.reserve)?;
            if file.metadata()?.len() < RESERVE_BYTES {
                fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES)?;
            }
            Ok(())
        };
        make().is_ok()
    }

    /// Gives the reserved space back to the file system.
    pub(super) fn release_reserve(&self) {
        if let Ok(file) = File::options().write(true).open(&self.reserve) {
            // Without it there is simply less space to go on with.
            let _ = file.set_len(0);
        }
    }

    /// Whether there is enough free space to take in new values again.
    pub(super) fn has_space_again(&self) -> bool {
        statvfs(&self.directory).is_ok_and(|about| {
            about.f_bavail.saturating_mul(about.f_frsize) >= RESERVE_BYTES + RESUME_BYTES
        })
    }
}

/// Creates `directory` and what is missing above it, each durable in the one above.
pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    create_directory(above)?;
    match std::fs::create_dir(directory) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    sync_directory(above)
}

/// Makes names in `directory` durable: a file's own fsync does not.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Gives a finished file its name: durable contents first, then the name, then the directory.
pub(super) fn publish(unfinished: &Path, name: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    std::fs::rename(unfinished, name)?;
    sync_directory(parent(name))
}

pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
}

/// Removes a SQLite file that nobody uses, with what SQLite keeps beside it.
pub(super) fn remove_database(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // What is not there need not be removed; what cannot be is found by the next step.
        let _ = std::fs::remove_file(name);
    }
}
