//! Checkpoints as data: which files hold which part of which node's state.

use serde::{Deserialize, Serialize};

/// One subtask of a stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The stage's id.
    pub stage: String,
    /// From 0.
    pub subtask: u32,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}[{}]", self.stage, self.subtask)
    }
}

/// A whole checkpoint: what each task stored. Files of earlier epochs are part of it too, so
/// nothing may be deleted that a manifest that is kept still names ([`Manifest::files`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The epoch that it ends.
    pub epoch: u64,
    /// The generation of the job that wrote it.
    pub generation: u64,
    /// Of every task.
    pub tasks: Vec<TaskSnapshot>,
}

/// What one task stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSnapshot {
    /// Whose.
    pub task: TaskId,
    /// Of each node of its stage.
    pub nodes: Vec<NodeSnapshot>,
    /// It has written what may be seen only when the epoch is committed, and reports that it was.
    pub needs_commit: bool,
}

/// What one subtask of a node stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSnapshot {
    /// The node's id.
    pub node: String,
    /// The watermark that it had seen.
    pub watermark: Option<i64>,
    /// Its rows.
    pub tables: Vec<TableFile>,
    /// What is no rows.
    pub value: serde_json::Value,
}

/// A file with rows of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// The table's name among the node's.
    pub table: String,
    /// Relative to the checkpoints' folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// CRC-32 of all of it.
    pub checksum: u32,
    /// How many rows.
    pub rows: u64,
    /// The least hash of a key in it.
    pub hash_min: u64,
    /// The greatest hash of a key in it.
    pub hash_max: u64,
}

impl Manifest {
    /// The files that a restore reads, relative to the checkpoints' folder.
    pub fn files(&self) -> impl Iterator<Item = &TableFile> {
        self.tasks
            .iter()
            .flat_map(|task| &task.nodes)
            .flat_map(|node| &node.tables)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    /// Whether something has to be committed before this checkpoint's rows are all to be seen.
    pub fn needs_commit(&self) -> bool {
        self.tasks.iter().any(|task| task.needs_commit)
    }

    /// What the subtasks of a node stored, in their order.
    pub fn node(&self, node: &str) -> Vec<&NodeSnapshot> {
        let mut found: Vec<(u32, &NodeSnapshot)> = Vec::new();
        for task in &self.tasks {
            let own = task.nodes.iter().filter(|snapshot| snapshot.node == node);
            found.extend(own.map(|snapshot| (task.task.subtask, snapshot)));
        }
        found.sort_by_key(|(subtask, _)| *subtask);
        found.into_iter().map(|(_, snapshot)| snapshot).collect()
    }
}
