//! Telling the fleet where this instance is: the seam between chassis and discovery.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What is said about this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The service's name.
    pub service: String,
    /// Which instance of it, as in `echo.2.7`.
    pub instance: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its version.
    pub version: String,
    /// Where it stands; empty if nothing is known.
    pub zone: String,
    /// Its share of the calls, relative to other instances'.
    pub weight: u32,
    /// The numbers of its procedures, the built-in ones apart.
    pub procedures: Vec<rpc::ProcedureId>,
    /// Whether its port speaks HTTP for others than probes.
    pub http: bool,
    /// Where it is to be announced: discovery's address.
    pub registry: SocketAddr,
    /// How long it is believed to live without a sign of life.
    pub ttl: Duration,
}

/// How far announcing has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The first attempt is under way.
    #[default]
    Trying,
    /// It is announced.
    Announced,
    /// It is not announced now, for this reason; attempts go on.
    Unreachable(String),
}

/// An announcement being kept up.
pub type Keeping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps an instance announced. Discovery's client implements it; each `main` joins the two.
pub trait Announce: Send + 'static {
    /// Announces, announces again whenever that is lost, for ever, and says in `standing` how it
    /// goes. When `withdraw` is cancelled, takes the announcement back and returns.
    fn keep(
        self: Box<Self>,
        announcement: Announcement,
        standing: watch::Sender<Standing>,
        withdraw: CancellationToken,
    ) -> Keeping;
}
