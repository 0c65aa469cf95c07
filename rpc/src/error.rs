//! What a call can end with, other than its result.

use std::borrow::Cow;
use std::fmt;

use crate::{Deserializable, Serializable};

/// The class of an error: what a caller can act on without reading text. Stable for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The caller gave up.
    Cancelled,
    /// The deadline passed. Whether the call took effect is not known.
    DeadlineExceeded,
    /// The server could not be reached, went away, or is not ready.
    Unavailable,
    /// A limit was reached: calls in flight, connections, bytes.
    ResourceExhausted,
    /// No procedure has this number here.
    UnknownProcedure,
    /// The payload does not fit the procedure's type.
    BadPayload,
    /// The payload or the answer is larger than a frame may be.
    TooLarge,
    /// The peer broke the protocol; the connection ended.
    Protocol,
    /// The arguments make no sense, whatever the state.
    InvalidArgument,
    /// What was named does not exist.
    NotFound,
    /// What was to be made exists.
    AlreadyExists,
    /// The arguments do not fit the present state; look again, then decide.
    Conflict,
    /// Who calls is not known.
    Unauthenticated,
    /// Who calls may not do this.
    PermissionDenied,
    /// The server is at fault.
    Internal,
}

impl Code {
    /// The word used in logs, metrics and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Unavailable => "unavailable",
            Self::ResourceExhausted => "resource_exhausted",
            Self::UnknownProcedure => "unknown_procedure",
            Self::BadPayload => "bad_payload",
            Self::TooLarge => "too_large",
            Self::Protocol => "protocol",
            Self::InvalidArgument => "invalid_argument",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the same call may succeed later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Not without changing something.
    #[default]
    Never,
    /// The call certainly had no effect: it may be made again at once, there or elsewhere.
    Safe,
    /// Perhaps, if the procedure may be repeated.
    IfIdempotent,
}

/// Why a call failed: a class to act on, a stable reason, a sentence, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serializable, Deserializable)]
#[error("{message}")]
pub struct Error {
    /// The class.
    pub code: Code,
    /// What exactly, in one stable word that programs may compare, as in `unknown-service`.
    pub reason: Cow<'static, str>,
    /// What and where, for people.
    pub message: String,
    /// What to do next; empty if nothing is known to help.
    pub hint: String,
    /// Whether to try again.
    pub retry: Retry,
}

impl Error {
    /// An error of this class, with its stable reason and a sentence.
    #[must_use]
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        let (reason, message) = (Cow::Borrowed(reason), message.into());
        Self {
            code,
            reason,
            message,
            hint: String::new(),
            retry: Retry::Never,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Adds whether to try again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The arguments make no sense.
    #[must_use]
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, reason, message)
    }

    /// What was named does not exist.
    #[must_use]
    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, reason, message)
    }

    /// The server is at fault.
    #[must_use]
    pub fn internal(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Internal, reason, message)
    }

    pub(crate) fn unavailable(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, reason, message).with_retry(Retry::IfIdempotent)
    }

    pub(crate) fn unsent(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, reason, message).with_retry(Retry::Safe)
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(Code::Protocol, "protocol", message)
            .with_hint("the peer is not an orrery server or client, or a far older one")
    }

    pub(crate) fn deadline() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            "deadline",
            "the call's deadline passed",
        )
        .with_hint("the call may have taken effect; look before repeating it")
        .with_retry(Retry::IfIdempotent)
    }
}
