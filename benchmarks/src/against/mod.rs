//! Whole services beside the programs that people would take instead.

pub(crate) mod cache;
mod callers;
pub(crate) mod proxy;
pub(crate) mod services;
