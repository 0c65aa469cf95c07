//! Real replicas on one folder.

use chassis::testing::{Process, Start};
use rpc::{Channel, Code, Error};
use storage::StorageClient;
use tempfile::TempDir;

pub(crate) fn start(folder: &TempDir) -> Process {
    Start::binary(env!("CARGO_BIN_EXE_storage"))
        .env("ORRERY_DATA", folder.path().display())
        .ready()
}

pub(crate) fn client(process: &Process) -> StorageClient {
    StorageClient::new(Channel::to(process.address()))
}

/// One that leads.
pub(crate) struct House {
    pub(crate) process: Process,
    _folder: TempDir,
}

pub(crate) fn house() -> (House, StorageClient) {
    let folder = tempfile::tempdir().unwrap();
    let process = start(&folder);
    let client = client(&process);
    let house = House {
        process,
        _folder: folder,
    };
    (house, client)
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
