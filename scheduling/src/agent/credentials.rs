//! A token for each instance: who it is, signed with the fleet's key, in a file of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chassis::trust::{TokenFileError, write_token};
use model::{InstanceId, NodeId};
use tokio::time::sleep;

use super::launch::chain;
use super::{Processes, Signer};
use crate::{InstanceTokensArgs, SchedulingClient, reason};

/// Who makes the tokens of a machine's instances.
enum Source {
    /// Whoever has the fleet's key.
    Key(Arc<Signer>),
    /// Scheduling, which is asked for those of the instances that this node has.
    Scheduling(SchedulingClient, NodeId),
}

/// Gives each instance a token, and a new one long before that expires.
pub struct Credentials {
    source: Source,
    folder: PathBuf,
    public_key: String,
    lifetime: Duration,
}

/// Why an instance gets no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// It cannot be signed.
    #[error("failed to sign a token for {instance}")]
    Sign {
        /// For whom.
        instance: InstanceId,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Scheduling was asked and did not give it.
    #[error("failed to get a token for {instance} from scheduling: {}", .source.message)]
    Ask {
        /// For whom.
        instance: InstanceId,
        /// What it answered.
        source: Box<rpc::Error>,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] TokenFileError),
}

impl Credentials {
    /// Signs here, writes into this folder (which is made if need be).
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn signed_here(signer: Arc<Signer>, folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            public_key: signer.public_key(),
            lifetime: signer.lifetime(),
            source: Source::Key(signer),
            folder: folder.to_owned(),
        })
    }

    /// Asks scheduling, writes into this folder (which is made if need be). `None` in a fleet that
    /// asks nobody for a token.
    ///
    /// # Errors
    /// Scheduling does not answer, or the folder cannot be made.
    pub async fn from_scheduling(
        client: SchedulingClient,
        node: NodeId,
        folder: &Path,
    ) -> Result<Option<Self>, rpc::Error> {
        let args = InstanceTokensArgs {
            node: node.to_string(),
            instances: Vec::new(),
        };
        let reply = client.instance_tokens(&args).await?;
        if reply.fleet_key.is_empty() {
            return Ok(None);
        }
        fs::create_dir_all(folder).map_err(|e| {
            let message = format!("failed to make {}: {e}", folder.display());
            rpc::Error::internal(reason::STORE_FAILED, message)
        })?;
        Ok(Some(Self {
            source: Source::Scheduling(client, node),
            folder: folder.to_owned(),
            public_key: reply.fleet_key,
            lifetime: Duration::from_millis(reply.lifetime_ms),
        }))
    }

    /// What verifies the tokens, as `ORRERY_FLEET_KEY` has it.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.public_key.clone()
    }

    /// Writes a new token for an instance, and says where it is.
    ///
    /// # Errors
    /// There is none, or it cannot be written.
    pub async fn write(&self, id: &InstanceId) -> Result<PathBuf, NoToken> {
        let path = self.path(&id.to_string());
        let token = self.token(id).await?;
        write_token(&path, &token)?;
        Ok(path)
    }

    async fn token(&self, id: &InstanceId) -> Result<String, NoToken> {
        let (client, node) = match &self.source {
            Source::Key(signer) => {
                let instance = id.clone();
                let signed = signer.sign_instance(id);
                return signed.map_err(|source| NoToken::Sign { instance, source });
            }
            Source::Scheduling(client, node) => (client, node),
        };
        let args = InstanceTokensArgs {
            node: node.to_string(),
            instances: vec![id.to_string()],
        };
        let asked = client.instance_tokens(&args).await;
        let token = asked.and_then(|reply| {
            let missing = || rpc::Error::internal(reason::INVALID_REPORT, "it sent none");
            reply.tokens.into_iter().next().ok_or_else(missing)
        });
        let instance = id.clone();
        token.map_err(|e| NoToken::Ask {
            instance,
            source: Box::new(e),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.token"))
    }

    /// How long a token is used before the next one is made: a quarter of its life, so that three
    /// attempts in a row may fail.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.lifetime / 4
    }

    /// Keeps the tokens of all that run fresh, and removes those of what ended; for ever.
    pub async fn keep(self: Arc<Self>, processes: Processes) {
        loop {
            let mut files = BTreeSet::new();
            for running in processes.all() {
                files.insert(self.path(&running.id().to_string()));
                if let Err(error) = self.write(running.id()).await {
                    let error = chain(&error);
                    tracing::warn!(instance = %running.id(), error, "its token is not renewed");
                }
            }
            self.remove_others(&files);
            sleep(self.period()).await;
        }
    }

    fn remove_others(&self, wanted: &BTreeSet<PathBuf>) {
        let Ok(folder) = fs::read_dir(&self.folder) else {
            return;
        };
        // One that was just written for a process that is about to start is not known yet.
        let is_old = |path: &Path| {
            let written = fs::metadata(path).and_then(|meta| meta.modified());
            let age = written.ok().and_then(|at| at.elapsed().ok());
            age.is_some_and(|age| age > self.period())
        };
        for path in folder.flatten().map(|entry| entry.path()) {
            if !wanted.contains(&path) && is_old(&path) {
                // It expires all the same.
                let _ = fs::remove_file(&path);
            }
        }
    }
}
