//! `orrery state`: what the services of one machine have on its disk.
//!
//! It works on the data directory itself and asks no service: it is for the day on which none
//! answers. A backup is a folder of the same shape: `configuration.backup` is the store in
//! `configuration/`, and the keys without which a store is of no use lie where they lay.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use store::{Checked, EmbeddedStore};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Table, Tone};
use crate::session::Session;

/// By which the store in a directory is known.
const DATABASE: &str = "store.sqlite";
/// What a backup's name ends with, after the path of the directory it was made from.
const ENDING: &str = "backup";
/// Stores lie in a service's directory or one below it.
const DEPTH: usize = 2;

/// Back up what the services of this machine have on disk, check it, and bring it back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery state verify
  orrery state backup /backups/monday
  orrery state verify /backups/monday
  orrery state restore /backups/monday --data .orrery-restored

A backup is made while the fleet runs. Each store is consistent in itself; they are copied one
after the other. It holds the fleet's keys: keep it as you keep those. Logs, and the checkpoints
of pipelines, are not in it. A restore needs a data directory that no fleet uses.")]
pub(crate) struct State {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Copy every store and key to a new folder.
    Backup(Backup),
    /// Read every store of the data directory, or of a backup, and every checksum in it.
    Verify(Verify),
    /// Make a data directory from a backup.
    Restore(Restore),
}

#[derive(Debug, Args)]
struct Data {
    /// Where the services have their state.
    #[arg(
        long,
        env = "ORRERY_DATA",
        hide_env_values = true,
        default_value = ".orrery",
        value_name = "FOLDER"
    )]
    data: PathBuf,
}

#[derive(Debug, Args)]
struct Backup {
    /// The folder to make.
    folder: PathBuf,
    #[command(flatten)]
    data: Data,
}

#[derive(Debug, Args)]
struct Verify {
    /// A backup; the data directory itself when left out.
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

#[derive(Debug, Args)]
struct Restore {
    /// The backup.
    folder: PathBuf,
    #[command(flatten)]
    data: Data,
}

/// One store, and what was found.
#[derive(Serialize)]
struct Found {
    store: String,
    keys: u64,
    revision: u64,
    bytes: u64,
    /// Empty when it is whole.
    damage: String,
}

impl State {
    pub(super) fn run(self, session: &Session) -> Result<(), Failure> {
        match self.what {
            What::Backup(verb) => verb.run(session),
            What::Verify(verb) => verb.run(session),
            What::Restore(verb) => verb.run(session),
        }
    }
}

impl Backup {
    fn run(self, session: &Session) -> Result<(), Failure> {
        let data = &self.data.data;
        let (stores, keys) = (stores_of(data)?, keys_of(data)?);
        make_private(&self.folder)?;
        let mut found = Vec::new();
        for store in &stores {
            let file = in_backup(&self.folder, store);
            make_parent(&file)?;
            let copied = EmbeddedStore::backup_from(data.join(store), &file);
            copied.map_err(|e| Failure::new(Exit::Failed, chain(&e)))?;
            found.push(check(store, &file));
        }
        copy_keys(data, &self.folder, &keys)?;
        show(session, &found)?;
        let folder = self.folder.display();
        session
            .out
            .say(format_args!("the backup is in {folder}, and holds keys"));
        whole(&found)
    }
}

impl Verify {
    fn run(self, session: &Session) -> Result<(), Failure> {
        let found = match &self.folder {
            Some(folder) => verify_backup(folder)?,
            None => verify_data(&self.data.data)?,
        };
        show(session, &found)?;
        whole(&found)
    }
}

impl Restore {
    fn run(self, session: &Session) -> Result<(), Failure> {
        let (from, to) = (&self.folder, &self.data.data);
        let stores = stores_in(from)?;
        let keys = keys_of(from)?;
        // All of it is looked at before any of it is written.
        let databases = stores.iter().map(|store| store.join(DATABASE));
        for file in databases.chain(keys.iter().cloned()) {
            let file = to.join(file);
            if file.exists() {
                let what = format!("{} is there already", file.display());
                let hint = "name another data directory with `--data`, or move that one away";
                return Err(Failure::new(Exit::Failed, what).hint(hint));
            }
        }
        let found = verify_backup(from)?;
        if let Err(damaged) = whole(&found) {
            show(session, &found)?;
            return Err(damaged);
        }
        make_private_if_missing(to)?;
        for store in &stores {
            let restored = EmbeddedStore::restore(in_backup(from, store), to.join(store));
            restored.map_err(|e| Failure::new(Exit::Failed, chain(&e)))?;
        }
        copy_keys(from, to, &keys)?;
        show(session, &found)?;
        let command = format!("scheduling --data {}", to.display());
        session.out.suggest("run the fleet on it", command);
        Ok(())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn io_failure(doing: &str, path: &Path, error: &io::Error) -> Failure {
    let what = format!("failed to {doing} {}: {error}", path.display());
    Failure::new(Exit::Failed, what)
}

/// The directories of stores below `data`, without it before them.
fn stores_of(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_store = |path: &Path| path.file_name().is_some_and(|name| name == DATABASE);
    let files = files_below(data, DEPTH)?.into_iter();
    let folders = files.filter(|path| is_store(path));
    let found: Vec<PathBuf> = folders
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect();
    some(found, data, "no store")
}

/// The same, for a backup.
fn stores_in(backup: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = files_below(backup, DEPTH)?.into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|end| end == ENDING));
    let found: Vec<PathBuf> = files.map(|path| path.with_extension("")).collect();
    some(found, backup, "no backup of a store")
}

fn some(found: Vec<PathBuf>, place: &Path, what: &str) -> Result<Vec<PathBuf>, Failure> {
    if found.is_empty() {
        let what = format!("there is {what} in {}", place.display());
        let hint = "`--data` names a fleet's data directory; `scheduling` says which at its start";
        return Err(Failure::new(Exit::NotFound, what).hint(hint));
    }
    Ok(found)
}

/// Without these a store may be whole and of no use: what signs, and what certifies.
fn keys_of(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = files_below(folder, DEPTH)?.into_iter();
    let is_key = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end == "key" || end == "pem")
    };
    Ok(files.filter(is_key).collect())
}

/// The files at most `depth` directories below `folder`, in order, without `folder` before them.
fn files_below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    while let Some((below, level)) = open.pop() {
        let place = folder.join(&below);
        let read = |error: io::Error| io_failure("read", &place, &error);
        for entry in fs::read_dir(&place).map_err(read)? {
            let entry = entry.map_err(read)?;
            let kind = entry.file_type().map_err(read)?;
            let path = below.join(entry.file_name());
            if kind.is_file() {
                files.push(path);
            } else if kind.is_dir() && level < depth {
                open.push((path, level + 1));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn in_backup(backup: &Path, store: &Path) -> PathBuf {
    let mut name = backup.join(store).into_os_string();
    name.push(".");
    name.push(ENDING);
    name.into()
}

/// Only its owner may look into what holds keys.
fn make_private(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|error| io_failure("create the folder", folder, &error))
}

fn make_private_if_missing(folder: &Path) -> Result<(), Failure> {
    match folder.is_dir() {
        true => Ok(()),
        false => make_private(folder),
    }
}

fn make_parent(file: &Path) -> Result<(), Failure> {
    let parent = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| io_failure("create", parent, &error))
}

/// With their permissions.
fn copy_keys(from: &Path, to: &Path, keys: &[PathBuf]) -> Result<(), Failure> {
    for key in keys {
        let (source, target) = (from.join(key), to.join(key));
        make_parent(&target)?;
        let copied = fs::copy(&source, &target);
        copied.map_err(|error| io_failure("copy", &source, &error))?;
        let synced = fs::File::open(&target).and_then(|file| file.sync_all());
        synced.map_err(|error| io_failure("write", &target, &error))?;
    }
    Ok(())
}

fn verify_backup(folder: &Path) -> Result<Vec<Found>, Failure> {
    let stores = stores_in(folder)?;
    let check = |store: &PathBuf| check(store, &in_backup(folder, store));
    Ok(stores.iter().map(check).collect())
}

/// A copy is what is checked: the store itself may be written to meanwhile.
fn verify_data(data: &Path) -> Result<Vec<Found>, Failure> {
    let mut all = Vec::new();
    for store in &stores_of(data)? {
        let copy = data.join(store).join("store.sqlite.verified");
        let removed = fs::remove_file(&copy);
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(io_failure("remove", &copy, &error));
        }
        let found = match EmbeddedStore::backup_from(data.join(store), &copy) {
            Ok(_) => check(store, &copy),
            Err(error) => damaged(store, chain(&error)),
        };
        // One that is left behind is removed by the next look.
        let _ = fs::remove_file(&copy);
        all.push(found);
    }
    Ok(all)
}

fn check(store: &Path, file: &Path) -> Found {
    match EmbeddedStore::check(file) {
        Err(error) => damaged(store, chain(&error)),
        Ok(Checked {
            revision,
            keys,
            bytes,
        }) => Found {
            store: store.display().to_string(),
            keys,
            revision: revision.0,
            bytes,
            damage: String::new(),
        },
    }
}

fn damaged(store: &Path, damage: String) -> Found {
    Found {
        store: store.display().to_string(),
        keys: 0,
        revision: 0,
        bytes: 0,
        damage,
    }
}

fn whole(found: &[Found]) -> Result<(), Failure> {
    let damaged = found.iter().filter(|found| !found.damage.is_empty());
    let damaged: Vec<&str> = damaged.map(|found| found.store.as_str()).collect();
    if damaged.is_empty() {
        return Ok(());
    }
    let what = format!("not whole: {}", damaged.join(", "));
    let hint = "bring the newest backup back with `orrery state restore`";
    Err(Failure::new(Exit::Failed, what).hint(hint))
}

fn show(session: &Session, found: &[Found]) -> Result<(), Failure> {
    session.out.list(found, || {
        let mut table = Table::new(&["STORE", "KEYS", "REVISION", "BYTES", "VERDICT"]);
        for found in found {
            let verdict = match found.damage.as_str() {
                "" => Cell::new("whole").tone(Tone::Good),
                damage => Cell::new(damage).tone(Tone::Bad),
            };
            table.row([
                Cell::new(&found.store),
                Cell::number(found.keys),
                Cell::number(found.revision),
                Cell::number(found.bytes),
                verdict,
            ]);
        }
        table
    })
}
