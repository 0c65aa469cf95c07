//! What travels: arguments and results, plain data.

pub(crate) mod agents;
pub(crate) mod feeds;
pub(crate) mod instances;
pub(crate) mod nodes;
pub(crate) mod placement;
pub(crate) mod plans;
pub(crate) mod rollouts;
pub(crate) mod services;
