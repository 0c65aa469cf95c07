//! Which environment a program gets, and which file its name means.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Settings;
use crate::{Launch, SpawnError};

/// What a process inherits of the supervisor's environment; nothing else. `LD_*` is not among it.
pub const INHERITED: [&str; 14] = [
    "CARGO_HOME",
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "RUSTUP_HOME",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
];

/// The variable that names the instance to its own process, and to those who look for it.
pub const INSTANCE_VARIABLE: &str = "ORRERY_INSTANCE";

/// The variable that names the supervisor's scope, so that two fleets on a machine stay apart.
pub const SCOPE_VARIABLE: &str = "ORRERY_SCOPE";

/// Inherited, then the launch's, then what the runtime says.
pub(super) fn of(launch: &Launch, settings: &Settings) -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<OsString, OsString> = BTreeMap::new();
    for name in INHERITED {
        if let Some(value) = env::var_os(name) {
            all.insert(name.into(), value);
        }
    }
    for (name, value) in &launch.env {
        all.insert(name.into(), value.into());
    }
    let mut set = |name: &str, value: OsString| all.insert(name.into(), value);
    set(INSTANCE_VARIABLE, launch.id.to_string().into());
    set(SCOPE_VARIABLE, settings.scope.clone().into());
    if let Some(port) = launch.port {
        set("PORT", port.to_string().into());
    }
    if let Some(socket) = &settings.notify_socket {
        set("NOTIFY_SOCKET", socket.into());
    }
    all
}

/// `NAME=value`, as `execve` takes it.
pub(super) fn as_c_strings(env: &BTreeMap<OsString, OsString>) -> Result<Vec<CString>, SpawnError> {
    env.iter()
        .map(|(name, value)| {
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return Err(SpawnError::Invalid {
                    field: "env",
                    why: "a name is empty or has a '='",
                });
            }
            let mut entry = name.clone().into_vec();
            entry.push(b'=');
            entry.extend(value.as_bytes());
            c_string(OsStr::from_bytes(&entry), "env")
        })
        .collect()
}

/// Text as `execve` takes it.
pub(super) fn c_string(text: &OsStr, field: &'static str) -> Result<CString, SpawnError> {
    CString::new(text.as_bytes()).map_err(|_| SpawnError::Invalid {
        field,
        why: "it has a NUL byte",
    })
}

/// The file a program's name means: as it is when it has a `/`, otherwise the first executable of
/// that name in the `PATH` the program will have.
pub(super) fn find_program(program: &Path, path: Option<&OsStr>) -> Result<PathBuf, SpawnError> {
    let not_found = || SpawnError::ProgramNotFound {
        program: program.to_owned(),
    };
    if program.as_os_str().is_empty() {
        return Err(not_found());
    }
    if program.as_os_str().as_bytes().contains(&b'/') {
        // Absolute, because the child changes its directory first.
        return std::path::absolute(program).map_err(|_| not_found());
    }
    env::split_paths(path.unwrap_or(OsStr::new("/usr/bin:/bin")))
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(program))
        .find(|file| {
            let metadata = file.metadata();
            metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
        .ok_or_else(not_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_in_path_and_a_path_is_made_absolute() {
        let path = Some(OsStr::new("relative:/nowhere:/bin:/usr/bin"));
        assert!(find_program(Path::new("sh"), path).unwrap().is_absolute());
        assert!(find_program(Path::new("./x"), path).unwrap().is_absolute());
        for missing in ["", "no-such-program-here"] {
            let refused = find_program(Path::new(missing), path).unwrap_err();
            assert!(matches!(refused, SpawnError::ProgramNotFound { .. }));
            assert!(!refused.is_retryable());
        }
    }

    #[test]
    fn a_launch_cannot_override_what_the_runtime_says() {
        let launch = Launch::new("a.0.1".parse().unwrap(), "x")
            .env("PORT", "1")
            .env(INSTANCE_VARIABLE, "b.0.1")
            .env("MINE", "yes");
        let launch = Launch {
            port: Some(12_000),
            ..launch
        };
        let all = of(&launch, &Settings::new("test", "/tmp"));
        let value = |name: &str| all[OsStr::new(name)].to_str().unwrap().to_owned();
        assert_eq!(value("PORT"), "12000");
        assert_eq!(value(INSTANCE_VARIABLE), "a.0.1");
        assert_eq!(value("MINE"), "yes");
    }

    #[test]
    fn what_execve_cannot_carry_is_refused() {
        for (name, value) in [("A=B", "x"), ("", "x"), ("A", "nul\0")] {
            let env = BTreeMap::from([(name.into(), value.into())]);
            assert!(matches!(
                as_c_strings(&env),
                Err(SpawnError::Invalid { field: "env", .. })
            ));
        }
    }
}
