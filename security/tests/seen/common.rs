//! A real security in a folder of its own, with a known admin token.

use chassis::testing::{Process, Start};
use rpc::{AUTHORIZATION, CallOptions, Channel, Code, Error, Metadata};
use security::{CreateTokenArgs, SecurityClient};
use tempfile::TempDir;

pub(crate) const ADMIN: &str = "an admin token for tests, no secret";

pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) process: Process,
}

pub(crate) fn start(folder: &TempDir) -> Process {
    Start::binary(env!("CARGO_BIN_EXE_security"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_AUTH", "auto")
        .env("ADMIN_TOKEN", ADMIN)
        .ready()
}

pub(crate) fn house() -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let process = start(&folder);
    House { folder, process }
}

impl House {
    pub(crate) fn with(&self, token: &str) -> SecurityClient {
        with(&self.process, token)
    }

    pub(crate) fn admin(&self) -> SecurityClient {
        self.with(ADMIN)
    }
}

pub(crate) fn with(process: &Process, token: &str) -> SecurityClient {
    let mut metadata = Metadata::new();
    metadata.set(AUTHORIZATION, token.to_owned());
    SecurityClient::new(Channel::to(process.address())).with(CallOptions {
        metadata,
        ..CallOptions::default()
    })
}

pub(crate) fn named(name: &str, grants: &[&str]) -> CreateTokenArgs {
    CreateTokenArgs {
        name: name.to_owned(),
        grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        roles: Vec::new(),
        ttl_ms: None,
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
