//! Which pass each antenna takes.
