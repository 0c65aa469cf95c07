//! The engine from outside: workers on real sockets, real files, outputs against an oracle.

mod harness;
mod recovery;
mod shared;
