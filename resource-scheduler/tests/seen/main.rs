//! What can be seen of the resource scheduler from outside: a real scheduling, real replicas, and
//! machines that are real to scheduling and hollow behind.

mod explains;
mod harness;
mod leads;
mod places;
mod uniform;
mod waits;
