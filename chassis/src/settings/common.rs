//! What every service can be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where discovery listens unless something else is said.
const DISCOVERY: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_200);

crate::settings! {
    /// What every service can be told.
    pub struct Common {
        /// Where it listens; the service's own address by default. `PORT=n` in the environment
        /// means 127.0.0.1:n, and port 0 a free one.
        pub address: Option<SocketAddr> = None,
        /// Where discovery listens.
        pub discovery: SocketAddr = DISCOVERY,
        /// The folder under which services keep their state, each in a folder of its own.
        pub data: PathBuf = PathBuf::from("./.orrery"),
        /// Which instance this is, as in `echo.2.7`; made from name and address by default.
        pub instance: Option<String> = None,
        /// Where it stands, for whoever prefers neighbours.
        pub zone: String = String::new(),
        /// Its share of the calls, relative to other instances'; 0 keeps calls away.
        pub weight: u32 = 100,
        /// How long discovery believes that it lives without a sign of life.
        pub lease_ttl: Duration = Duration::from_secs(10),
        /// How long calls in flight may take when it is asked to end.
        pub drain_grace: Duration = Duration::from_secs(3),
        /// What is logged to stderr, as in `info,rpc=debug`; `RUST_LOG` is read too.
        pub log: String = "info".to_owned(),
        /// How it is logged: `human` or `json`.
        pub log_format: LogFormat = LogFormat::Human,
        /// Threads that serve. With one, everything runs on the main thread.
        pub threads: usize = 1,
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// For programs: one JSON object a line.
    Json,
}

impl super::value::Scalar for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("expected `human` or `json`".to_owned()),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Human => "human".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}
