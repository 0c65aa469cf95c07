//! monitoring.
