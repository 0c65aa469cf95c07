//! Readiness, pushed: the `sd_notify` protocol (one datagram of `NAME=value` lines).
//!
//! Whoever sends, the kernel says which process it was (`SO_PASSCRED`), so nobody can speak for
//! another instance. The socket is one path for all instances; a restarted supervisor binds the
//! same path anew, and a datagram that was sent while nobody listened is lost: ask for health then.

use std::fs;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::SetupError;

/// The longest status that is kept, in bytes.
const STATUS_BYTES_MAX: usize = 256;

/// What an instance has said about itself so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// It said `READY=1`.
    pub ready: bool,
    /// It said `STOPPING=1`.
    pub stopping: bool,
    /// The last `STATUS=` line, cut at 256 bytes.
    pub status: Option<String>,
}

impl Notice {
    /// Reads one datagram; what is not understood is passed over, as the protocol wants it.
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Self {
        let mut notice = Self::default();
        for line in String::from_utf8_lossy(datagram).lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => notice.ready = true,
                Some(("STOPPING", "1")) => notice.stopping = true,
                Some(("STATUS", text)) => notice.status = Some(cut(text).to_owned()),
                _ => {}
            }
        }
        notice
    }

    /// Adds what was said later.
    pub(crate) fn merge(&mut self, later: &Self) {
        self.ready |= later.ready;
        self.stopping |= later.stopping;
        if later.status.is_some() {
            self.status.clone_from(&later.status);
        }
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(STATUS_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// One datagram, and the process that sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it, as the kernel says.
    pub pid: u32,
    /// What it said.
    pub notice: Notice,
}

/// The listening end.
#[derive(Debug)]
pub struct Listener {
    socket: UnixDatagram,
}

impl Listener {
    /// Binds the socket, in the place of an earlier one at this path.
    ///
    /// # Errors
    /// The path cannot be bound; it may be at most 107 bytes long.
    pub fn bind(path: &Path) -> Result<Self, SetupError> {
        let error = |source| SetupError {
            what: "bind the readiness socket (a path of at most 107 bytes) at",
            path: PathBuf::from(path),
            source,
        };
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(error(e)),
            _ => {}
        }
        let socket = UnixDatagram::bind(path).map_err(error)?;
        rustix::net::sockopt::set_socket_passcred(&socket, true).map_err(|e| error(e.into()))?;
        Ok(Self { socket })
    }

    /// Waits for the next message whose sender the kernel names. Cancel safe.
    ///
    /// # Errors
    /// The socket cannot be read.
    pub async fn receive(&self) -> io::Result<Message> {
        loop {
            let message = self
                .socket
                .async_io(Interest::READABLE, || receive_now(&self.socket))
                .await?;
            if let Some(message) = message {
                return Ok(message);
            }
        }
    }
}

fn receive_now(socket: &UnixDatagram) -> io::Result<Option<Message>> {
    let mut text = [0; 4096];
    // Room for file descriptors too: a sender may pass some, and they have to be closed.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(16))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut text)],
        &mut control,
        flags,
    )?;
    let mut pid = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmCredentials(sender) = message {
            pid = Some(sender.pid.as_raw_nonzero().get().unsigned_abs());
        }
    }
    let notice = Notice::parse(&text[..received.bytes]);
    Ok(pid.map(|pid| Message { pid, notice }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_lines_are_kept_and_others_passed_over() {
        let notice = Notice::parse(b"READY=1\nWATCHDOG=1\nSTATUS=warm\nnonsense\n\xff=\xfe");
        assert!(notice.ready && !notice.stopping);
        assert_eq!(notice.status.as_deref(), Some("warm"));
        assert_eq!(Notice::parse(b"READY=0"), Notice::default());
    }

    #[test]
    fn a_long_status_is_cut_between_characters() {
        let long = format!("STATUS={}", "ä".repeat(500));
        assert_eq!(
            Notice::parse(long.as_bytes()).status.unwrap().len(),
            STATUS_BYTES_MAX
        );
    }

    #[test]
    fn what_is_said_later_is_added() {
        let mut notice = Notice::parse(b"READY=1\nSTATUS=a");
        notice.merge(&Notice::parse(b"STOPPING=1"));
        assert!(notice.ready && notice.stopping);
        assert_eq!(notice.status.as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn the_kernel_says_who_sent_a_message_and_a_path_can_be_bound_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        drop(Listener::bind(&path).unwrap());
        let listener = Listener::bind(&path).unwrap();
        let client = std::os::unix::net::UnixDatagram::unbound().unwrap();
        client.send_to(b"READY=1", &path).unwrap();
        let message = listener.receive().await.unwrap();
        assert_eq!(message.pid, std::process::id());
        assert!(message.notice.ready);
    }
}
