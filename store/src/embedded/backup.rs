//! Copies of the whole store, and the way back.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::disk::{self, Disk, WriteError};
use super::files::{self, Files};
use super::load;
use super::open::{self, OpenError};
use crate::{BackupError, Revision};

/// How far a restored store jumps ahead. The lost one may have given revisions after the backup
/// was made; nobody who saw one of those may meet another write under the same number.
const RESTORE_GAP: u64 = 1_000_000_000;

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Copies `database` to the new file `path`; answers the copy's revision.
pub(super) fn backup(database: &Path, path: &Path) -> Result<Revision, BackupError> {
    let shown = || path.display().to_string();
    if path.exists() {
        return Err(BackupError::Exists { path: shown() });
    }
    let partial = unfinished(path);
    files::remove_database(&partial);
    let copied = copy(database, &partial).and_then(|revision| {
        // Without a second name on one file there is no way to lose somebody else's.
        let publish = std::fs::File::open(&partial)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::hard_link(&partial, path))
            .and_then(|()| files::sync_directory(files::parent(path)));
        publish.map(|()| revision).map_err(|why| why.to_string())
    });
    files::remove_database(&partial);
    copied.map_err(|why| BackupError::Write { path: shown(), why })
}

/// A consistent copy while the writer goes on, then read back in full.
fn copy(database: &Path, to: &Path) -> Result<Revision, String> {
    let text = |why: rusqlite::Error| disk::describe(&why);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(database, flags).map_err(text)?;
    let name = to.to_str().ok_or("its path is not valid UTF-8")?;
    conn.execute("VACUUM INTO ?1", params![name])
        .map_err(text)?;
    drop(conn);
    let loaded = load::load(to).map_err(|error| match error {
        load::LoadError::Damaged(what) | load::LoadError::Unreadable(what) => {
            format!("the copy does not check out: {what}")
        }
        load::LoadError::Version(found) => format!("the copy has schema version {found}"),
    })?;
    let head = loaded.index.head();
    // From here on a lost row shows in the copy as it does in a store.
    let mut copy = Disk::new(loaded.conn, loaded.state);
    copy.fold(head).map_err(|why| why.to_string())?;
    Ok(head)
}

/// What a whole and undamaged file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The newest revision.
    pub revision: Revision,
    /// How many keys there are.
    pub keys: u64,
    /// Its size.
    pub bytes: u64,
}

/// Copies the store in `directory`, whoever has it open.
pub(super) fn backup_from(directory: &Path, path: &Path) -> Result<Revision, BackupError> {
    backup(&Files::new(directory).database, path)
}

/// Reads all of a backup, as a restore would.
pub(super) fn check(file: &Path) -> Result<Checked, OpenError> {
    let bytes = file.metadata();
    let bytes = bytes.map_err(|why| OpenError::io("read the backup", file, why))?;
    let files = Files::new(files::parent(file));
    let loaded = load::load(file).map_err(|error| OpenError::load(&files, file, error))?;
    Ok(Checked {
        revision: loaded.index.head(),
        keys: loaded.index.live(),
        bytes: bytes.len(),
    })
}

/// Makes a store in `directory` from a backup; answers the revision it goes on from.
pub(super) fn restore(backup: &Path, directory: &Path) -> Result<Revision, OpenError> {
    let (_lock, files) = open::lock(directory)?;
    if files.database.exists() || files.log.exists() {
        return Err(OpenError::Exists {
            file: files.database.display().to_string(),
        });
    }
    let unfinished = files.unfinished();
    files::remove_database(&unfinished);
    let revision = fill(&files, backup, &unfinished)?;
    files::publish(&unfinished, &files.database)
        .map_err(|why| OpenError::io("create the database", &files.database, why))?;
    files::remove_database(&unfinished);
    Ok(revision)
}

fn fill(files: &Files, backup: &Path, unfinished: &Path) -> Result<Revision, OpenError> {
    std::fs::copy(backup, unfinished)
        .map_err(|why| OpenError::io("copy the backup", backup, why))?;
    let loaded = load::load(unfinished).map_err(|error| OpenError::load(files, backup, error))?;
    let (index, head) = (&loaded.index, loaded.index.head());
    let mut disk = Disk::new(loaded.conn, loaded.state);
    let jump = |disk: &mut Disk| {
        disk.begin()?;
        disk.compact(head, &index.compaction(head))?;
        let jumped = disk.skip_revisions(RESTORE_GAP);
        disk.write_state(jumped)?;
        disk.commit()?;
        disk.checkpoint(true)?;
        Ok(jumped)
    };
    jump(&mut disk).map_err(|why| {
        let why = match why {
            WriteError::NoSpace => io::Error::from(io::ErrorKind::StorageFull),
            WriteError::Broken(why) => io::Error::other(why),
        };
        OpenError::io("write the restored", unfinished, why)
    })
}
