//! What a caller may do: grants, expiry, revocation, and the reason for a refusal.
//!
//! A *token* stands for somebody, and carries *grants*. A [`Grant`] names a service, a procedure
//! and whether it may change something; names match whole or are `*`, never by prefix, so that
//! `web` says nothing about `web2`. There are no rules that forbid: what nobody granted is refused,
//! and a token without grants may do nothing.
//!
//! Time is milliseconds since the Unix epoch, and an argument.
//!
//! ```
//! use identity::{Call, Grant, Refusal, Token, decide};
//!
//! let token = Token::new(vec!["configuration:*:read".parse::<Grant>()?]);
//! let get = Call { service: "configuration", procedure: "get", writes: false };
//! let set = Call { service: "configuration", procedure: "set", writes: true };
//! assert_eq!(decide(Some(&token), &get, 0), Ok(()));
//! assert_eq!(decide(Some(&token), &set, 0), Err(Refusal::NotGranted));
//! assert_eq!(decide(None, &get, 0), Err(Refusal::UnknownToken));
//! # Ok::<(), identity::GrantError>(())
//! ```

mod grant;

pub use grant::{Grant, GrantError};

/// A call that somebody wants to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The service that is called.
    pub service: &'a str,
    /// The name of the procedure.
    pub procedure: &'a str,
    /// Whether the procedure may change something.
    pub writes: bool,
}

/// What is known of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// What its holder may do.
    pub grants: Vec<Grant>,
    /// From this moment on it is worth nothing (milliseconds since the Unix epoch).
    pub expires_ms: Option<u64>,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl Token {
    /// A token with these grants that lasts until it is revoked.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Self {
        Self {
            grants,
            ..Self::default()
        }
    }
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller showed no token.
    #[error("no token came with the call")]
    NoToken,
    /// The caller showed a token that nobody knows.
    #[error("nobody knows the token")]
    UnknownToken,
    /// The token was taken back.
    #[error("the token was revoked")]
    Revoked,
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
    /// None of the token's grants covers the call.
    #[error("no grant of the token covers the call")]
    NotGranted,
}

impl Refusal {
    /// The stable word for programs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::UnknownToken => "unknown-token",
            Self::Revoked => "token-revoked",
            Self::Expired => "token-expired",
            Self::NotGranted => "not-granted",
        }
    }

    /// Whether it is not known who calls, rather than known and not allowed.
    #[must_use]
    pub fn is_about_identity(self) -> bool {
        self != Self::NotGranted
    }
}

/// Whether the call may be made by the holder of `token`; `None` is a token that nobody knows. A
/// revoked token is told so even when it has expired too.
///
/// # Errors
/// The first [`Refusal`] that applies, in the order of their declaration.
pub fn decide(token: Option<&Token>, call: &Call<'_>, now_ms: u64) -> Result<(), Refusal> {
    let token = token.ok_or(Refusal::UnknownToken)?;
    if token.revoked {
        return Err(Refusal::Revoked);
    }
    if token.expires_ms.is_some_and(|at| at <= now_ms) {
        return Err(Refusal::Expired);
    }
    let covered = token.grants.iter().any(|grant| grant.covers(call));
    covered.then_some(()).ok_or(Refusal::NotGranted)
}
