//! What can be seen of security from outside: the real binary, over real sockets.

mod certificates;
mod common;
mod interface;
mod kills;
mod operators;
mod secrets;
