//! What can be seen of the gateway from outside: real binaries, raw HTTP.

mod calls;
mod common;
mod drain;
mod guarded;
mod hostile;
mod limits;
mod streams;
mod threats;
