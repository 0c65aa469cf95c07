//! Orbits and passes: the published verification sets, a day of real satellites, and the odd ones.

#![expect(
    clippy::disallowed_methods,
    reason = "the reference data lies in files"
)]

mod agreement;
mod data;
mod passes;
mod places;
mod tles;
mod verification;
