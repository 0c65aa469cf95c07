//! What this crate promises, kept by real processes. One module a topic; read them as the
//! specification.

mod adoption;
mod common;
mod fake;
mod figures;
mod life;
mod limits;
mod logs;
mod readiness;
mod secrets;
