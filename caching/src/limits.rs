//! How much of everything there may be.

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1_024;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Keys in one call.
pub const KEYS_MAX: usize = 1_000;
/// Bytes of values in one answer, about.
pub const REPLY_BYTES_MAX: usize = 2 << 20;
