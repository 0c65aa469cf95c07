//! What can be seen of caching from outside: real binaries, real storage.

mod common;
mod interface;
mod replicas;
mod through;
