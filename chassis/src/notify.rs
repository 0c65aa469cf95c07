//! Readiness, pushed to whoever started this process: the `sd_notify` protocol.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the socket. A name that starts with `@` is abstract.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Sends one message, if anybody listens. Never waits and never fails the service: a supervisor
/// that went away asks for health when it comes back.
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
    socket.set_nonblocking(true)?;
    socket
        .send_to_addr(message.as_bytes(), &address)
        .map(|_| ())
}
