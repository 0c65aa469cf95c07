//! Every bound of a connection, in one place.

use std::time::Duration;

/// Bounds of one side of a connection. Both sides have their own; the smaller one holds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest frame accepted or sent, in bytes; checked before anything is allocated.
    pub frame_bytes_max: usize,
    /// Server: bytes of requests that are being worked on, and of replies that their caller does
    /// not read, on one connection; beyond either, calls end with `ResourceExhausted`.
    pub calls_bytes_max: usize,
    /// Calls in flight on one connection; further ones end with `ResourceExhausted`.
    pub calls_max: usize,
    /// Bytes waiting to be written before callers wait, or a server stops reading.
    pub queued_bytes_max: usize,
    /// Bytes of stream items that may be under way to a reader that has not taken them.
    pub stream_window_bytes: u32,
    /// Server: connections at a time; further ones are closed at once.
    pub connections_max: usize,
    /// Server: handshakes under way at a time; a further one ends the oldest.
    pub handshakes_max: usize,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// Client: how long connecting may take, handshake apart.
    pub connect_timeout: Duration,
    /// Server: a connection on which no frame arrives whole for this long is closed.
    pub idle_timeout: Duration,
    /// A connection with calls in flight that is silent for this long is asked (`ping`) whether it
    /// lives; after twice that it counts as dead.
    pub keepalive: Duration,
    /// A connection without calls is asked this often, so that the server's idle timeout passes by.
    pub keepalive_idle: Duration,
    /// Deadline of calls that name none.
    pub call_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 4 << 20,
            calls_bytes_max: 64 << 20,
            calls_max: 65_536,
            queued_bytes_max: 1 << 20,
            stream_window_bytes: 256 << 10,
            connections_max: 65_536,
            handshakes_max: 1_024,
            handshake_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(1),
            keepalive_idle: Duration::from_secs(15),
            call_timeout: Duration::from_secs(10),
        }
    }
}
