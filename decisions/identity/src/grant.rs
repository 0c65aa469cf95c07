//! One thing that somebody may do.

use std::fmt;
use std::str::FromStr;

use crate::Call;

/// Stands for every name.
const ANY: &str = "*";
/// The longest name of a service or procedure, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A permission, written `service:procedure:read` or `service:procedure:write`; each name may be
/// `*`. Who may write may also read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    service: String,
    procedure: String,
    writes: bool,
}

/// Why a text is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It has not three parts.
    #[error("a grant is written service:procedure:read or service:procedure:write")]
    Shape,
    /// A name is empty, too long, or has a character that no name has.
    #[error("`{0}` is no name: it has 1 to 64 of a-z, 0-9, - and _, or is *")]
    Name(String),
    /// The last part is another word.
    #[error("`{0}` is no access: it is read or write")]
    Access(String),
}

impl Grant {
    /// Whether the call is one of those that it is about.
    #[must_use]
    pub fn covers(&self, call: &Call<'_>) -> bool {
        let same = |pattern: &str, name: &str| pattern == ANY || pattern == name;
        same(&self.service, call.service)
            && same(&self.procedure, call.procedure)
            && (self.writes || !call.writes)
    }

    /// Whether every call that `other` covers is covered by this one: what its holder may hand on.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let wider = |pattern: &str, name: &str| pattern == ANY || pattern == name;
        wider(&self.service, &other.service)
            && wider(&self.procedure, &other.procedure)
            && (self.writes || !other.writes)
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or(GrantError::Shape);
        let (service, procedure, access) = (part()?, part()?, part()?);
        if parts.next().is_some() {
            return Err(GrantError::Shape);
        }
        let writes = match access {
            "read" => false,
            "write" => true,
            other => return Err(GrantError::Access(other.to_owned())),
        };
        Ok(Self {
            service: name(service)?,
            procedure: name(procedure)?,
            writes,
        })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = if self.writes { "write" } else { "read" };
        write!(f, "{}:{}:{access}", self.service, self.procedure)
    }
}

fn name(text: &str) -> Result<String, GrantError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let is_name = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(fits);
    if text == ANY || is_name {
        return Ok(text.to_owned());
    }
    Err(GrantError::Name(
        text.chars().take(NAME_BYTES_MAX).collect(),
    ))
}
