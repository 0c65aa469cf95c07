//! caching.
