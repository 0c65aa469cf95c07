//! Whether a port can be bound, and who holds it when it cannot.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::procfs;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOwner {
    /// Its process; `None` when it is another user's, or in another container.
    pub pid: Option<u32>,
    /// Its command line, cut at 100 characters.
    pub command: Option<String>,
    /// The user the socket belongs to.
    pub uid: u32,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.command) {
            (Some(pid), Some(command)) => write!(f, "process {pid} ({command})"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, _) => write!(f, "a process of user {} that cannot be seen", self.uid),
        }
    }
}

/// Why a port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PortTaken {
    /// Somebody listens on it.
    #[error(
        "port {port} is taken by {}; end that, or choose another port",
        .owner.as_ref().map_or_else(|| "an unknown process".to_owned(), ToString::to_string)
    )]
    Taken {
        /// The port.
        port: u16,
        /// Who, as far as can be told.
        owner: Option<PortOwner>,
    },
    /// Nobody may be listening; this user may not bind it, for instance.
    #[error("port {port} cannot be bound")]
    Unusable {
        /// The port.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Whether a child could listen on this address now: binds it the way std and tokio do (with
/// `SO_REUSEADDR`, so closed connections that linger do not count), without ever listening.
///
/// # Errors
/// [`PortTaken`] names the owner.
pub fn check_free(address: SocketAddr) -> Result<(), PortTaken> {
    let port = address.port();
    match bind(address) {
        Ok(_) => Ok(()),
        Err(Errno::ADDRINUSE) => Err(PortTaken::Taken {
            port,
            owner: owner(port).ok().flatten(),
        }),
        Err(e) => Err(PortTaken::Unusable {
            port,
            source: e.into(),
        }),
    }
}

fn bind(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC;
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// Who listens on a TCP port of this machine, on any address. Walks over `/proc`: milliseconds.
///
/// # Errors
/// `/proc/net/tcp` cannot be read.
pub fn owner(port: u16) -> io::Result<Option<PortOwner>> {
    let mut listening = find_listener(&fs::read_to_string("/proc/net/tcp")?, port);
    if listening.is_none() {
        // A machine without IPv6 has no such file.
        let six = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
        listening = find_listener(&six, port);
    }
    let Some((uid, inode)) = listening else {
        return Ok(None);
    };
    let pid = holder(inode)?;
    let command = pid.and_then(command_line);
    Ok(Some(PortOwner { pid, command, uid }))
}

/// User and inode of the socket that listens on a port, in the format of `/proc/net/tcp`.
fn find_listener(table: &str, port: u16) -> Option<(u32, u64)> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, hex) = fields.get(1)?.rsplit_once(':')?;
        let same = u16::from_str_radix(hex, 16) == Ok(port) && *fields.get(3)? == LISTEN;
        same.then(|| Some((fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?)))?
    })
}

/// A process that has this socket open.
fn holder(inode: u64) -> io::Result<Option<u32>> {
    let wanted = format!("socket:[{inode}]");
    Ok(procfs::pids()?.into_iter().find(|pid| {
        let Ok(fds) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        fds.flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == &*wanted))
    }))
}

fn command_line(pid: u32) -> Option<String> {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&raw).replace('\0', " ");
    let shown: String = text
        .trim_end()
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_somebody_listens_on_is_taken_by_its_owner_and_free_after_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port();
        let taken = check_free(address).unwrap_err();
        let owner = owner(port).unwrap().unwrap();
        assert_eq!(owner.pid, Some(std::process::id()));
        assert_eq!(owner.uid, rustix::process::getuid().as_raw());
        let text = taken.to_string();
        let expected = format!("port {port} is taken by process {}", std::process::id());
        assert!(text.starts_with(&expected), "{text}");
        drop(listener);
        check_free(address).unwrap();
    }

    #[test]
    fn a_connection_is_no_listener_and_half_a_table_is_no_panic() {
        let table = "  sl  local_address ...\n\
            0: 0100007F:1F90 00000000:0000 01 00000000:00000000 00:00000000 00000000 0 0 7 1\n\
            1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 5 0 8 1\n\
            2: 0100007F";
        assert_eq!(find_listener(table, 8080), Some((5, 8)));
        assert_eq!(find_listener(table, 81), None);
    }
}
