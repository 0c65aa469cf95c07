//! How a service ends: exit codes are a contract with whoever supervises it.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Exit codes, with the numbers of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: it was asked to end, and drained.
    Ended,
    /// 64: a flag that does not exist, or has no value. Restarting does not help.
    Usage,
    /// 69: something it needs is not to be had: its port is taken, its data directory is locked.
    Unavailable,
    /// 70: it could not start for another reason.
    Software,
    /// 78: a setting is wrong. Restarting does not help.
    Config,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ended => 0,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a service did not start. Made from any error with `?`; not an error itself, because nobody
/// but `main` handles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code it leads to.
    pub exit: Exit,
    /// What and where; a lower-case fragment.
    pub message: String,
    /// What to do next; may be empty.
    pub hint: String,
}

impl Failure {
    /// A failure with this exit code.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// As it is printed on stderr.
    #[must_use]
    pub fn render(&self, service: &str) -> String {
        let mut text = format!("{service}: error: {}\n", self.message);
        if !self.hint.is_empty() {
            for line in self.hint.lines() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  hint: {line}");
            }
        }
        text
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            let _ = write!(message, ": {cause}");
            source = cause.source();
        }
        Self::new(Exit::Software, message)
    }
}
