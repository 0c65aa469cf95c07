//! How much of everything there may be.

/// Tokens, the revoked and expired ones included that are still remembered.
pub const TOKENS_MAX: usize = 10_000;
/// Roles.
pub const ROLES_MAX: usize = 256;
/// Grants of one token or role.
pub const GRANTS_MAX: usize = 64;
/// Roles of one token.
pub const TOKEN_ROLES_MAX: usize = 16;
/// The longest name of a token or role, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Entries of the audit log in one answer.
pub const AUDIT_PAGE_MAX: u32 = 1_000;
/// Calls that can be recorded at a time.
pub const RECORDS_MAX: usize = 1_000;
/// How long a token that is worth nothing any more is remembered: 30 days, in milliseconds.
pub const REMEMBERED_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Secrets.
pub const SECRETS_MAX: usize = 1_000;
/// The longest value of a secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 64 << 10;
/// The shortest first admin token that is accepted, in bytes.
pub const ADMIN_TOKEN_BYTES_MIN: usize = 20;
