//! Why a verb did not do what it was asked to: for people, with what to do next.

use std::io;

use crate::exit::Exit;

/// One failure: its exit code, what happened and where, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failure {
    /// What scripts see.
    pub(crate) exit: Exit,
    /// What happened and where: a fragment that follows `error: `.
    pub(crate) what: String,
    /// What to do next, one line each.
    pub(crate) hints: Vec<String>,
    /// `what` is a finished drawing (an excerpt of a file with a caret) and is printed as it is.
    pub(crate) drawn: bool,
}

impl Failure {
    /// A failure with no hint yet.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            hints: Vec::new(),
            drawn: false,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what was most likely meant, before every other hint.
    #[must_use]
    pub(crate) fn meant(mut self, near: Option<&str>) -> Self {
        if let Some(near) = near {
            self.hints.insert(0, format!("did you mean {near}?"));
        }
        self
    }

    /// A reader that went away (`orrery logs echo | head`) is no failure: there is nobody left to
    /// tell, and nothing went wrong.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.exit == Exit::Ok
    }
}

impl From<rpc::Error> for Failure {
    fn from(error: rpc::Error) -> Self {
        let failure = Self::new(Exit::of(error.code), error.message);
        if error.hint.is_empty() {
            return failure;
        }
        failure.hint(error.hint)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Ok, "the reader went away");
        }
        Self::new(Exit::Failed, format!("failed to write the output: {error}"))
    }
}
