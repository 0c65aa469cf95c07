//! What can be seen of passes from outside: a real fleet, real nodes, real processes.

mod contacts;
mod harness;
mod interface;
mod jobs;
mod nodes;
