//! What services tell each other about tokens and calls.

use identity::Token;
use rpc::{Deserializable, Serializable};

use super::authority::{Holder, Kind};
use super::table::Digest;

/// An opaque token, as everybody may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct KnownToken {
    /// SHA-256 of the token, 32 bytes.
    pub digest: Vec<u8>,
    /// Names its holder: what it is for and its id, as in `ci (t-12)`.
    pub name: String,
    /// What it is good for, its roles included.
    pub grants: Vec<String>,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl KnownToken {
    /// As a table has it; `None` if it makes no sense. A grant of a later version that is not
    /// understood is left out: it allows nothing.
    #[must_use]
    pub fn to_holder(&self) -> Option<(Digest, Holder)> {
        let digest = Digest::try_from(self.digest.as_slice()).ok()?;
        let grants = self.grants.iter().filter_map(|g| g.parse().ok());
        let token = Token {
            grants: grants.collect(),
            expires_ms: self.expires_ms,
            revoked: self.revoked,
        };
        let holder = Holder {
            name: self.name.clone(),
            kind: Kind::Person,
            token,
        };
        Some((digest, holder))
    }
}

/// A call that was let in, or refused, and may have changed something: never its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RecordedCall {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who called.
    pub caller: String,
    /// Which service.
    pub service: String,
    /// Which instance of it.
    pub instance: String,
    /// Which procedure.
    pub procedure: String,
    /// What it was about, where that is known: an id or a name, never a secret.
    pub subject: String,
    /// `allowed`, or the word with which it was refused.
    pub verdict: String,
}
