//! Contacts as its callers see it: plans, bounds, and what the checker refuses.

#![expect(
    clippy::disallowed_methods,
    reason = "the reference data lies in files"
)]

mod checks;
mod data;
mod day;
mod network;
mod small;
