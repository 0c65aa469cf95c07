//! Why a task ends before its data does.

use std::io;

use serde::{Deserialize, Serialize};

use crate::columns::ArrowError;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// The author of the pipeline, or whoever feeds it.
    User,
    /// This crate.
    Internal,
    /// A disk, a network, another program.
    External,
}

/// Whether it makes sense to start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// It would end the same way.
    NoRetry,
    /// After a pause.
    WithBackoff,
    /// From this checkpoint it would end the same way; from an older one it may not.
    OlderCheckpoint,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Whose fault it is.
    pub domain: Domain,
    /// Whether it makes sense to start again.
    pub hint: Hint,
    /// What happened; at most 2,000 characters.
    pub message: String,
}

impl Failure {
    /// A failure; a message that is too long is cut.
    pub fn new(domain: Domain, hint: Hint, message: impl Into<String>) -> Failure {
        let message: String = message.into().chars().take(2000).collect();
        Failure {
            domain,
            hint,
            message,
        }
    }

    /// The disk or the network failed at `what`.
    pub fn io(what: impl std::fmt::Display, error: &io::Error) -> Failure {
        Failure::new(
            Domain::External,
            Hint::WithBackoff,
            format!("{what}: {error}"),
        )
    }

    /// The pipeline's author asked for what cannot be.
    pub fn user(message: impl Into<String>) -> Failure {
        Failure::new(Domain::User, Hint::NoRetry, message)
    }
}

/// Why a task does not go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It was told to stop at once, or a neighbour has ended.
    Stopped,
    /// It failed.
    Failed(Failure),
}

impl From<ArrowError> for Halt {
    fn from(error: ArrowError) -> Halt {
        Halt::Failed(Failure::new(
            Domain::Internal,
            Hint::NoRetry,
            error.to_string(),
        ))
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Halt {
        Halt::Failed(failure)
    }
}
