//! What every service can be told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where discovery listens unless something else is said.
const DISCOVERY: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_200);

crate::settings! {
    /// What every service can be told.
    pub struct Common {
        /// Where it listens; the service's own address by default. `PORT=n` in the environment
        /// means 127.0.0.1:n, and port 0 a free one.
        pub address: Option<SocketAddr> = None,
        /// The IP address it listens on, instead of that of `address`: on a machine of several,
        /// the one that the others reach.
        pub host: Option<IpAddr> = None,
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
        /// Whether calls need a token: `required`, `off`, or `auto`, which is `required` as soon as
        /// there is a fleet to believe, and `off` for a service that was started alone.
        pub auth: Auth = Auth::Auto,
        /// The public key of the fleet, whose instances are believed; `scheduling` says it.
        pub fleet_key: String = String::new(),
        /// A file with the token that this process shows to others.
        pub credential: Option<PathBuf> = None,
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

/// Whether calls need a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// As soon as there is somebody whose tokens are believed.
    Auto,
    /// Always.
    Required,
    /// Never: everybody who reaches the port may do everything.
    Off,
}

impl super::value::Scalar for Auth {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            _ => Err("expected `auto`, `required` or `off`".to_owned()),
        }
    }

    fn show(&self) -> String {
        let word = match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Off => "off",
        };
        word.to_owned()
    }
}
