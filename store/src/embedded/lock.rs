//! One process at a time: an exclusive lock on a file that says who holds it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use rustix::fs::FlockOperation;

use super::OpenError;

/// Held for as long as it lives; the kernel lets go of it when the process ends, however it ends.
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock, or says at once who has it.
    pub(super) fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        let io = |why| OpenError::io("open the lock file", &path, why);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(held(directory, &mut file)),
            Err(why) => return Err(io(why.into())),
        }
        // Only words for people: the lock itself is the kernel's, so this need not be durable.
        let words = format!("{}\n{}\n", std::process::id(), own_command());
        file.set_len(0)
            .and_then(|()| file.write_all(words.as_bytes()))
            .map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn held(directory: &Path, file: &mut File) -> OpenError {
    let mut words = String::new();
    // Unreadable words make a poorer message, not another error.
    let _ = file.read_to_string(&mut words);
    let mut lines = words.lines();
    let mut line = || lines.next().filter(|line| !line.is_empty());
    OpenError::Held {
        directory: directory.display().to_string(),
        pid: line().unwrap_or("unknown").to_owned(),
        command: line().unwrap_or("unknown").to_owned(),
    }
}

fn own_command() -> String {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().replace('\n', " "))
        .collect();
    words.join(" ")
}
