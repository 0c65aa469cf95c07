//! What can be seen of the gateway from outside: real binaries, raw HTTP.

mod calls;
mod common;
mod hostile;
mod limits;
