//! From disk to memory, believing nothing: every row's checksum, that none is missing, and that
//! the rows make sense together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use super::disk::{self, APPLICATION_ID, SCHEMA_VERSION, describe};
use super::index::{Index, Version};
use super::record::{self, Recorded, State, Tally};
use crate::{Change, Event, KeyValue, LeaseId, Revision};

/// A whole store, read and checked.
pub(super) struct Loaded {
    pub(super) conn: Connection,
    pub(super) state: State,
    pub(super) index: Index,
    pub(super) leases: Vec<(LeaseId, Duration)>,
}

/// Why a database is not served.
pub(super) enum LoadError {
    /// Written by another version of this program.
    Version(i64),
    /// Not what was written.
    Damaged(String),
    /// It could not be read at all.
    Unreadable(String),
}

impl From<rusqlite::Error> for LoadError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, OutOfMemory, PermissionDenied};
        let what = describe(&error);
        match error.sqlite_error_code() {
            Some(CannotOpen | DatabaseBusy | OutOfMemory | PermissionDenied) => {
                Self::Unreadable(what)
            }
            _ => Self::Damaged(what),
        }
    }
}

fn damaged<T>(what: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError::Damaged(what.into()))
}

/// Opens the database at `path`, and reads all of it.
pub(super) fn load(path: &Path) -> Result<Loaded, LoadError> {
    let conn = disk::connect(path)?;
    let pragma = |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    if pragma("application_id")? != APPLICATION_ID {
        return damaged("its header is not that of a store");
    }
    match pragma("user_version")? {
        SCHEMA_VERSION => {}
        version => return Err(LoadError::Version(version)),
    }
    if conn.is_readonly(rusqlite::MAIN_DB)? {
        return damaged("SQLite finds it read-only; is the file, or its header, changed?");
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return damaged(verdict);
    }
    let state = load_state(&conn)?;
    let mut index = load_base(&conn, &state)?;
    load_changes(&conn, &state, &mut index)?;
    let leases = load_leases(&conn, &state)?;
    Ok(Loaded {
        conn,
        state,
        index,
        leases,
    })
}

fn load_state(conn: &Connection) -> Result<State, LoadError> {
    let mut statement = conn.prepare("SELECT record FROM state")?;
    let rows: Vec<Vec<u8>> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let [row] = rows.as_slice() else {
        return damaged(format!("table state has {} rows, not 1", rows.len()));
    };
    let state = State::decode(row).or_else(|why| damaged(format!("table state: {why}")))?;
    if state.head < state.compacted {
        return damaged("table state: its head lies before what is compacted");
    }
    Ok(state)
}

fn load_base(conn: &Connection, state: &State) -> Result<Index, LoadError> {
    let mut index = Index::new(state.compacted);
    let mut tally = Tally::default();
    let mut statement =
        conn.prepare("SELECT key, modified, created, version, lease, value, crc FROM base")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bytes = |column| -> rusqlite::Result<Bytes> {
            Ok(Bytes::copy_from_slice(row.get_ref(column)?.as_blob()?))
        };
        let number =
            |column| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(column)?.cast_unsigned()) };
        let lease = number(4)?;
        let key = bytes(0)?;
        let version = Version {
            modified: Revision(number(1)?),
            created: Revision(number(2)?),
            version: number(3)?,
            lease: (lease != 0).then_some(LeaseId(lease)),
            value: Some(bytes(5)?),
        };
        let crc = record::base_crc(&key, &version);
        if i64::from(crc) != row.get::<_, i64>(6)? {
            let key = crate::limits::shown(&key);
            return damaged(format!(
                "table base, key {key:?}: its checksum does not match"
            ));
        }
        tally.add(crc);
        index.insert_base(key, version);
    }
    if tally != state.base {
        let (found, wanted) = (tally.rows, state.base.rows);
        return damaged(format!(
            "table base has {found} rows, and {wanted} were written"
        ));
    }
    Ok(index)
}

fn load_changes(conn: &Connection, state: &State, index: &mut Index) -> Result<(), LoadError> {
    let mut statement = conn.prepare("SELECT revision, record FROM log ORDER BY revision")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let revision = Revision(row.get::<_, i64>(0)?.cast_unsigned());
        let expected = index.head().next();
        if revision != expected {
            return damaged(format!(
                "table log: revision {expected} is missing, {revision} is there"
            ));
        }
        let at = |why| LoadError::Damaged(format!("table log, revision {revision}: {why}"));
        let record = row.get_ref(1)?.as_blob().map_err(|_| at("it is no blob"))?;
        let events = record::decode(revision, record).map_err(at)?;
        let change = replay(index, revision, events).map_err(at)?;
        index.apply(Arc::new(change));
    }
    if index.head() < state.head {
        return damaged(format!(
            "table log ends at revision {}, and went to {} at least",
            index.head(),
            state.head
        ));
    }
    Ok(())
}

/// Fills in what a record leaves out because it follows from what was before.
fn replay(
    index: &Index,
    revision: Revision,
    events: Vec<Recorded>,
) -> Result<Change, &'static str> {
    let event = |recorded| match recorded {
        Recorded::Put { key, value, lease } => {
            let before = index.get(&key);
            Ok(Event::Put(KeyValue {
                created: before.as_ref().map_or(revision, |kv| kv.created),
                version: before.map_or(0, |kv| kv.version) + 1,
                modified: revision,
                key,
                value,
                lease,
            }))
        }
        Recorded::Delete { key } if index.get(&key).is_none() => {
            Err("it deletes a key that is not there")
        }
        Recorded::Delete { key } => Ok(Event::Delete { key }),
    };
    Ok(Change {
        revision,
        events: events.into_iter().map(event).collect::<Result<_, _>>()?,
    })
}

fn load_leases(conn: &Connection, state: &State) -> Result<Vec<(LeaseId, Duration)>, LoadError> {
    let mut tally = Tally::default();
    let mut leases = Vec::new();
    let mut statement = conn.prepare("SELECT id, ttl_ms, crc FROM lease")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = LeaseId(row.get::<_, i64>(0)?.cast_unsigned());
        let ttl_ms = row.get::<_, i64>(1)?.cast_unsigned();
        let crc = record::lease_crc(id, ttl_ms);
        if i64::from(crc) != row.get::<_, i64>(2)? {
            return damaged(format!(
                "table lease, lease {id}: its checksum does not match"
            ));
        }
        tally.add(crc);
        leases.push((id, Duration::from_millis(ttl_ms)));
    }
    if tally != state.leases {
        let (found, wanted) = (tally.rows, state.leases.rows);
        return damaged(format!(
            "table lease has {found} rows, and {wanted} were written"
        ));
    }
    Ok(leases)
}
