//! The embedded engine keeps every promise of the trait.

mod support;

store::conformance_tests!(support::Embedded::new());
