//! Secrets as files that are in memory only: no disk, no argument, no environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};

use crate::{Launch, SecretValue};

/// One file for each secret of a launch, and its number in `ORRERY_SECRET_<name>_FD`. A file keeps
/// its number in the child, so that nothing has to be moved between clone and exec.
pub(super) fn files(
    launch: &Launch,
    env: &mut BTreeMap<OsString, OsString>,
) -> io::Result<Vec<OwnedFd>> {
    let mut files = Vec::with_capacity(launch.secrets.len());
    for (name, value) in &launch.secrets {
        let file = file(value)?;
        let number = file.as_raw_fd().to_string();
        env.insert(variable(name), OsStr::new(&number).to_owned());
        files.push(file);
    }
    Ok(files)
}

fn variable(name: &str) -> OsString {
    format!("ORRERY_SECRET_{name}_FD").into()
}

/// Nobody changes it any more, the child included; its owner alone opens it anew.
fn file(value: &SecretValue) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("secret", flags)?);
    file.write_all(value.reveal())?;
    file.rewind()?;
    fchmod(&file, Mode::RUSR)?;
    let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, all)?;
    Ok(file.into())
}
