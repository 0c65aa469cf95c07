//! The engine from outside: workers on real sockets, real files, outputs against an oracle.

mod exact;
mod faults;
mod harness;
mod joins;
mod oracle;
mod queries;
mod recovery;
mod shared;
mod sql;
