//! What the tests need of the machine.

use std::process::{Command, Stdio};

/// Whether `tool` can be used. Without it a test that needs it fails in CI, and says loudly that
/// it did nothing elsewhere.
pub(crate) fn have(tool: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    lacking(found, tool)
}

/// Whether this process may mount.
pub(crate) fn may_mount() -> bool {
    let may = Command::new("unshare")
        .args([
            "-m",
            "--propagation",
            "private",
            "mount",
            "-t",
            "tmpfs",
            "tmpfs",
            "/mnt",
        ])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    lacking(may, "the right to mount (root)")
}

fn lacking(found: bool, what: &str) -> bool {
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{what} is missing, and CI needs it"
        );
        eprintln!("SKIPPED, NOTHING WAS TESTED: {what} is missing");
    }
    found
}

/// Runs a command that has to work.
pub(crate) fn sh(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status();
    assert!(status.is_ok_and(|status| status.success()), "{command}");
}
