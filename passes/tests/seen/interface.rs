//! The real binary on a port of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use passes::{SYSTEM_ADDRESS, SYSTEM_NAME};

#[tokio::test]
async fn it_is_a_uniform_service() {
    // `check_uniform_service` takes a binary and no environment: a script gives it a folder.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("start.sh");
    let (data, binary) = (folder.path().display(), env!("CARGO_BIN_EXE_passes"));
    let text = format!("#!/bin/sh\nexport ORRERY_DATA={data}\nexec {binary}\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
    chassis::testing::check_uniform_service(&script, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}
