//! The tables, and every statement that writes them. Nothing here decides anything.
//!
//! `log` holds one row for each revision after the compacted one, `base` each live key as it was
//! at the compacted revision, `lease` the leases, and `state` one row about the whole.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, params};

use super::index::{Rebase, Version};
use super::record::{self, State};
use crate::{Change, LeaseId, Revision};

/// "Orry", so that `file` and we know our own.
pub(super) const APPLICATION_ID: i64 = 0x4f72_7279;
/// Raised when the tables change.
pub(super) const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE log (revision INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
    CREATE TABLE base (
        key BLOB PRIMARY KEY, modified INTEGER NOT NULL, created INTEGER NOT NULL,
        version INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB NOT NULL,
        crc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE lease (
        id INTEGER PRIMARY KEY, ttl_ms INTEGER NOT NULL, crc INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), record BLOB NOT NULL) STRICT;
";

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The disk is full, and nothing was written.
    #[error("no space left on the disk")]
    NoSpace,
    /// Anything else: what is on disk is no longer certain.
    #[error("{0}")]
    Broken(String),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // A failed write. A failed fsync is another code, also when it says "no space".
            Some(ErrorCode::DiskFull) => Self::NoSpace,
            _ => Self::Broken(describe(&error)),
        }
    }
}

/// SQLite's words with its extended code, which tells an fsync from a write.
pub(super) fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(code) => format!("{error} (SQLite code {})", code.extended_code),
        None => error.to_string(),
    }
}

/// SQLite's integers are signed; ours stay far below that bound.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("revisions and leases stay below 2^63")
}

/// Opens an existing database file as this engine needs it.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // After a failed fsync, closing must not write anything more.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // FULL: each commit waits for its fsync. Checkpoints happen when `Disk::checkpoint` says so.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON;",
    )?;
    Ok(conn)
}

/// Writes an empty store's file. It is durable only after the caller's fsync.
pub(super) fn create(path: &Path) -> rusqlite::Result<()> {
    let conn = Connection::open(path)?;
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
    let state = State {
        next_lease: 1,
        ..State::default()
    };
    conn.execute_batch(&format!(
        "BEGIN IMMEDIATE; {SCHEMA}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    ))?;
    conn.execute("INSERT INTO state VALUES (1, ?1)", params![state.encode()])?;
    conn.execute_batch("COMMIT")?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    assert_eq!(
        mode, "wal",
        "SQLite keeps a log on every file system with shared memory"
    );
    conn.close().map_err(|(_, error)| error)
}

/// The writer's end of the database.
pub(super) struct Disk {
    conn: Connection,
    state: State,
    /// As it was before the transaction that is going on.
    saved: State,
    begun: bool,
    /// An upper estimate of what the log holds since it was last folded into the main file.
    log_bytes: usize,
    buffer: Vec<u8>,
}

/// What a transaction costs in the log beside its records: the pages it touches only once.
const PAGE_BYTES: usize = 4096 + 24;

impl Disk {
    pub(super) fn new(conn: Connection, state: State) -> Self {
        Self {
            conn,
            state,
            saved: state,
            begun: false,
            log_bytes: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    pub(super) fn begin(&mut self) -> Result<(), WriteError> {
        self.saved = self.state;
        self.begun = true;
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Durable when it returns.
    pub(super) fn commit(&mut self) -> Result<(), WriteError> {
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        self.begun = false;
        self.log_bytes += 2 * PAGE_BYTES;
        Ok(())
    }

    /// Takes back what was done since [`Disk::begin`], unless it was committed.
    pub(super) fn rollback(&mut self) -> Result<(), WriteError> {
        // A full disk ends some transactions by itself; a finished one stays.
        if self.begun {
            self.begun = false;
            self.state = self.saved;
        }
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    pub(super) fn write_change(&mut self, change: &Change) -> Result<(), WriteError> {
        record::encode(change, &mut self.buffer);
        self.conn
            .prepare_cached("INSERT INTO log (revision, record) VALUES (?1, ?2)")?
            .execute(params![signed(change.revision.0), self.buffer])?;
        self.log_bytes += self.buffer.len() + 32;
        Ok(())
    }

    /// Takes the next lease id, and writes the lease.
    pub(super) fn write_lease(&mut self, ttl_ms: u64) -> Result<LeaseId, WriteError> {
        let id = LeaseId(self.state.next_lease);
        let crc = record::lease_crc(id, ttl_ms);
        self.conn
            .prepare_cached("INSERT INTO lease (id, ttl_ms, crc) VALUES (?1, ?2, ?3)")?
            .execute(params![signed(id.0), signed(ttl_ms), crc])?;
        self.state.leases.add(crc);
        self.state.next_lease += 1;
        Ok(id)
    }

    pub(super) fn delete_lease(&mut self, id: LeaseId, ttl_ms: u64) -> Result<(), WriteError> {
        self.conn
            .prepare_cached("DELETE FROM lease WHERE id = ?1")?
            .execute(params![signed(id.0)])?;
        self.state.leases.remove(record::lease_crc(id, ttl_ms));
        Ok(())
    }

    /// Moves the base rows to `to`, and drops the changes up to it.
    pub(super) fn compact(&mut self, to: Revision, rows: &[Rebase]) -> Result<(), WriteError> {
        for row in rows {
            if let Some(old) = row.old {
                self.state.base.remove(record::base_crc(row.key, old));
            }
            match row.new {
                Some(new) => self.write_base(row.key, new)?,
                None => self.delete_base(row.key)?,
            }
        }
        self.conn
            .prepare_cached("DELETE FROM log WHERE revision <= ?1")?
            .execute(params![signed(to.0)])?;
        self.state.compacted = to;
        self.log_bytes += rows.len() * PAGE_BYTES;
        Ok(())
    }

    fn write_base(&mut self, key: &[u8], version: &Version) -> Result<(), WriteError> {
        let crc = record::base_crc(key, version);
        self.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO base
                 (key, modified, created, version, lease, value, crc)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                key,
                signed(version.modified.0),
                signed(version.created.0),
                signed(version.version),
                signed(version.lease.map_or(0, |id| id.0)),
                version.value.as_deref().unwrap_or_default(),
                crc,
            ])?;
        self.state.base.add(crc);
        Ok(())
    }

    fn delete_base(&mut self, key: &[u8]) -> Result<(), WriteError> {
        self.conn
            .prepare_cached("DELETE FROM base WHERE key = ?1")?
            .execute(params![key])?;
        Ok(())
    }

    /// Makes the next revision `far` later than it would have been: a restored store must not
    /// use the revisions again that the lost one gave after the backup. All must be compacted.
    pub(super) fn skip_revisions(&mut self, far: u64) -> Revision {
        self.state.compacted.0 += far;
        self.state.compacted
    }

    /// Writes the state row. Its `head` is what shows, at the next start, that rows are missing
    /// at the end of the log; rows newer than that are only in SQLite's own checksummed log.
    pub(super) fn write_state(&mut self, head: Revision) -> Result<(), WriteError> {
        self.state.head = head;
        self.conn
            .prepare_cached("UPDATE state SET record = ?1 WHERE one = 1")?
            .execute(params![self.state.encode()])?;
        Ok(())
    }

    /// Writes the state row, then empties SQLite's log into the main file.
    pub(super) fn fold(&mut self, head: Revision) -> Result<(), WriteError> {
        self.begin()?;
        self.write_state(head)?;
        self.commit()?;
        self.checkpoint(true)
    }

    /// Folds SQLite's log into the main file, as far as nobody reads from it. The state row must
    /// have been written with the present head before.
    pub(super) fn checkpoint(&mut self, empty_the_log: bool) -> Result<(), WriteError> {
        let how = if empty_the_log { "TRUNCATE" } else { "PASSIVE" };
        let statement = format!("PRAGMA wal_checkpoint({how})");
        self.conn
            .prepare_cached(&statement)?
            .query_row([], |_| Ok(()))?;
        self.log_bytes = 0;
        Ok(())
    }
}
