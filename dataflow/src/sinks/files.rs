//! Files of lines that are seen only when their epoch is committed: exactly once.
//!
//! Rows are written to a hidden file. At a barrier it is synced, and its name becomes part of the
//! checkpoint; when the epoch is complete it is renamed, which can be done twice without harm. At
//! the end of data there is no epoch to wait for: the last file is seen at once, and its name ends
//! in `-end`, so that a run that has to repeat the end takes it away first.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::columns::Batch;
use crate::failure::{Domain, Failure, Halt, Hint};
use crate::json;
use crate::operators::{Operator, Output, State, internal};
use crate::storage::sync_folder;

pub(super) struct Files {
    folder: PathBuf,
    owner: Owner,
    open: Option<(File, Name)>,
    /// How many files this run has begun.
    begun: u64,
    stored: Stored,
    /// What a restored checkpoint still needs, of any subtask.
    needed: BTreeSet<String>,
    buffer: Vec<u8>,
}

/// What a checkpoint holds.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    /// Files to be renamed, with the epoch that allows it.
    pending: Vec<(u64, Name)>,
    /// Files that hold the end of the data.
    ended: Vec<Name>,
}

/// A file's name once it is to be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Name(String);

impl Name {
    fn seen(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    fn end(&self) -> Name {
        Name(format!("{}-end.json", self.0.trim_end_matches(".json")))
    }

    fn hidden(&self, folder: &Path) -> PathBuf {
        folder.join(format!(".{}.part", self.0))
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Halt + '_ {
    |error| Failure::io(path.display(), &error).into()
}

impl Files {
    pub(super) fn new(folder: PathBuf, owner: Owner) -> Files {
        Files {
            folder,
            owner,
            open: None,
            begun: 0,
            stored: Stored::default(),
            needed: BTreeSet::new(),
            buffer: Vec::new(),
        }
    }

    /// The beginning of the names of this job's files.
    fn prefix(&self) -> String {
        format!("{}-{}-", self.owner.job, self.owner.node)
    }

    /// The open file; names are unique by generation, number and subtask.
    fn file(&mut self) -> Result<&mut File, Halt> {
        if self.open.is_none() {
            let Owner {
                generation,
                subtask,
                ..
            } = self.owner;
            let number = self.begun;
            let name = format!(
                "{}{generation:06}-{number:06}-{subtask:04}.json",
                self.prefix()
            );
            let name = Name(name);
            let path = name.hidden(&self.folder);
            self.open = Some((File::create(&path).map_err(failed(&path))?, name));
            self.begun += 1;
        }
        Ok(&mut self.open.as_mut().expect("it was just opened").0)
    }

    /// Makes the open file durable, hidden as it is.
    fn close(&mut self) -> Result<Option<Name>, Halt> {
        let Some((file, name)) = self.open.take() else {
            return Ok(None);
        };
        let path = name.hidden(&self.folder);
        file.sync_all().map_err(failed(&path))?;
        sync_folder(&self.folder).map_err(failed(&self.folder))?;
        Ok(Some(name))
    }

    /// Makes a file seen under the name `to`; nothing to do if it is already. A sink that ended
    /// before its epoch was complete has shown it as an end.
    fn show(&self, name: &Name, to: &Name) -> Result<(), Halt> {
        let seen = to.seen(&self.folder);
        for from in [name.hidden(&self.folder), name.end().seen(&self.folder)] {
            match fs::rename(&from, &seen) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&from)(error)),
            }
        }
        if seen.exists() {
            return Ok(());
        }
        let message = format!("{}: rows of a checkpoint are gone", seen.display());
        Err(Failure::new(Domain::External, Hint::OlderCheckpoint, message).into())
    }

    /// Takes away what an earlier run left that no checkpoint holds: hidden files, and ends that
    /// will come again. Each subtask looks after its share of the earlier ones.
    fn clean(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let bare = name
                .strip_prefix('.')
                .and_then(|name| name.strip_suffix(".part"));
            let bare = bare.unwrap_or(name);
            let Some(rest) = bare.strip_prefix(&self.prefix()) else {
                continue;
            };
            let parts: Vec<&str> = rest.trim_end_matches(".json").split('-').collect();
            let number = |at: usize| parts.get(at).and_then(|part| part.parse::<u64>().ok());
            let (Some(generation), Some(subtask)) = (number(0), number(2)) else {
                continue;
            };
            let repeats = name.starts_with('.') || name.ends_with("-end.json");
            let mine = subtask % u64::from(self.owner.parallelism) == u64::from(self.owner.subtask);
            let old = generation < self.owner.generation;
            if repeats
                && mine
                && old
                && !self.needed.contains(bare)
                && !self.needed.contains(&bare.replace("-end", ""))
            {
                fs::remove_file(self.folder.join(name))?;
            }
        }
        Ok(())
    }
}

impl Operator for Files {
    fn open(&mut self) -> Result<(), Halt> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| self.clean())
            .map_err(failed(&self.folder))
    }

    fn batch(&mut self, _port: u32, batch: Batch, _out: &mut dyn Output) -> Result<(), Halt> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        json::write_lines(&batch, &mut buffer);
        let written = self.file()?.write_all(&buffer);
        self.buffer = buffer;
        let folder = &self.folder;
        written.map_err(failed(folder))
    }

    fn snapshot(&mut self, epoch: u64, _base: u64) -> Result<State, Halt> {
        if let Some(name) = self.close()? {
            self.stored.pending.push((epoch, name));
        }
        let value = serde_json::to_value(&self.stored).map_err(internal)?;
        Ok(State {
            value,
            ..State::default()
        })
    }

    fn restore(&mut self, state: State) -> Result<(), Halt> {
        if state.value.is_null() {
            return Ok(());
        }
        let stored: Stored = serde_json::from_value(state.value).map_err(internal)?;
        let names = stored
            .pending
            .iter()
            .map(|(_, name)| name)
            .chain(&stored.ended);
        self.needed.extend(names.map(|name| name.0.clone()));
        if state.own {
            self.stored.pending.extend(stored.pending);
            self.stored.ended.extend(stored.ended);
        }
        Ok(())
    }

    fn needs_commit(&self) -> bool {
        !self.stored.pending.is_empty()
    }

    fn commit(&mut self, epoch: u64) -> Result<(), Halt> {
        let pending = std::mem::take(&mut self.stored.pending);
        let (due, rest): (Vec<_>, Vec<_>) = pending.into_iter().partition(|(of, _)| *of <= epoch);
        for (_, name) in &due {
            self.show(name, name)?;
        }
        self.stored.pending = rest;
        if !due.is_empty() {
            sync_folder(&self.folder).map_err(failed(&self.folder))?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Halt> {
        let last = self.close()?;
        let pending = std::mem::take(&mut self.stored.pending);
        let pending = pending.into_iter().map(|(_, name)| name);
        let committed = |name: &Name| name.seen(&self.folder).exists();
        let rest: Vec<Name> = pending
            .chain(last)
            .filter(|name| !committed(name))
            .collect();
        for name in rest {
            self.show(&name, &name.end())?;
            self.stored.ended.push(name.end());
        }
        sync_folder(&self.folder).map_err(failed(&self.folder))
    }

    fn discard(&mut self) {
        if let Some((_, name)) = self.open.take() {
            _ = fs::remove_file(name.hidden(&self.folder));
        }
    }
}
