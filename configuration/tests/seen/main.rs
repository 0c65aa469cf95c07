//! What can be seen of configuration from outside: the real binary, over real sockets.

mod common;
mod interface;
mod kills;
mod operators;
mod values;
mod watches;
