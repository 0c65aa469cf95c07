//! What the gateway can be told, beside what every service can.

use std::time::Duration;

chassis::settings! {
    /// What the gateway can be told.
    pub(crate) struct Config {
        /// The longest body of a request, in bytes.
        pub(crate) body_bytes_max: usize = 1 << 20,
        /// How long a call may take unless the request says (`X-Timeout-Ms`).
        pub(crate) call_timeout: Duration = Duration::from_secs(10),
        /// How long a request may ask a call to take.
        pub(crate) call_timeout_max: Duration = Duration::from_secs(60),
        /// How long a client may take to send its body.
        pub(crate) body_timeout: Duration = Duration::from_secs(10),
        /// How long the reader of a stream may take nothing before the stream is ended.
        pub(crate) write_timeout: Duration = Duration::from_secs(30),
        /// How often a stream that has nothing to say shows that it lives.
        pub(crate) heartbeat: Duration = Duration::from_secs(15),
        /// Requests at a time, streams apart.
        pub(crate) requests_max: usize = 1_024,
        /// Streams at a time.
        pub(crate) streams_max: usize = 1_024,
        /// Requests at a time of one client.
        pub(crate) client_requests_max: usize = 256,
        /// Streams at a time of one client.
        pub(crate) client_streams_max: usize = 64,
        /// Requests at once of an address that shows no good token.
        pub(crate) stranger_burst: u32 = 30,
        /// And so many a second.
        pub(crate) stranger_rate: u32 = 2,
        /// Requests at once with one good token.
        pub(crate) token_burst: u32 = 2_000,
        /// And so many a second.
        pub(crate) token_rate: u32 = 1_000,
        /// So many refusals in a row, and the client is banned.
        pub(crate) ban_after: u32 = 30,
        /// For so long.
        pub(crate) ban: Duration = Duration::from_secs(60),
        /// Clients whose rate is remembered.
        pub(crate) clients_max: usize = 10_000,
        /// Addresses of proxies whose `X-Forwarded-For` is believed.
        pub(crate) trusted_proxies: Vec<String> = Vec::new(),
        /// Names under which it is called, beside addresses and `localhost`; `*` for any.
        pub(crate) hosts: Vec<String> = Vec::new(),
        /// Web pages that may call it, as in `https://console.example`; `*` for any.
        pub(crate) allowed_origins: Vec<String> = Vec::new(),
        /// When it is asked to end, `/readyz` says so for this long before the port closes.
        pub(crate) drain_notice: Duration = Duration::ZERO,
    }
}
