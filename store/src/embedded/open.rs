//! From a directory to a running engine, or to an error that says what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::disk::{self, Disk};
use super::files::{self, Files};
use super::leases::Leases;
use super::load::{self, LoadError, Loaded};
use super::lock::DirectoryLock;
use super::wal::{self, Wal};

/// A data directory that was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the store in {directory} is in use by process {pid} ({command}); stop that one, or give \
         this one a directory of its own"
    )]
    Held {
        /// The data directory.
        directory: String,
        /// Who holds it.
        pid: String,
        /// What that process runs.
        command: String,
    },
    /// What is there is not what was written. Nothing of it was changed.
    #[error(
        "{file} is damaged: {what}; it is not served. Keep a copy of {directory}, move it away, \
         and restore the newest backup into its place (`orrery state restore`)"
    )]
    Damaged {
        /// The data directory.
        directory: String,
        /// The file.
        file: String,
        /// What is wrong, and where.
        what: String,
    },
    /// Another version of this program wrote it.
    #[error(
        "{file} has schema version {found}, this program knows {known}; start the program that \
         wrote it",
        known = disk::SCHEMA_VERSION
    )]
    Version {
        /// The file.
        file: String,
        /// The version in the file.
        found: i64,
    },
    /// A backup is to be restored to where a store is already.
    #[error("{file} exists; move it away before a backup is restored to its place")]
    Exists {
        /// The file.
        file: String,
    },
    /// The operating system refused something.
    #[error("failed to {doing} {path}; check that the disk is well, has space, and is writable")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or directory.
        path: String,
        /// What came of it.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.display().to_string(),
            source,
        }
    }

    pub(super) fn damaged(files: &Files, file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            directory: files.directory.display().to_string(),
            file: file.display().to_string(),
            what: what.into(),
        }
    }

    pub(super) fn load(files: &Files, file: &Path, error: LoadError) -> Self {
        match error {
            LoadError::Damaged(what) => Self::damaged(files, file, what),
            LoadError::Unreadable(what) => {
                Self::io("read the database", file, io::Error::other(what))
            }
            LoadError::Version(found) => Self::Version {
                file: file.display().to_string(),
                found,
            },
        }
    }
}

/// What [`open`] gives to the engine.
pub(super) struct Opened {
    pub(super) lock: DirectoryLock,
    pub(super) files: Files,
    pub(super) disk: Disk,
    pub(super) index: super::index::Index,
    pub(super) leases: Leases,
}

/// Locks the directory, makes a store there if there is none, and reads it.
pub(super) fn open(directory: &Path) -> Result<Opened, OpenError> {
    let (lock, files) = lock(directory)?;
    files::remove_database(&files.unfinished());
    if !files.database.exists() {
        create(&files)?;
    }
    let recovering = check_log(&files)?;
    let fail = |error| OpenError::load(&files, &files.database, error);
    let loaded = load::load(&files.database).map_err(fail)?;
    let leases = hold_leases(&loaded).map_err(fail)?;
    let mut disk = Disk::new(loaded.conn, loaded.state);
    if recovering {
        // What the log holds may be in the page cache only: an fsync that failed before the last
        // end leaves pages there that look durable. Folding the log writes all of it again.
        let head = loaded.index.head();
        disk.fold(head).map_err(|why| {
            let why = io::Error::other(why);
            OpenError::io("recover the log of", &files.database, why)
        })?;
    }
    Ok(Opened {
        lock,
        disk,
        index: loaded.index,
        leases,
        files,
    })
}

/// Makes the directory if need be, and takes it.
pub(super) fn lock(directory: &Path) -> Result<(DirectoryLock, Files), OpenError> {
    files::create_directory(directory)
        .map_err(|why| OpenError::io("create the directory", directory, why))?;
    let directory: PathBuf = std::path::absolute(directory)
        .map_err(|why| OpenError::io("find the directory", directory, why))?;
    Ok((DirectoryLock::take(&directory)?, Files::new(&directory)))
}

fn create(files: &Files) -> Result<(), OpenError> {
    if files.log.metadata().is_ok_and(|about| about.len() > 0) {
        let what = "it is missing, and its log (store.sqlite-wal) is there";
        return Err(OpenError::damaged(files, &files.database, what));
    }
    let unfinished = files.unfinished();
    let fail = |why| OpenError::io("create the database", &files.database, why);
    disk::create(&unfinished).map_err(|why| fail(io::Error::other(disk::describe(&why))))?;
    files::publish(&unfinished, &files.database).map_err(fail)
}

/// Whether there is a log to recover from.
fn check_log(files: &Files) -> Result<bool, OpenError> {
    match wal::inspect(&files.log) {
        Ok(Wal::Empty) => Ok(false),
        Ok(Wal::Frames) => Ok(true),
        Ok(Wal::Damaged(what)) => Err(OpenError::damaged(files, &files.log, what)),
        Err(why) => Err(OpenError::io("read", &files.log, why)),
    }
}

/// Every lease gets its full time to live: how long the store was away nobody knows.
fn hold_leases(loaded: &Loaded) -> Result<Leases, LoadError> {
    let mut leases = Leases::default();
    let now = Instant::now();
    for (id, ttl) in &loaded.leases {
        leases.insert(*id, *ttl, now);
    }
    for (key, id) in loaded.index.leased() {
        if !leases.attach(id, key.clone()) {
            let key = crate::limits::shown(key);
            return Err(LoadError::Damaged(format!(
                "key {key:?} is attached to lease {id}, which is not there"
            )));
        }
    }
    Ok(leases)
}
