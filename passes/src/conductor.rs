//! Makes it so: looks at what is, decides, remembers, acts, and looks again.
//!
//! Nothing is remembered of what was done: what should run is compared with what does, each time
//! anew. So a call that was lost, or a restart in the middle, is mended by the next turn.

use std::path::PathBuf;
use std::time::Duration;

use rpc::{Code, Error};
use scheduling::{ApplyArgs, DeleteServiceArgs, SchedulingClient};
use tokio::time::timeout;

use crate::book::{Book, IDLE};
use crate::nodes::{Seen, look};
use crate::record::Record;
use crate::wish::{spec_of, toml_of};

/// How often it looks while something waits or runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many starts go into one call.
const STARTS_MAX: usize = 100;

pub(crate) struct Conductor {
    pub(crate) book: Book,
    pub(crate) scheduling: SchedulingClient,
    /// Where jobs keep what they want to keep.
    pub(crate) checkpoints: PathBuf,
}

impl Conductor {
    /// For ever.
    pub(crate) async fn work(self) {
        loop {
            let pause = match self.turn().await {
                Ok(()) if self.book.is_busy().await => LOOK_EVERY,
                Ok(()) => IDLE,
                Err(error) => {
                    tracing::debug!(%error, "cannot go on just now");
                    IDLE
                }
            };
            // Whoever wakes us or not: after the pause it is time.
            let _ = timeout(pause, self.book.woken()).await;
        }
    }

    async fn turn(&self) -> Result<(), Error> {
        let seen = look(&self.scheduling).await?;
        let running = self.book.turn(&seen).await?;
        self.stop(&seen, &running).await?;
        self.start(&seen, &running).await
    }

    /// Withdraws what should not run.
    async fn stop(&self, seen: &Seen, running: &[Record]) -> Result<(), Error> {
        let wanted = |start: &(u64, u32)| {
            let found = running.binary_search_by_key(&start.0, |record| record.0.id);
            found.is_ok_and(|index| running[index].0.attempt == start.1)
        };
        for start in seen.services.iter().filter(|start| !wanted(start)) {
            let name = crate::record::service_of(start.0, start.1);
            match self
                .scheduling
                .delete_service(&DeleteServiceArgs { name })
                .await
            {
                Err(error) if error.code != Code::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Wishes for what should run and is not wished for.
    async fn start(&self, seen: &Seen, running: &[Record]) -> Result<(), Error> {
        let missing = running.iter().filter(|record| {
            let start = (record.0.id, record.0.attempt);
            !seen.services.contains(&start) && !seen.is_ending(start.0, start.1)
        });
        let missing: Vec<&Record> = missing.collect();
        for some in missing.chunks(STARTS_MAX) {
            match self.apply(some).await {
                // One of them is not accepted; the others are not to suffer for it.
                Err(error) if error.code == Code::InvalidArgument => self.one_by_one(some).await?,
                other => other?,
            }
        }
        Ok(())
    }

    async fn one_by_one(&self, records: &[&Record]) -> Result<(), Error> {
        for record in records {
            match self.apply(&[record]).await {
                Err(error) if error.code == Code::InvalidArgument => {
                    let why = format!("it cannot be started: {}", error.message);
                    self.book.cannot_start(record.0.id, why).await?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn apply(&self, records: &[&Record]) -> Result<(), Error> {
        let bad = |why: String| Error::invalid(passes::reason::BAD_JOB, why);
        let mut specs = Vec::with_capacity(records.len());
        for record in records {
            let folder = self.checkpoints.join(record.0.id.to_string());
            let node = record.0.node.as_deref().unwrap_or_default();
            specs.push(spec_of(record, node, &folder.to_string_lossy()).map_err(bad)?);
        }
        let spec = toml_of(&specs).map_err(bad)?;
        self.scheduling
            .apply(&ApplyArgs { spec, wait_ms: 0 })
            .await?;
        Ok(())
    }
}
