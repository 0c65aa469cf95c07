//! Tokens in files that only their owner reads.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpc::Credential;

/// In a fleet's data folder: the token of whoever may read it, for the command line.
pub const OPERATOR_TOKEN: &str = "operator.token";
/// How often a process looks whether its own token was replaced. Tokens are made anew long before
/// they expire.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The longest token in a file, in bytes.
const FILE_BYTES_MAX: u64 = 32 << 10;

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read or written.
    #[error("failed to open the token file {path:?}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is readable, and no token.
    #[error("{path:?} is no token file: expected one line of text")]
    NoToken {
        /// Which.
        path: PathBuf,
    },
}

/// Writes a token to a file that only its owner may read, all at once: whoever reads sees the old
/// one or the new one.
///
/// # Errors
/// What the system said.
pub fn write_token(path: &Path, token: &str) -> Result<(), TokenFileError> {
    let failed = |source| TokenFileError::Io {
        path: path.to_owned(),
        source,
    };
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = PathBuf::from(fresh);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&fresh).and_then(|mut file| {
        // A file that was there before keeps its mode.
        file.set_permissions(Permissions::from_mode(0o600))?;
        writeln!(file, "{token}")
    });
    written
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(failed)
}

/// Reads a token from a file.
///
/// # Errors
/// There is no such file, or it is none of a token.
pub fn read_token(path: &Path) -> Result<String, TokenFileError> {
    let failed = |source| TokenFileError::Io {
        path: path.to_owned(),
        source,
    };
    let none = || TokenFileError::NoToken {
        path: path.to_owned(),
    };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(none());
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(none());
    }
    Ok(token.to_owned())
}

/// Shows an operator's token with every call of this process: `ORRERY_TOKEN`, or else what the
/// data folder (`ORRERY_DATA`, `./.orrery`) has for whoever may read it. Does nothing if there is
/// neither: a fleet may ask for none.
pub fn show_operator_token() {
    let given = std::env::var("ORRERY_TOKEN").ok().filter(|t| !t.is_empty());
    let token = given.or_else(|| {
        let data = std::env::var_os("ORRERY_DATA").unwrap_or_else(|| "./.orrery".into());
        read_token(&PathBuf::from(data).join(OPERATOR_TOKEN)).ok()
    });
    if let Some(token) = token {
        Credential::new(token).install();
    }
}

/// Shows the token of this file with every call of this process, and looks for newer ones for as
/// long as the process lives.
pub(crate) fn show_own_token(path: PathBuf) -> Result<(), TokenFileError> {
    let mut shown = read_token(&path)?;
    let credential = Credential::new(shown.clone());
    credential.install();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match read_token(&path) {
                Ok(token) if token != shown => {
                    credential.replace(token.clone());
                    shown = token;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the own token cannot be read"),
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_is_its_owners_alone_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.token");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_token(&path, "orrery_1").unwrap();
        assert_eq!(read_token(&path).unwrap(), "orrery_1");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_token_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.token");
        assert!(
            read_token(&path)
                .unwrap_err()
                .to_string()
                .contains("a.token")
        );
        for bad in ["", "\n", "two words", &"x".repeat(40_000)] {
            fs::write(&path, bad).unwrap();
            let error = read_token(&path).unwrap_err().to_string();
            assert!(error.contains("a.token"), "{error}");
        }
    }
}
