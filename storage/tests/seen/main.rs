//! What can be seen of storage from outside: the real binary, over real sockets.

mod common;
mod interface;
mod kills;
mod replicas;
