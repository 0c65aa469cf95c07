//! Checkpoints on disk: read, checked, and deleted when nothing refers to them any more.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dataflow::manifest::Manifest;
use dataflow::storage::{ReadError, Storage};
use streaming::{CheckpointId, Found};

/// Reads a checkpoint's manifest, and checks that every file of it is there and as long as it was.
pub(crate) fn look(root: &Path, id: CheckpointId) -> (Found, Option<Manifest>) {
    let read = Storage::new(root).read_manifest(id.generation.0, id.epoch.0);
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(error @ ReadError::Io { .. }) => return (Found::Failed(chain(&error)), None),
        Err(error) => return (Found::Broken(error.to_string()), None),
    };
    for file in manifest.files() {
        let found = fs::metadata(root.join(&file.file));
        match found.map(|found| found.len()) {
            Ok(bytes) if bytes == file.bytes => {}
            Ok(bytes) => {
                let why = format!("{} has {bytes} bytes, not {}", file.file, file.bytes);
                return (Found::Broken(why), None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Found::Broken(format!("{} is missing", file.file)), None);
            }
            Err(error) => return (Found::Failed(format!("{}: {error}", file.file)), None),
        }
    }
    (Found::Whole, Some(manifest))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words.push_str(&format!(": {error}"));
        source = error.source();
    }
    words
}

/// Deletes every file of `drop` to which nothing of `keep` refers.
///
/// # Errors
/// A manifest of `keep` cannot be read: then nothing is deleted; or a file cannot be deleted.
pub(crate) fn collect(
    root: &Path,
    drop: &[CheckpointId],
    keep: &[CheckpointId],
) -> Result<Vec<CheckpointId>, String> {
    let storage = Storage::new(root);
    let mut needed: BTreeSet<PathBuf> = BTreeSet::new();
    for id in keep {
        let read = storage.read_manifest(id.generation.0, id.epoch.0);
        let manifest = read.map_err(|e| format!("checkpoint {id} must stay: {}", chain(&e)))?;
        needed.extend(manifest.files().map(|file| root.join(&file.file)));
    }
    for id in drop {
        let folder = root.join(Storage::folder(id.generation.0, id.epoch.0));
        let mut doomed = files(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        // Files of earlier folders, that only this checkpoint still referred to.
        if let Ok(manifest) = storage.read_manifest(id.generation.0, id.epoch.0) {
            doomed.extend(manifest.files().map(|file| root.join(&file.file)));
        }
        // The manifest goes last, so that a second attempt still knows what it named.
        let last = |path: &PathBuf| path.ends_with("manifest.json");
        doomed.sort_by_key(|path| last(path));
        for path in doomed.iter().filter(|path| !needed.contains(*path)) {
            match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{}: {e}", path.display()));
                }
                _ => {}
            }
            // A folder that still has files stays.
            _ = path.parent().map(fs::remove_dir);
        }
    }
    Ok(drop.to_vec())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use dataflow::manifest::{NodeSnapshot, TableFile, TaskId, TaskSnapshot};
    use streaming::{Epoch, Generation};

    use super::*;

    fn id(epoch: u64) -> CheckpointId {
        CheckpointId {
            epoch: Epoch(epoch),
            generation: Generation(1),
        }
    }

    /// Writes a checkpoint whose manifest names these files, and those that are new.
    fn write(root: &Path, epoch: u64, names: &[&str]) {
        let table = |name: &&str| TableFile {
            table: "t".into(),
            file: (*name).to_owned(),
            bytes: 3,
            checksum: 0,
            rows: 1,
            hash_min: 0,
            hash_max: 0,
        };
        let task = TaskId {
            stage: "s".into(),
            subtask: 0,
        };
        let node = NodeSnapshot {
            node: "s".into(),
            watermark: None,
            tables: names.iter().map(table).collect(),
            value: serde_json::Value::Null,
        };
        let snapshot = TaskSnapshot {
            task,
            nodes: vec![node],
            needs_commit: false,
        };
        let manifest = Manifest {
            epoch,
            generation: 1,
            tasks: vec![snapshot],
        };
        Storage::new(root).write_manifest(&manifest).unwrap();
        for name in names {
            if !root.join(name).exists() {
                fs::write(root.join(name), "abc").unwrap();
            }
        }
    }

    #[test]
    fn b17_files_stay_for_as_long_as_a_kept_checkpoint_names_them_and_not_longer() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let of = |epoch: u64, name: &str| format!("{}/{name}", Storage::folder(1, epoch));
        let (old, second, third) = (of(1, "a"), of(2, "b"), of(3, "c"));
        write(root, 1, &[&old]);
        write(root, 2, &[&old, &second]);
        write(root, 3, &[&second, &third]);
        assert_eq!(look(root, id(2)).0, Found::Whole);

        assert_eq!(collect(root, &[id(1)], &[id(2), id(3)]), Ok(vec![id(1)]));
        assert!(root.join(&old).exists(), "checkpoint 2 needs it");
        assert!(matches!(look(root, id(1)).0, Found::Broken(_)));
        assert_eq!(look(root, id(2)).0, Found::Whole);

        assert_eq!(collect(root, &[id(2)], &[id(3)]), Ok(vec![id(2)]));
        assert!(!root.join(&old).exists(), "nobody needs it any more");
        assert_eq!(look(root, id(3)).0, Found::Whole);
        assert_eq!(collect(root, &[id(2)], &[id(3)]), Ok(vec![id(2)]), "again");
    }

    #[test]
    fn b17_nothing_is_deleted_while_what_must_stay_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let name = format!("{}/a", Storage::folder(1, 1));
        write(root, 1, &[&name]);
        assert!(collect(root, &[id(1)], &[id(2)]).is_err());
        assert_eq!(look(root, id(1)).0, Found::Whole);
    }

    #[test]
    fn a_checkpoint_with_a_cut_or_missing_file_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let name = format!("{}/a", Storage::folder(1, 1));
        write(root, 1, &[&name]);
        fs::write(root.join(&name), "ab").unwrap();
        assert!(matches!(look(root, id(1)).0, Found::Broken(why) if why.contains("2 bytes")));
        fs::remove_file(root.join(&name)).unwrap();
        assert!(matches!(look(root, id(1)).0, Found::Broken(why) if why.contains("missing")));
    }
}
