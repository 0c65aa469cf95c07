//! What time it is, for people and for decisions.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, for people.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// The same when this process first asks, and from then on as time goes by: whoever sets the clock
/// turns no release back.
pub(crate) fn steady_ms() -> u64 {
    static BEGUN: OnceLock<(u64, Instant)> = OnceLock::new();
    let (at_ms, begun) = BEGUN.get_or_init(|| (now_ms(), Instant::now()));
    let since_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    at_ms.saturating_add(since_ms)
}
