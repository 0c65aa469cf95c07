//! What the tests need besides Rust: one table, checked before anything is built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Debian package and the program of it that is used.
struct Package {
    name: &'static str,
    program: &'static str,
    used_for: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "gcc",
        program: "cc",
        used_for: "links every Rust program and compiles the embedded SQLite",
    },
    Package {
        name: "strace",
        program: "strace",
        used_for: "store's tests make the n-th fsync fail",
    },
];

/// Makes sure that every package of the table is there, installing what is missing when it may.
///
/// # Errors
/// Names each missing package, what it is for, and the command that installs them.
pub(crate) fn ensure() -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let by_hand = format!("apt-get update && apt-get install -y {}", names.join(" "));
    let mut why: Vec<String> = missing.iter().map(|p| line(p)).collect();
    if find("apt-get").is_none() {
        why.push(format!(
            "install them with your package manager (Debian: {by_hand})"
        ));
        return Err(format!(
            "programs the tests need are missing:\n{}",
            why.join("\n")
        ));
    }
    if !is_root() {
        why.push(format!("install them: sudo sh -c '{by_hand}'"));
        return Err(format!(
            "programs the tests need are missing:\n{}",
            why.join("\n")
        ));
    }
    eprintln!("==> packages: {by_hand}");
    apt(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(names);
    apt(&install)?;
    let still = self::missing()
        .iter()
        .map(|p| line(p))
        .collect::<Vec<_>>()
        .join("\n");
    if still.is_empty() {
        Ok(())
    } else {
        Err(format!("still missing after apt-get:\n{still}"))
    }
}

fn missing() -> Vec<&'static Package> {
    PACKAGES
        .iter()
        .filter(|package| find(package.program).is_none())
        .collect()
}

fn line(package: &Package) -> String {
    let Package {
        name,
        program,
        used_for,
    } = package;
    format!("  `{program}` (Debian package {name}): {used_for}")
}

/// Where `program` is on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The owner of our own `/proc` entry is who we are; no libc needed.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|metadata| metadata.uid() == 0)
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("failed to start apt-get: {error}"))?;
    let words = arguments.join(" ");
    if status.success() {
        Ok(())
    } else {
        Err(format!("`apt-get {words}` ended with {status}"))
    }
}
