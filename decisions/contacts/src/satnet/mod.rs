//! NASA's Deep Space Network: a week of requests over big antennas that are not alike.
//!
//! A request wants hours of transmission in view periods, on one antenna or on several at once (an
//! array). Antennas are busy from set-up to tear-down, and closed for maintenance. A mission has
//! one transmission at a time. A request of 8 h or more may be split into pieces of at least 4 h.
//! The problem is that of `SatNet` (Goh et al., AAAI-22 ML4OR).
//!
//! [`read`] takes the files of the data set, [`solve`] plans, [`check`] judges a plan and says its
//! [`Score`], and [`published`] is what others reached.

mod check;
mod file;
mod model;
mod published;
mod search;
mod state;

pub use check::{Fault, check};
pub use file::{FileError, Network, read};
pub use model::{Closed, Request, Score, Track, Way, Week, WeekError};
pub use published::{Rival, published};
pub use search::{solve, solve_watched};
