//! A real discovery, another real service, and a real monitoring that asks them often.

use std::time::Instant;

use chassis::testing::{PATIENCE, Process, Start, workspace_binary};
use monitoring::MonitoringClient;
use rpc::{Channel, Code, Error};
use tempfile::TempDir;

pub(crate) struct Fleet {
    pub(crate) discovery: Process,
    pub(crate) other: Process,
    pub(crate) monitoring: Process,
    pub(crate) folder: TempDir,
}

pub(crate) fn fleet() -> Fleet {
    let folder = tempfile::tempdir().unwrap();
    let discovery = Start::binary(&workspace_binary("discovery")).ready();
    let other = start_other(&folder, &discovery);
    let monitoring = start(&folder, &discovery, &[]);
    Fleet {
        discovery,
        other,
        monitoring,
        folder,
    }
}

pub(crate) fn start(folder: &TempDir, discovery: &Process, settings: &[(&str, &str)]) -> Process {
    let mut start = Start::binary(env!("CARGO_BIN_EXE_monitoring"))
        .env("ORRERY_DATA", folder.path().display())
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_MONITORING_INTERVAL", "100ms");
    for (name, value) in settings {
        start = start.env(&format!("ORRERY_MONITORING_{name}"), value);
    }
    start.ready()
}

/// Any other service will do: it is asked what every server is asked.
fn start_other(folder: &TempDir, discovery: &Process) -> Process {
    Start::binary(&workspace_binary("routing"))
        .env("ORRERY_DISCOVERY", discovery.address())
        .env("ORRERY_INSTANCE", "routing.0.1")
        .env("ORRERY_DATA", folder.path().display())
        .ready()
}

impl Fleet {
    pub(crate) fn client(&self) -> MonitoringClient {
        MonitoringClient::new(Channel::to(self.monitoring.address()))
    }
}

/// Asks again until the answer fits.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never so: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await; // why: polls
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
