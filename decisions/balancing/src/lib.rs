//! Which endpoint gets the call, and which gets none for a while.
//!
//! A [`Pool`] is told which endpoints there are, which call went where and what came of it; it is
//! asked where the next one goes. It has no clock and no randomness of its own: time is in
//! microseconds and an argument, and so are the draws.
//!
//! | module | what |
//! |---|---|
//! | `pool` | two choices on latency and calls in flight; zones; slow start |
//! | `outliers` | who answers errors gets no calls for a while |
//! | [`breaker`] | when nearly everything fails, calls are refused at once, and few are tried |
//! | [`budget`] | how many calls may be made a second time |
//! | [`hedge`] | when a second call is sent beside a slow one |
//! | [`split`] | which version a call is for |
//!
//! ```
//! use balancing::{Endpoint, Outcome, Pool, Settings};
//!
//! let mut pool = Pool::new(Settings::default());
//! let endpoint = |id: &str| Endpoint {
//!     id: id.into(),
//!     version: "1".into(),
//!     zone: "a".into(),
//!     weight: 100,
//! };
//! pool.set([endpoint("x"), endpoint("y")], 0);
//! let picked = pool.pick(None, &[], (7, 8), 1_000).unwrap();
//! pool.ended(picked, Outcome::Succeeded, 250, 1_250);
//! assert_eq!(pool.stats(1_250).iter().map(|s| s.picks).sum::<u64>(), 1);
//! ```

pub mod breaker;
pub mod budget;
pub mod hedge;
mod outliers;
mod pool;
pub mod split;

pub use outliers::OutlierSettings;
pub use pool::{Endpoint, EndpointStats, Outcome, Picked, Pool, Settings};
