//! reconciliation.
