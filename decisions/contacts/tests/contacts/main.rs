//! Contacts as its callers see it: plans, bounds, and what the checker refuses.

mod checks;
mod data;
mod day;
mod network;
mod satnet;
mod small;
