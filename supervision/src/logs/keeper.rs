//! The thread that keeps all logs of a directory small.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use super::{TRIM_PAUSE, is_live, trim};
use crate::SetupError;

/// Keeps the logs of a directory small until it is dropped. One thread and one inotify watch,
/// however many logs there are; the kernel wakes it only when one is written to.
#[derive(Debug)]
pub struct Keeper {
    /// Closing it ends the thread.
    _alive: OwnedFd,
}

impl Keeper {
    /// Makes the directory if need be and starts. Each log may take `bytes_max` on disk.
    ///
    /// # Errors
    /// The directory cannot be made or watched.
    pub fn start(log_dir: &Path, bytes_max: u64) -> Result<Self, SetupError> {
        let error = |what| {
            move |source: io::Error| SetupError {
                what,
                path: log_dir.to_owned(),
                source,
            }
        };
        fs::create_dir_all(log_dir).map_err(error("make the log directory"))?;
        let watch = || -> io::Result<(OwnedFd, OwnedFd, OwnedFd)> {
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            inotify::add_watch(&events, log_dir, WatchFlags::MODIFY)?;
            let (ended, alive) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            Ok((events, ended, alive))
        };
        let (events, ended, alive) = watch().map_err(error("watch the log directory"))?;
        let work = Work {
            log_dir: log_dir.to_owned(),
            bytes_max,
            events,
            ended,
        };
        thread::Builder::new()
            .name("log-keeper".to_owned())
            .stack_size(256 << 10)
            .spawn(move || work.run())
            .map_err(error("start the thread that trims logs in"))?;
        Ok(Self { _alive: alive })
    }
}

struct Work {
    log_dir: PathBuf,
    bytes_max: u64,
    events: OwnedFd,
    ended: OwnedFd,
}

impl Work {
    fn run(self) {
        // What was written while nobody kept the logs.
        self.check_all();
        while self.wait() {
            // Under a flood events come for every write; they are looked at in batches.
            thread::sleep(TRIM_PAUSE);
            match self.written() {
                Some(names) => names.iter().for_each(|name| self.check(name)),
                None => self.check_all(),
            }
        }
    }

    /// Whether there is something to do; `false` when it is over.
    fn wait(&self) -> bool {
        loop {
            let mut fds = [
                PollFd::new(&self.events, PollFlags::IN),
                PollFd::new(&self.ended, PollFlags::IN),
            ];
            match rustix::event::poll(&mut fds, None) {
                Err(Errno::INTR) => {}
                Err(_) => return false,
                Ok(_) => return fds[1].revents().is_empty(),
            }
        }
    }

    /// The logs that were written to; `None` when there were more events than the kernel keeps.
    fn written(&self) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 64 << 10];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        // Bounded: while a flood goes on there is always one more.
        for _ in 0..20_000 {
            let Ok(event) = events.next() else {
                return Some(names);
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return None;
            }
            if let Some(name) = event.file_name().and_then(|name| name.to_str().ok())
                && is_live(name)
                && !names.contains(name)
            {
                names.insert(name.to_owned());
            }
        }
        Some(names)
    }

    fn live(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.log_dir) else {
            return Vec::new();
        };
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| is_live(name)).collect()
    }

    fn check_all(&self) {
        for name in self.live() {
            self.check(&name);
        }
    }

    fn check(&self, name: &str) {
        if let Err(error) = trim::trim_if_large(&self.log_dir.join(name), self.bytes_max) {
            tracing::warn!(name, %error, "a log could not be trimmed; it grows on");
        }
    }
}
