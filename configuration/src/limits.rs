//! How much of everything there may be.

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Writes of one key that are remembered, the present one included.
pub const HISTORY_MAX: usize = 100;
/// Keys that one service may declare.
pub const DECLARATIONS_MAX: usize = 100;
/// Items in one page of a list.
pub const PAGE_MAX: u32 = 1_000;
/// The longest text that says what a key is for, in bytes.
pub const HELP_BYTES_MAX: usize = 1_000;
/// Texts that a key may be limited to.
pub const CHOICES_MAX: usize = 100;
