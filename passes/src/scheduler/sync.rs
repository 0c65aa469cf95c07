//! The atomics of a commit; `tests/commit` compiles the same commit with loom's.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
