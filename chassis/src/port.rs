//! Taking the port, or saying who has it.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::exit::{Exit, Failure};

/// Connections that may wait to be accepted. The standard library asks for 128, and whoever finds
/// the queue full tries again a whole second later. The system's `somaxconn` bounds it too.
const BACKLOG: i32 = 4_096;

/// Binds the address.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|e| {
        let port = address.port();
        if e.kind() != io::ErrorKind::AddrInUse {
            let message = format!("failed to listen on {address}: {e}");
            return Failure::new(Exit::Unavailable, message)
                .with_hint("`--address` or PORT chooses another address");
        }
        let (owner, hint) = match holder(port) {
            Some((pid, name)) => (
                format!("process {pid} ({name})"),
                format!("end process {pid}, or choose another port with PORT or `--address`"),
            ),
            None => (
                "a process that cannot be seen from here".to_owned(),
                format!("`ss -ltnp 'sport = :{port}'` as root shows it; PORT chooses another port"),
            ),
        };
        let message = format!("failed to listen on {address}: port {port} is held by {owner}");
        Failure::new(Exit::Unavailable, message).with_hint(hint)
    })
}

/// Pid and name of a process that listens on a TCP port here, if it can be seen.
fn holder(port: u16) -> Option<(u32, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables
        .iter()
        .find_map(|table| inode(&fs::read_to_string(table).ok()?, port))?;
    let wanted = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let pid = pids
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| has_open(*pid, &wanted))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim().to_owned()))
}

fn has_open(pid: u32, wanted: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let mut links = descriptors
        .flatten()
        .flat_map(|fd| fs::read_link(fd.path()));
    links.any(|link| link.as_os_str() == wanted)
}

/// The socket that listens on a port, in the format of `/proc/net/tcp`: field 1 is the local
/// address, field 3 the state (`0A` is LISTEN), field 9 the inode.
fn inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let listens = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_an_error_that_names_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let failure = bind(address).unwrap_err();
        assert_eq!(failure.exit, Exit::Unavailable);
        let owner = format!(
            "port {} is held by process {} ",
            address.port(),
            std::process::id()
        );
        assert!(failure.message.contains(&owner), "{}", failure.message);
        drop(listener);
        bind(address).unwrap();
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error_with_a_hint() {
        let failure = bind("203.0.113.1:80".parse().unwrap()).unwrap_err();
        assert!(failure.message.contains("203.0.113.1:80") && !failure.hint.is_empty());
    }
}
