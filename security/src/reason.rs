//! The stable words with which calls are refused.

/// A name has no, too many or strange characters.
pub const BAD_NAME: &str = "bad-name";
/// A grant cannot be read.
pub const BAD_GRANT: &str = "bad-grant";
/// Too many of something.
pub const TOO_MANY: &str = "too-many";
/// The caller would give away what it does not have.
pub const GRANTS_TOO_WIDE: &str = "grants-too-wide";
/// There is no token with this id.
pub const UNKNOWN_TOKEN_ID: &str = "unknown-token-id";
/// There is no such role.
pub const UNKNOWN_ROLE: &str = "unknown-role";
/// A token has the role.
pub const ROLE_IN_USE: &str = "role-in-use";
/// A time to live is 0.
pub const BAD_TTL: &str = "bad-ttl";
/// The state cannot be written any more.
pub const STORE_FAILED: &str = "store-failed";
/// There is no such secret.
pub const UNKNOWN_SECRET: &str = "unknown-secret";
/// A secret's value has no or too many bytes.
pub const BAD_SECRET: &str = "bad-secret";
/// A secret cannot be opened with any key there is.
pub const SECRET_SEALED: &str = "secret-sealed";
/// The file of keys cannot be read or written.
pub const KEYS_FAILED: &str = "keys-failed";
/// Only instances have an identity that is certified.
pub const NO_IDENTITY: &str = "no-identity";
/// This is no request for a certificate.
pub const BAD_REQUEST: &str = "bad-request";
/// Instances other than scheduling's read no secrets.
pub const NOT_FOR_INSTANCES: &str = "not-for-instances";
/// Only instances of the fleet record calls.
pub const NOT_AN_INSTANCE: &str = "not-an-instance";
