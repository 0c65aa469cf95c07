//! What travels.

use chassis::trust::{KnownToken, RecordedCall};
use rpc::{Deserializable, Serializable};

/// Makes a token.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct CreateTokenArgs {
    /// What it is for, as in `ci`; need not be unique.
    pub name: String,
    /// What its holder may do, as in `configuration:*:write`.
    #[serde(default)]
    pub grants: Vec<String>,
    /// Roles whose grants its holder has too.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long it lasts, in milliseconds; until it is revoked if absent.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq, Serializable, Deserializable)]
pub struct CreateTokenReply {
    /// Names it from now on; no secret.
    pub id: String,
    /// The token: whoever has it may do what it is good for. It is not said again.
    pub token: String,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
}

impl std::fmt::Debug for CreateTokenReply {
    /// Without the token: what is logged is no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateTokenReply")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Asks what a token is good for.
#[derive(Clone, PartialEq, Eq, Serializable, Deserializable)]
pub struct ValidateTokenArgs {
    /// The token.
    pub token: String,
    /// If given, whether it is good for a call of this service;
    #[serde(default)]
    pub service: String,
    /// of this procedure;
    #[serde(default)]
    pub procedure: String,
    /// that changes something.
    #[serde(default)]
    pub writes: bool,
}

impl std::fmt::Debug for ValidateTokenArgs {
    /// Without the token: what is logged is no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidateTokenArgs")
            .field("service", &self.service)
            .field("procedure", &self.procedure)
            .finish_non_exhaustive()
    }
}

/// What a token is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ValidateTokenReply {
    /// Whether it is good for the call, or for anything at all if no call was named.
    pub valid: bool,
    /// Why not, in the stable word that the call itself would be refused with; else empty.
    pub reason: String,
    /// What is known of it, if it is one of ours.
    pub token: Option<TokenInfo>,
}

/// Takes a token back.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RevokeTokenArgs {
    /// Its id, as `create_token` and `list_tokens` say it.
    pub id: String,
}

/// Asks for tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListTokensArgs {
    /// Also those that are revoked or expired.
    #[serde(default)]
    pub all: bool,
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct TokenInfo {
    /// Names it.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its own grants.
    pub grants: Vec<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// When it was made, in milliseconds since the Unix epoch, as all times here.
    pub created_ms: u64,
    /// Who made it.
    pub created_by: String,
    /// When it expires.
    pub expires_ms: Option<u64>,
    /// When it was revoked.
    pub revoked_ms: Option<u64>,
    /// When it was last used, as far as security has heard since its start: services tell it every
    /// few seconds of calls that change something.
    pub last_used_ms: Option<u64>,
}

/// Tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListTokensReply {
    /// By age.
    pub tokens: Vec<TokenInfo>,
}

/// What a follower is told.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum TokenEvent {
    /// A part of all that there is; the last part has `more: false`. Nothing else is known then.
    All {
        /// Some tokens.
        tokens: Vec<KnownToken>,
        /// Whether more parts follow.
        more: bool,
    },
    /// These are new, or are good for something else than before.
    Changed {
        /// The tokens as they are now.
        tokens: Vec<KnownToken>,
    },
}

/// A name for grants.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What who has it may do.
    pub grants: Vec<String>,
}

/// Makes or changes a role.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct SetRoleArgs {
    /// Its name.
    pub name: String,
    /// What who has it may do.
    pub grants: Vec<String>,
}

/// Removes a role.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct DeleteRoleArgs {
    /// Its name.
    pub name: String,
}

/// All roles.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct ListRolesReply {
    /// By name.
    pub roles: Vec<Role>,
}

/// Asks who changed what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serializable, Deserializable)]
pub struct AuditArgs {
    /// Entries after this number; 0 begins with the oldest.
    #[serde(default)]
    pub after: u64,
    /// At most so many; 0 is as many as there may be (1,000).
    #[serde(default)]
    pub limit: u32,
    /// Only what this caller did.
    #[serde(default)]
    pub caller: Option<String>,
    /// Only what was done to this service.
    #[serde(default)]
    pub service: Option<String>,
}

/// One thing that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct AuditEntry {
    /// Its number, without gaps.
    pub number: u64,
    /// What was called, when, by whom.
    pub call: RecordedCall,
    /// SHA-256 of the hash of the entry before and of this one, in hexadecimal digits.
    pub hash: String,
}

/// Who changed what.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct AuditReply {
    /// Oldest first.
    pub entries: Vec<AuditEntry>,
    /// Give this as `after` to go on; `None` if that was all.
    pub next: Option<u64>,
}

/// What was called elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serializable, Deserializable)]
pub struct RecordArgs {
    /// Calls, in the order in which they were made.
    pub calls: Vec<RecordedCall>,
}

impl AuditEntry {
    /// The hash that an entry has after one with the hash `before`. Who reads the log can check
    /// with it that nothing was changed or left out.
    #[must_use]
    pub fn hash_of(before: &str, number: u64, call: &RecordedCall) -> String {
        let RecordedCall {
            at_ms,
            caller,
            service,
            instance,
            procedure,
            subject,
            verdict,
        } = call;
        let texts = [
            before, caller, service, instance, procedure, subject, verdict,
        ];
        let mut bytes = Vec::new();
        for number in [number, *at_ms] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for text in texts {
            // With its length, so that no two entries are the same bytes.
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        let digest = chassis::trust::digest(&bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this entry follows one with the hash `before`.
    #[must_use]
    pub fn follows(&self, before: &str) -> bool {
        self.hash == Self::hash_of(before, self.number, &self.call)
    }
}
