//! Files that only their owner reads.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

/// Reads one; `None` if there is none.
///
/// # Errors
/// It cannot be read, or others may read it too.
pub(crate) fn read(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        let why = "others may read it; `chmod 600` it, and take what is in it for known";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(Some(text))
}

/// Writes one: all at once, and durable when it returns.
///
/// # Errors
/// What the system said; the file is then as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("fresh");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&fresh)?;
    // A file that an earlier attempt left keeps its mode.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
