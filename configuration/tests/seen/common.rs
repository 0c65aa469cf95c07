//! A real configuration in a folder of its own.

use chassis::testing::{Process, Start};
use configuration::{ConfigurationClient, Declaration, DeclareArgs, SetArgs, ValueType};
use rpc::{Channel, Code, Error};
use tempfile::TempDir;

pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) process: Process,
}

pub(crate) fn start(folder: &TempDir) -> Process {
    Start::binary(env!("CARGO_BIN_EXE_configuration"))
        .env("ORRERY_DATA", folder.path().display())
        .ready()
}

pub(crate) fn house() -> (House, ConfigurationClient) {
    let folder = tempfile::tempdir().unwrap();
    let process = start(&folder);
    let client = client(&process);
    (House { folder, process }, client)
}

pub(crate) fn client(process: &Process) -> ConfigurationClient {
    ConfigurationClient::new(Channel::to(process.address()))
}

pub(crate) fn set(key: &str, value: &str) -> SetArgs {
    SetArgs::new(key, value)
}

pub(crate) fn integer(name: &str, min: i64, max: i64, default: &str) -> Declaration {
    Declaration {
        name: name.to_owned(),
        value_type: ValueType::Integer { min, max },
        default: default.to_owned(),
        help: "for tests".to_owned(),
        needs_restart: false,
    }
}

pub(crate) fn declare(service: &str, declarations: Vec<Declaration>) -> DeclareArgs {
    DeclareArgs {
        service: service.to_owned(),
        declarations,
    }
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
