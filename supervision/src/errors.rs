//! One error per operation; the variants are what a caller can act on.

use std::fmt;
use std::io;
use std::path::PathBuf;

use model::{InstanceId, ProcessIdentity};

/// Something an instance may be limited in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// CPU time.
    Cpu,
    /// Memory.
    Memory,
    /// Processes and threads.
    Pids,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        })
    }
}

/// Why a runtime could not start its work.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what} {path:?}")]
pub struct SetupError {
    /// What was tried.
    pub what: &'static str,
    /// With which path.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Why a process was not started. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program.
    #[error("program {program:?} was not found; give its path, or a name that is in PATH")]
    ProgramNotFound {
        /// As it was given.
        program: PathBuf,
    },
    /// The kernel would not run the program.
    #[error("program {program:?} cannot be run; is it executable, and built for this machine?")]
    NotExecutable {
        /// The file.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The working directory cannot be entered.
    #[error("working directory {path:?} cannot be entered")]
    WorkingDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// This machine cannot enforce a limit that was asked for.
    #[error("the {which} limit cannot be enforced here: {why}; run without it, or on another node")]
    LimitNotEnforceable {
        /// Which one.
        which: Limit,
        /// What is missing.
        why: String,
    },
    /// Something in the launch cannot be passed to any program.
    #[error("{field} cannot be passed to a program: {why}")]
    Invalid {
        /// Which part of the launch.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An instance of this name is running already.
    #[error("{id} is already running; adopt or stop it first")]
    AlreadyRunning {
        /// The instance.
        id: InstanceId,
    },
    /// Its log cannot be opened.
    #[error("log {path:?} cannot be opened")]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The machine is short of something (file descriptors, processes, memory), or a step failed.
    #[error("failed to {what}")]
    System {
        /// The step.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SpawnError {
    /// Whether the same launch may succeed later, with nobody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::System { .. } | Self::Log { .. })
    }
}

/// Why it could not be told whether a process still runs.
#[derive(Debug, thiserror::Error)]
#[error("failed to look at process {} of {id}", identity.pid)]
pub struct AdoptError {
    /// The instance.
    pub id: InstanceId,
    /// The process that was looked for.
    pub identity: ProcessIdentity,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Why a stop could not be reported as done.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Even SIGKILL did not end these; they are stuck in the kernel (state D), most likely on I/O.
    #[error("{id}: processes {pids:?} did not end after SIGKILL; look at /proc/PID/stack")]
    StillThere {
        /// The instance.
        id: InstanceId,
        /// Who is left.
        pids: Vec<u32>,
    },
    /// What is left cannot be told.
    #[error("{id}: failed to look at its processes")]
    System {
        /// The instance.
        id: InstanceId,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
