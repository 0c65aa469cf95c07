//! The faces for operators: the page on 8080 (bin `dashboard`) and the command line (bin `orrery`).
//!
//! Both show what `scheduling` says and ask it for what the operator wants; they keep no state of
//! the fleet and decide nothing. What they share is how a moment is put into words.
//!
//! ```
//! assert_eq!(dashboard::ago(1_000, 184_000), "3m ago");
//! assert_eq!(dashboard::span(5_400_000), "1h30m");
//! ```

mod moments;

pub use moments::{ago, span};

/// The name under which the page announces itself.
pub const SYSTEM_NAME: &str = "dashboard";

/// Where the page listens when `PORT` says nothing else: HTTP, loopback only.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:8080";
