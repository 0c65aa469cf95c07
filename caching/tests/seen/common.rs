//! Real caches, a real discovery, a real storage.

use chassis::testing::{Process, Start, workspace_binary};
use rpc::{Code, Error};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_caching");

pub(crate) fn discovery() -> Process {
    Start::binary(&workspace_binary("discovery")).ready()
}

/// A replica that discovery knows by this name.
pub(crate) fn replica(discovery: &Process, name: &str) -> Process {
    Start::binary(BINARY)
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_INSTANCE", name)
        .ready()
}

pub(crate) fn check_refused<T: std::fmt::Debug>(
    result: Result<T, Error>,
    code: Code,
    reason: &str,
) {
    let error = result.expect_err(reason);
    assert_eq!(
        (error.code, error.reason.as_ref()),
        (code, reason),
        "{error}"
    );
    assert!(!error.hint.is_empty(), "{error:?}");
}
