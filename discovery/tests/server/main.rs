//! The real binary, its typed client, and what it promises when things go wrong.

mod common;
mod interface;
mod promises;
