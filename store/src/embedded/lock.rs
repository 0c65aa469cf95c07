//! One process at a time: an exclusive lock on a file that says who holds it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::OpenError;

/// Held for as long as it lives; the kernel lets go of it when the process ends, however it ends.
pub(super) struct DirectoryLock {
    file: File,
}

impl Drop for DirectoryLock {
    /// Closing is not enough: a child that another thread is just starting has the file open
    /// too, for a moment, and would hold the lock for that long.
    fn drop(&mut self) {
        // Then it is let go of when the last such child has begun its program.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// How often, and with which pauses, a lock is tried again whose owner is no more: a child that
/// the owner was just starting may hold it for a moment longer.
const ORPHANED_TRIES: u32 = 20;
const ORPHANED_PAUSE: Duration = Duration::from_millis(10);

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
        for tries in 0.. {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let holder = holder(&mut file);
                    if tries == ORPHANED_TRIES || holder.lives() {
                        return Err(holder.refusal(directory));
                    }
                    std::thread::sleep(ORPHANED_PAUSE);
                }
                Err(why) => return Err(io(why.into())),
            }
        }
        // Only words for people: the lock itself is the kernel's, so this need not be durable.
        let words = format!("{}\n{}\n", std::process::id(), own_command());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(words.as_bytes()))
            .map_err(io)?;
        Ok(Self { file })
    }
}

/// Who holds the lock, as far as the file says.
struct Holder {
    pid: String,
    command: String,
}

impl Holder {
    fn lives(&self) -> bool {
        !self.pid.is_empty() && Path::new("/proc").join(&self.pid).exists()
    }

    fn refusal(self, directory: &Path) -> OpenError {
        let or_unknown = |words: String| match words.as_str() {
            "" => "unknown".to_owned(),
            _ => words,
        };
        OpenError::Held {
            directory: directory.display().to_string(),
            pid: or_unknown(self.pid),
            command: or_unknown(self.command),
        }
    }
}

fn holder(file: &mut File) -> Holder {
    let mut words = String::new();
    // Unreadable words make a poorer message, not another error.
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut words));
    let mut lines = words.lines().map(str::to_owned);
    Holder {
        pid: lines.next().unwrap_or_default(),
        command: lines.next().unwrap_or_default(),
    }
}

fn own_command() -> String {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().replace('\n', " "))
        .collect();
    words.join(" ")
}
