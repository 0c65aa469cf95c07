//! What can be seen of monitoring from outside: real binaries, a real Prometheus.

mod alerts;
mod common;
mod points;
mod prometheus;
