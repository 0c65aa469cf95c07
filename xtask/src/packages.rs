//! What the tests need besides Rust: one table, checked before anything is built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Debian package and the program, or the file, of it that is used.
struct Package {
    name: &'static str,
    /// On the `PATH`, or with its whole path.
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
        name: "chromium",
        program: "chromium",
        used_for: "scheduling's tests log in to the operators' page and use it as a person does",
    },
    Package {
        name: "curl",
        program: "curl",
        used_for: "scheduling's tests run a fleet through its gateway as the README shows",
    },
    Package {
        name: "etcd-server",
        program: "etcd",
        used_for: "store's tests run its engine over a real etcd",
    },
    Package {
        name: "protobuf-compiler",
        program: "protoc",
        used_for: "builds the client of etcd (store's feature `etcd`)",
    },
    Package {
        name: "libprotobuf-dev",
        program: "/usr/include/google/protobuf/descriptor.proto",
        used_for: "what protoc includes when it builds the client of etcd",
    },
    Package {
        name: "prometheus",
        program: "prometheus",
        used_for: "monitoring's tests have a real Prometheus scrape it",
    },
    Package {
        name: "strace",
        program: "strace",
        used_for: "store's tests make the n-th fsync fail",
    },
];

/// What to do about missing packages.
#[derive(Debug, PartialEq)]
enum Remedy {
    Nothing,
    /// Install these Debian packages.
    Install(Vec<&'static str>),
    /// Say this and fail.
    Tell(String),
}

/// Makes sure that every package of the table is there, installing what is missing when it may.
///
/// # Errors
/// Names each missing package, what it is for, and the command that installs them.
pub(crate) fn ensure() -> Result<(), String> {
    install(|_| true)
}

/// The same for those that lints need: whoever only checks needs no browser.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_for_lints() -> Result<(), String> {
    install(|package| {
        matches!(
            package.name,
            "gcc" | "protobuf-compiler" | "libprotobuf-dev"
        )
    })
}

fn install(wanted: impl Fn(&Package) -> bool) -> Result<(), String> {
    let missing = || {
        let all = missing().into_iter();
        all.filter(|package| wanted(package)).collect::<Vec<_>>()
    };
    let names = match remedy(&missing(), find("apt-get").is_some(), is_root()) {
        Remedy::Nothing => return Ok(()),
        Remedy::Tell(message) => return Err(message),
        Remedy::Install(names) => names,
    };
    eprintln!("==> packages: apt-get installs {}", names.join(" "));
    apt(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(names);
    apt(&install)?;
    // Installed and still not found: say it instead of installing for ever.
    match remedy(&missing(), false, true) {
        Remedy::Tell(message) => Err(message),
        _ => Ok(()),
    }
}

fn remedy(missing: &[&'static Package], has_apt: bool, is_root: bool) -> Remedy {
    if missing.is_empty() {
        return Remedy::Nothing;
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if has_apt && is_root {
        return Remedy::Install(names);
    }
    let mut lines = vec![String::from("programs that the tests need are missing:")];
    lines.extend(missing.iter().map(|package| line(package)));
    let command = format!("apt-get update && apt-get install -y {}", names.join(" "));
    lines.push(if has_apt {
        format!("install them: sudo sh -c '{command}'")
    } else {
        format!("install them with this system's package manager (on Debian: {command})")
    });
    Remedy::Tell(lines.join("\n"))
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

/// Where `program` is on the `PATH`; one with its whole path is only looked for there.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_installed_when_we_may_and_named_when_we_may_not() {
        let missing: Vec<&'static Package> = PACKAGES.iter().collect();
        assert_eq!(remedy(&[], true, true), Remedy::Nothing);
        assert_eq!(remedy(&[], false, false), Remedy::Nothing);
        let names = PACKAGES.iter().map(|package| package.name).collect();
        assert_eq!(remedy(&missing, true, true), Remedy::Install(names));
        for (has_apt, is_root, hint) in [
            (true, false, "sudo sh -c"),
            (false, true, "package manager"),
            (false, false, "package"),
        ] {
            let Remedy::Tell(message) = remedy(&missing, has_apt, is_root) else {
                panic!("nobody may install here");
            };
            assert!(message.contains(hint), "{message}");
            for Package {
                name,
                program,
                used_for,
            } in PACKAGES
            {
                let said =
                    message.contains(&format!("`{program}` (Debian package {name}): {used_for}"));
                assert!(said, "{message}");
            }
        }
    }
}
