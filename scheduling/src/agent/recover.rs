//! Coming back: what did an earlier agent start, and what of it still runs?

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::{Exit, Failure, InstanceId, ProcessIdentity, Revision};
use reconciliation::node::{Ending, LocalPhase, LocalProcess, NodeState};
use supervision::{AdoptError, Running, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::start::Starter;
use super::table::{Record, Table};
use super::{Agent, Processes, Settings, guard};

/// Why an agent could not find out what runs. It must not guess: it would start things twice.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its journal cannot be read or written.
    #[error("failed to open the journal {path:?}")]
    Journal {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The process table cannot be read.
    #[error("failed to look for processes of an earlier agent")]
    Survivors(#[source] io::Error),
    /// One of its processes cannot be looked at.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
}

impl Agent {
    /// Finds everything an earlier agent started: what it recorded, and what it had no time to
    /// record. What nobody recorded the start of is ended.
    ///
    /// # Errors
    /// [`StartError`]: without knowing what runs, nothing may be started.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings {
            node,
            journal,
            surroundings,
            runtime,
            artifacts,
        } = settings;
        let mut table = Table::open(&journal).map_err(|source| StartError::Journal {
            path: journal,
            source,
        })?;
        let mut found = Found::default();
        found.look(&mut table, &runtime).await?;
        let adopted = found.running.len();
        let table = Arc::new(Mutex::new(table));
        let starter = Starter {
            runtime: Arc::clone(&runtime),
            artifacts,
            table: Arc::clone(&table),
            surroundings,
            turns: Starter::turns(),
        };
        let ((tell, happened), (seen, seeing)) =
            (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        Ok(Self {
            state: NodeState {
                node,
                applied: Revision(0),
                processes: found.processes,
            },
            processes: Processes(Arc::new(Mutex::new(found.running))),
            dooms: BTreeMap::new(),
            adopted,
            runtime,
            table,
            starter: Arc::new(starter),
            happened,
            tell,
            seen,
            seeing,
            sent: BTreeMap::new(),
        })
    }
}

#[derive(Default)]
struct Found {
    processes: BTreeMap<InstanceId, LocalProcess>,
    running: BTreeMap<InstanceId, Running>,
}

impl Found {
    async fn look(
        &mut self,
        table: &mut Table,
        runtime: &Arc<dyn Runtime>,
    ) -> Result<(), StartError> {
        let records = table.records().clone();
        let survivors = runtime.survivors().await.map_err(StartError::Survivors)?;
        let mut survivors: BTreeMap<_, _> =
            survivors.into_iter().map(|s| (s.id, s.identity)).collect();
        let mut looking = JoinSet::new();
        for (id, record) in records {
            let survivor = survivors.remove(&id);
            if let (None, Some(identity)) = (&record.identity, &survivor)
                && let Err(error) = table.runs(&id, identity)
            {
                tracing::warn!(instance = %id, %error, "the journal cannot be written");
            }
            let runtime = Arc::clone(runtime);
            looking.spawn(async move { (id.clone(), one(&*runtime, id, record, survivor).await) });
        }
        while let Some(Ok((id, found))) = looking.join_next().await {
            match found? {
                Ok(running) => {
                    let process = LocalProcess {
                        identity: Some(running.identity().clone()),
                        phase: LocalPhase::Found,
                    };
                    self.processes.insert(id.clone(), process);
                    self.running.insert(id, running);
                }
                Err((identity, failure)) => {
                    let phase = LocalPhase::Ended(Ending::Failed(failure));
                    self.processes.insert(id, LocalProcess { identity, phase });
                }
            }
        }
        for (id, identity) in survivors {
            end_unknown(&**runtime, id, identity).await?;
        }
        Ok(())
    }
}

type Gone = (Option<ProcessIdentity>, Failure);

/// The process of one record, or why there is none.
async fn one(
    runtime: &dyn Runtime,
    id: InstanceId,
    record: Record,
    survivor: Option<ProcessIdentity>,
) -> Result<Result<Running, Gone>, AdoptError> {
    let Some(identity) = record.identity.or(survivor) else {
        let why = "scheduling went away before it was started".to_owned();
        let failure = Failure::NotStarted {
            why,
            retryable: true,
        };
        return Ok(Err((None, failure)));
    };
    if let Some(running) = runtime.adopt(id.clone(), identity.clone()).await? {
        return Ok(Ok(running));
    }
    let failure = Failure::Exited {
        exit: Exit::Unknown,
        last_lines: runtime.last_lines(&id, guard::LAST_LINES),
    };
    Ok(Err((Some(identity), failure)))
}

/// Its start was not even intended, as far as anybody knows: a journal was lost.
async fn end_unknown(
    runtime: &dyn Runtime,
    id: InstanceId,
    identity: ProcessIdentity,
) -> Result<(), StartError> {
    tracing::warn!(instance = %id, pid = identity.pid, "ending a process that nobody recorded");
    if let Some(running) = runtime.adopt(id, identity).await? {
        super::stopped(runtime, &running, std::time::Duration::ZERO).await;
    }
    Ok(())
}
