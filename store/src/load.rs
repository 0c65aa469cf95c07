//! How fast it commits, and how fast this disk could: for `examples/commits.rs` and `benchmarks`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{CommitError, Store};

/// What a run of [`puts`] or [`floor`] came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many durable writes were acknowledged.
    pub writes: u64,
    /// In how long.
    pub elapsed: Duration,
}

impl Rate {
    /// Durable writes in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.writes as f64 / self.elapsed.as_secs_f64()
    }
}

/// `writers` tasks put values of `value_bytes` for `duration`, each one write after the other,
/// each over 128 keys of its own. Needs a Tokio runtime.
///
/// # Errors
/// The first commit that failed.
pub async fn puts<S: Store>(
    store: Arc<S>,
    writers: usize,
    value_bytes: usize,
    duration: Duration,
) -> Result<Rate, CommitError> {
    let begun = Instant::now();
    let end = begun + duration;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| tokio::spawn(put_until(Arc::clone(&store), writer, value_bytes, end)))
        .collect();
    let mut writes = 0;
    for task in tasks {
        writes += task.await.map_err(|why| CommitError::Unknown {
            why: why.to_string(),
        })??;
    }
    Ok(Rate {
        writes,
        elapsed: begun.elapsed(),
    })
}

async fn put_until<S: Store>(
    store: Arc<S>,
    writer: usize,
    value_bytes: usize,
    end: Instant,
) -> Result<u64, CommitError> {
    let value = Bytes::from(vec![b'v'; value_bytes]);
    let mut writes = 0;
    while Instant::now() < end {
        let key = format!("load/{writer}/{}", writes % 128);
        store.put(key, value.clone()).await?;
        writes += 1;
    }
    Ok(writes)
}

/// What no store on this disk can beat: appending `bytes` to a file, each followed by an
/// `fdatasync`, for `duration`. The file is made in `directory`, and removed.
///
/// # Errors
/// The file could not be written.
pub fn floor(directory: &Path, bytes: usize, duration: Duration) -> io::Result<Rate> {
    let path = directory.join("floor");
    let mut file = File::create_new(&path)?;
    let record = vec![b'v'; bytes];
    let begun = Instant::now();
    let mut writes = 0;
    while begun.elapsed() < duration {
        file.write_all(&record)?;
        file.sync_data()?;
        writes += 1;
    }
    let elapsed = begun.elapsed();
    std::fs::remove_file(&path)?;
    Ok(Rate { writes, elapsed })
}
