//! What can be seen of routing from outside: real binaries, instances that are slow, bad or gone.

mod calls;
mod common;
mod splits;
