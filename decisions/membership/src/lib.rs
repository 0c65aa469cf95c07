//! Who is alive: leases, as a state machine whose time is an argument.
//!
//! An *owner* (whatever the caller uses as a key: an instance id) holds a *lease*: the promise
//! that it is listed until `ttl_ms` after the last keepalive that was acknowledged. Every
//! registration gets a new [`Epoch`], so a keepalive that was sent for an earlier registration,
//! or by a process that was paused and replaced, is recognised and refused.
//!
//! Time is milliseconds of a **monotonic** clock: a wall clock that jumps changes nothing here.
//!
//! ```
//! use membership::{Leases, Terms};
//!
//! let tick_gap_max_ms = 4_000; // the example's clock goes in long steps
//! let mut leases = Leases::new(Terms { tick_gap_max_ms, ..Terms::default() });
//! let epoch = leases.register("echo.0.1", 5_000, 0);
//! assert_eq!(leases.keep_alive(&"echo.0.1", epoch, 4_000), Ok(9_000));
//! assert!(leases.expire(8_000).is_empty());
//! assert_eq!(leases.expire(9_000)[0].owner, "echo.0.1");
//! assert!(leases.keep_alive(&"echo.0.1", epoch, 9_001).is_err(), "it must register again");
//! ```
//!
//! # Promises
//! 1. No lease ends earlier than its TTL after its last acknowledged keepalive (D2), not even when
//!    this process itself was stopped: see [`Leases::expire`].
//! 2. A lease that has ended never comes back: its owner registers again, and has a new epoch (D1).
//! 3. Epochs only grow; a keepalive or deregistration with another epoch changes nothing.
//! 4. Registering, keeping alive and ending one lease costs O(log n).
//!
//! # Fail static
//! These leases say who is alive as far as this server can tell. A *client* that loses the server
//! keeps the last answer it had, marked with its age, and never turns a lost server into an empty
//! answer; [`Freshness`] is that judgement.

mod freshness;
mod leases;

pub use freshness::Freshness;
pub use leases::{Epoch, Expired, Lease, LeaseError, Leases, Terms};
