//! Lines on their way to a batch, and what becomes of those that cannot be read.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Place;
use crate::columns::Batch;
use crate::failure::{Failure, Halt};
use crate::json::Decoder;
use crate::plan::{self, BadRows};

pub(crate) struct Rows {
    decoder: Decoder,
    policy: Policy,
    bad: Arc<AtomicU64>,
}

enum Policy {
    Drop,
    Keep(File),
    Fail,
}

impl Rows {
    pub(crate) fn new(source: &plan::Source, place: &Place) -> Result<Rows, Halt> {
        let policy = match &source.options.bad_rows {
            BadRows::Drop => Policy::Drop,
            BadRows::Fail => Policy::Fail,
            BadRows::Keep(folder) => Policy::Keep(kept(folder, place)?),
        };
        let decoder = Decoder::new(&source.columns, source.event_time.as_deref());
        Ok(Rows {
            decoder,
            policy,
            bad: place.bad.clone(),
        })
    }

    /// Takes a line with or without its end; `place` says in messages where it stood.
    pub(crate) fn push(&mut self, line: &[u8], place: impl Fn() -> String) -> Result<(), Halt> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let Err(reason) = self.decoder.push(line, now()) else {
            return Ok(());
        };
        self.bad.fetch_add(1, Ordering::Relaxed);
        match &mut self.policy {
            Policy::Drop => Ok(()),
            Policy::Fail => {
                let message = format!("{}: a row cannot be read: {reason}", place());
                Err(Failure::user(message).into())
            }
            Policy::Keep(file) => {
                let line = String::from_utf8_lossy(line);
                let line = line.trim_end();
                let kept = serde_json::json!({ "at": place(), "reason": reason, "row": line });
                writeln!(file, "{kept}")
                    .map_err(|error| Failure::io("failed to keep a bad row", &error).into())
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.decoder.rows()
    }

    pub(crate) fn finish(&mut self) -> Result<Batch, Halt> {
        Ok(self.decoder.finish()?)
    }
}

fn kept(folder: &Path, place: &Place) -> Result<File, Halt> {
    let path = folder.join(format!("{}-{:04}.bad.json", place.node, place.subtask));
    fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        .map_err(|error| Failure::io(path.display(), &error).into())
}

/// Microseconds since 1970: the event time of rows that have none.
fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
