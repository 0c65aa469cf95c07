//! When a satellite is in sight of a station.
//!
//! [`parse`] reads two-line element sets (TLEs), [`Satellite`] propagates one of them (SGP4), and
//! [`predict`] says when it is above the horizon of each [`Station`]: rise, culmination and set.
//! [`look`] and [`ground_point`] are for pointing an antenna and for drawing a map.
//!
//! # How good it is
//!
//! A TLE is right to about a kilometre at its epoch and to one to three more a day: a rise is then
//! good to a second or so. Beside that the rest is small: UT1 is taken as UTC (at most 0.9 s of the
//! Earth's rotation), polar motion and refraction are left out. Ask with TLEs of the same day.
//!
//! # Time
//!
//! Milliseconds since 1970-01-01 UTC, without leap seconds, always an argument.
//!
//! ```
//! use orbits::{Satellite, Span, Station, parse, predict};
//!
//! let text = "ISS (ZARYA)\n\
//!     1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992\n\
//!     2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n";
//! let tles = parse(text)?;
//! let iss = Satellite::new(&tles[0])?;
//! let athens = Station::new(37.85, 22.62, 0.0, 5.0)?;
//! let day = Span { from_ms: iss.epoch_ms(), until_ms: iss.epoch_ms() + 86_400_000 };
//! let sights = predict(&iss, &[athens], day)?;
//! assert_eq!(sights[0].passes().len(), 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod frames;
mod passes;
mod propagate;
mod roots;
mod station;
mod tle;

pub use frames::{GroundPoint, Look, ground_point, look, sidereal_angle};
pub use passes::{Pass, PredictError, Sight, Span, predict};
pub use propagate::{ElementsError, PropagationError, Satellite, State};
pub use station::{Station, StationError};
pub use tle::{Tle, TleError, TleProblem, parse};
