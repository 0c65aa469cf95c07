//! resource-scheduler.
