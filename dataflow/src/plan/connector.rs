//! What sources read and sinks write.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a source reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connector {
    /// JSON, an object a line; each file is a split that one subtask reads.
    Files {
        /// Files; what has no extension is a folder, whose `.json` and `.jsonl` files are read.
        paths: Vec<PathBuf>,
    },
    /// Columns `counter` and `subtask_index`, and event times at equal distances.
    Impulse {
        /// How many rows in all; endless when none is said.
        count: Option<u64>,
        /// How many rows a second of real time and subtask; as fast as can be when 0.
        rate: u64,
        /// Microseconds of event time between rows.
        step: i64,
        /// The event time of the first, microseconds since 1970.
        start: i64,
    },
    /// Connects and reads JSON, an object a line. What was read before a crash is lost.
    Tcp {
        /// `host:port`.
        address: String,
    },
    /// A log of numbered lines that can be read again from any place (see `sources::log`).
    Log {
        /// The folder with a file `N.log` for each partition.
        path: PathBuf,
        /// How many partitions; each is a split that one subtask reads.
        partitions: u32,
        /// End where the log ends now, instead of waiting for more.
        bounded: bool,
    },
}

/// How a source reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceOptions {
    /// Rows in a batch, at most.
    pub batch: usize,
    /// How long a batch waits for more rows, milliseconds.
    pub linger: u64,
    /// Reads one row for each step that a test allows.
    pub stepping: bool,
    /// What becomes of rows that cannot be read.
    pub bad_rows: BadRows,
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions {
            batch: 4096,
            linger: 20,
            stepping: false,
            bad_rows: BadRows::Drop,
        }
    }
}

/// What becomes of rows that cannot be read. They are counted in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadRows {
    /// Nothing.
    #[default]
    Drop,
    /// They are kept in this folder, a file for each subtask, with the reason.
    Keep(PathBuf),
    /// The job fails, and is not retried.
    Fail,
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkTarget {
    /// JSON, an object a line, in files that appear when their epoch is committed: exactly once.
    Files {
        /// The folder.
        path: PathBuf,
    },
    /// JSON on standard output, at least once.
    Stdout,
    /// Lines in this process's memory, under this name (`sinks::memory`): for tests.
    Memory {
        /// The name.
        name: String,
    },
    /// Nowhere; rows are counted.
    Blackhole,
}
