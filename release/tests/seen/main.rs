//! What can be seen of release from outside: a real fleet, real releases, real load.

mod canary;
mod crashes;
mod harness;
mod interface;
mod kills;
mod load;
mod under_load;
