//! What can be seen of release from outside: a real fleet, real releases, real load.

mod harness;
mod interface;
mod kills;
mod under_load;
