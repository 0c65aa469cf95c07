//! Readiness, pushed to whoever started this process: the `sd_notify` protocol.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The variable that names the socket. A name that starts with `@` is abstract.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// How long a supervisor may be too busy to take a message: its queue is short, and a whole fleet
/// may be getting ready at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends one message, if anybody listens. Never fails the service: a supervisor that went away asks
/// for health when it comes back.
pub(crate) fn notify(message: &str) {
    let Some(path) = std::env::var_os(NOTIFY_SOCKET).filter(|path| !path.is_empty()) else {
        return;
    };
    if let Err(e) = send(&path, message) {
        let path = path.display();
        tracing::warn!(%path, error = %e, "failed to notify the supervisor; serving all the same");
    }
}

fn send(path: &OsString, message: &str) -> io::Result<()> {
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket
        .send_to_addr(message.as_bytes(), &address)
        .map(|_| ())
}
