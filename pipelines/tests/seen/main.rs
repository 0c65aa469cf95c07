//! What can be seen of pipelines from outside: the real service, real workers, real kills.

mod harness;
mod kills;
mod lifecycle;
mod operators;
mod plans;
mod refusals;
mod rescales;
