//! chassis.
