//! A token for each instance: who it is, signed with the fleet's key, in a file of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chassis::trust::{Claims, FleetKey, Kind, TokenFileError, write_token};
use model::InstanceId;
use tokio::time::sleep;

use super::Processes;
use crate::grants_of;

/// Makes tokens, and makes them anew long before they expire.
pub struct Credentials {
    key: FleetKey,
    folder: PathBuf,
    lifetime: Duration,
}

impl Credentials {
    /// Signs with this key, writes into this folder (which is made if need be), for so long.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(key: FleetKey, folder: &Path, lifetime: Duration) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.to_owned();
        Ok(Self {
            key,
            folder,
            lifetime,
        })
    }

    /// What verifies the tokens, as `ORRERY_FLEET_KEY` has it.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.public().to_hex()
    }

    /// A token that says this, from now on.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn sign(&self, name: &str, kind: Kind, grants: Vec<identity::Grant>) -> io::Result<String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let until = since.unwrap_or_default() + self.lifetime;
        self.key.sign(&Claims {
            name: name.to_owned(),
            kind,
            grants,
            expires_ms: u64::try_from(until.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Writes a new token for an instance, and says where it is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, id: &InstanceId) -> Result<PathBuf, TokenFileError> {
        let path = self.path(&id.to_string());
        let service = id.slot.service.to_string();
        let grants = grants_of(&service);
        let token = self.sign(&id.to_string(), Kind::Instance { service }, grants);
        let token = token.map_err(|source| TokenFileError::Io {
            path: path.clone(),
            source,
        })?;
        write_token(&path, &token)?;
        Ok(path)
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
                if let Err(error) = self.write(running.id()) {
                    tracing::warn!(instance = %running.id(), %error, "its token is not renewed");
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
