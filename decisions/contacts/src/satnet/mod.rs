//! NASA's Deep Space Network: a week of requests over big antennas that are not alike.
//!
//! A request wants hours of transmission in view periods, on one antenna or on several at once (an
//! array). Antennas are busy from set-up to tear-down, and closed for maintenance. A mission has
//! one transmission at a time. A request of 8 h or more may be split into pieces of at least 4 h.
//! The problem is that of `SatNet` (Goh et al., AAAI-22 ML4OR).
//!
//! [`solve`] plans, [`check`] judges a plan and says its [`Score`].

mod check;
mod model;
mod search;
mod state;

pub use check::{Fault, check};
pub use model::{Closed, Request, Score, Track, Way, Week};
pub use search::solve;
