//! What this machine was asked to start, on disk: so that an agent that comes back knows.
//!
//! A journal of lines, written before and right after each start. It is not synced: it has to
//! outlive this process, not the machine. When the machine goes down its processes go too, and
//! the boot id in their identities says so.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::{InstanceId, ProcessIdentity};
use serde::{Deserialize, Serialize};

/// Lines after which the journal is written anew with what still matters.
const LINES_MAX: usize = 20_000;

/// One line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// It will be started now.
    Starting { id: InstanceId, grace_ms: u64 },
    /// It was: this is its process.
    Runs {
        id: InstanceId,
        identity: ProcessIdentity,
    },
    /// Nothing of it is left, and its end is acknowledged.
    Forgotten { id: InstanceId },
}

/// What is remembered of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its process; `None` if the agent went away before it knew.
    pub(super) identity: Option<ProcessIdentity>,
    /// How long it may take to end, in milliseconds.
    pub(super) grace_ms: u64,
}

/// The table, and the journal it comes from.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    journal: File,
    lines: usize,
    records: BTreeMap<InstanceId, Record>,
}

impl Table {
    /// Reads the journal, if there is one, and writes it anew without what no longer matters.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e),
        };
        let mut records = BTreeMap::new();
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(entry) => replay(&mut records, entry),
                // The last line may be torn: what it wanted to say had no effect yet.
                Err(error) => tracing::warn!(%error, line, "passed over a line of the journal"),
            }
        }
        let journal = rewrite(path, &records)?;
        Ok(Self {
            path: path.to_owned(),
            journal,
            lines: 2 * records.len(),
            records,
        })
    }

    pub(super) fn records(&self) -> &BTreeMap<InstanceId, Record> {
        &self.records
    }

    pub(super) fn grace_ms(&self, id: &InstanceId) -> Option<u64> {
        self.records.get(id).map(|record| record.grace_ms)
    }

    /// To be called before the start: from here on an agent that comes back looks for it.
    pub(super) fn starting(&mut self, id: &InstanceId, grace_ms: u64) -> io::Result<()> {
        let id = id.clone();
        self.append(Entry::Starting { id, grace_ms })
    }

    pub(super) fn runs(&mut self, id: &InstanceId, identity: &ProcessIdentity) -> io::Result<()> {
        let (id, identity) = (id.clone(), identity.clone());
        self.append(Entry::Runs { id, identity })
    }

    pub(super) fn forget(&mut self, id: &InstanceId) -> io::Result<()> {
        if !self.records.contains_key(id) {
            return Ok(());
        }
        self.append(Entry::Forgotten { id: id.clone() })
    }

    fn append(&mut self, entry: Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.journal.write_all(&line)?;
        replay(&mut self.records, entry);
        self.lines += 1;
        if self.lines > LINES_MAX + 4 * self.records.len() {
            self.journal = rewrite(&self.path, &self.records)?;
            self.lines = 2 * self.records.len();
        }
        Ok(())
    }
}

fn replay(records: &mut BTreeMap<InstanceId, Record>, entry: Entry) {
    match entry {
        Entry::Starting { id, grace_ms } => {
            let identity = None;
            records.insert(id, Record { identity, grace_ms });
        }
        Entry::Runs { id, identity } => {
            if let Some(record) = records.get_mut(&id) {
                record.identity = Some(identity);
            }
        }
        Entry::Forgotten { id } => drop(records.remove(&id)),
    }
}

/// Replaces the journal at once: a reader finds the old one or the new one, whole.
fn rewrite(path: &Path, records: &BTreeMap<InstanceId, Record>) -> io::Result<File> {
    let draft = path.with_extension("draft");
    let mut text = Vec::new();
    for (id, record) in records {
        let (id, grace_ms) = (id.clone(), record.grace_ms);
        let starting = Entry::Starting {
            id: id.clone(),
            grace_ms,
        };
        serde_json::to_writer(&mut text, &starting)?;
        text.push(b'\n');
        if let Some(identity) = record.identity.clone() {
            serde_json::to_writer(&mut text, &Entry::Runs { id, identity })?;
            text.push(b'\n');
        }
    }
    fs::write(&draft, text)?;
    fs::rename(&draft, path)?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(pid: u32) -> ProcessIdentity {
        ProcessIdentity {
            boot_id: "boot".into(),
            pid,
            start_ticks: 7,
        }
    }

    #[test]
    fn what_was_written_is_known_after_a_restart_and_a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let ids: Vec<InstanceId> = ["a.0.1", "a.1.1", "b.0.4"]
            .map(|id| id.parse().unwrap())
            .to_vec();
        let mut table = Table::open(&path).unwrap();
        for id in &ids {
            table.starting(id, 3_000).unwrap();
        }
        table.runs(&ids[0], &identity(10)).unwrap();
        table.runs(&ids[2], &identity(12)).unwrap();
        table.forget(&ids[2]).unwrap();
        drop(table);
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"{\"runs\":{\"id\":\"a.1.1\",\"ident")
            .unwrap();
        for _ in 0..2 {
            let table = Table::open(&path).unwrap();
            assert_eq!(table.records().len(), 2);
            assert_eq!(table.records()[&ids[0]].identity, Some(identity(10)));
            assert_eq!(table.records()[&ids[1]].identity, None);
        }
    }
}
