//! Where on a machine an agent keeps its things.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use supervision::{ProcessRuntime, SetupError};

/// The longest path a Unix socket may have, with room for the terminating zero.
const SOCKET_PATH_MAX: usize = 107;

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A directory or file cannot be made.
    #[error("failed to make {path:?}; `--data` or ORRERY_DATA names another data directory")]
    Make {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another agent has it.
    #[error("{path:?} is used by {holder} already; end that, or use another `--data`")]
    Held {
        /// The directory.
        path: PathBuf,
        /// Who, as far as it said.
        holder: String,
    },
    /// The runtime cannot be started there.
    #[error(transparent)]
    Runtime(#[from] SetupError),
}

/// The directories of one agent under a data directory.
#[derive(Debug)]
pub struct Place {
    /// The data directory, absolute.
    pub data: PathBuf,
    /// The agent's own.
    pub own: PathBuf,
    /// What instances write.
    pub logs: PathBuf,
}

impl Place {
    /// Makes the directories: `name` is the agent's own, `logs` the one of its instances.
    ///
    /// # Errors
    /// [`PlaceError::Make`].
    pub fn make(data: &Path, name: &str, logs: &str) -> Result<Self, PlaceError> {
        let make = |path: &Path| {
            let made = fs::create_dir_all(path).and_then(|()| path.canonicalize());
            made.map_err(|source| PlaceError::Make {
                path: path.to_owned(),
                source,
            })
        };
        let data = make(data)?;
        Ok(Self {
            own: make(&data.join(name))?,
            logs: make(&data.join(logs))?,
            data,
        })
    }

    /// Where the agent remembers what it started.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.own.join("agent.journal")
    }

    /// Takes the place for this process, for as long as the file is open.
    ///
    /// # Errors
    /// [`PlaceError::Held`] at once when another process has it.
    pub fn lock(&self) -> Result<File, PlaceError> {
        let path = self.own.join("lock");
        let error = |source| PlaceError::Make {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(error)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(error)?;
            let path = self.own.clone();
            return Err(PlaceError::Held { path, holder });
        }
        let command: Vec<String> = std::env::args().collect();
        let words = format!("process {} ({})", std::process::id(), command.join(" "));
        file.set_len(0)
            .and_then(|()| file.write_all(words.as_bytes()))
            .map_err(error)?;
        Ok(file)
    }

    /// Starts a runtime whose processes are marked as this place's.
    ///
    /// # Errors
    /// [`PlaceError`] says what cannot be made.
    pub fn start_runtime(&self) -> Result<ProcessRuntime, PlaceError> {
        let scope = self.scope()?;
        let mut settings = supervision::Settings::new(&scope, &self.logs);
        settings.notify_socket = Some(self.notify_socket(&scope));
        Ok(ProcessRuntime::start(settings)?)
    }

    /// Sockets have short names: a long data directory has its socket among the temporary files.
    fn notify_socket(&self, scope: &str) -> PathBuf {
        let path = self.own.join("notify.sock");
        if path.as_os_str().len() <= SOCKET_PATH_MAX {
            return path;
        }
        std::env::temp_dir().join(format!("orrery-{scope}.sock"))
    }

    /// What marks the processes of this place, wherever it is moved.
    fn scope(&self) -> Result<String, PlaceError> {
        let path = self.own.join("scope");
        if let Ok(scope) = fs::read_to_string(&path)
            && !scope.trim().is_empty()
        {
            return Ok(scope.trim().to_owned());
        }
        let fresh = fs::read_to_string("/proc/sys/kernel/random/uuid").and_then(|scope| {
            fs::write(&path, &scope)?;
            Ok(scope.trim().to_owned())
        });
        fresh.map_err(|source| PlaceError::Make { path, source })
    }
}
