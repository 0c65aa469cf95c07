//! A fleet that exists only as answers, for the faces to render, and the faces run against it.

mod directory;
pub mod fake;
pub mod sample;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub use fake::Fake;

/// A shell command line, run where `orrery` is this build's and the fleet is the fake one.
pub fn shell(fake: &Fake, folder: &Path, line: &str) -> Output {
    command(fake, folder, line)
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

/// The same, to be started by the caller.
pub fn command(fake: &Fake, folder: &Path, line: &str) -> Command {
    command_at(fake.scheduling(), fake.discovery(), folder, line)
}

/// A shell command line for a fleet at these addresses.
pub fn command_at(
    scheduling: SocketAddr,
    discovery: SocketAddr,
    folder: &Path,
    line: &str,
) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_orrery"));
    let bin = bin.parent().expect("a binary is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{bin}:{path}"))
        .env("TZ", "UTC")
        .env("TERM", "xterm")
        .env("ORRERY_ADDRESS", scheduling.to_string())
        .env("ORRERY_DISCOVERY", discovery.to_string());
    command
}
