//! For tests: the real binary of a service, on a port of its own.
