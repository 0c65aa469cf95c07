//! From a service's name to its instances, also while discovery is away.

mod feed;
mod known;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use membership::Freshness;
use parking_lot::Mutex;
use rpc::Channel;
use tokio::sync::watch;
use tokio::time::timeout;

use self::feed::{Feed, View};
use crate::{Instance, Position};

/// What is known of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its instances, by name.
    pub instances: Vec<Instance>,
    /// How far this can be trusted: live, or as old as the loss of discovery.
    pub freshness: Freshness,
    /// Up to when discovery has told its story; `None` if it was never reached.
    pub position: Option<Position>,
}

/// Finds services by name and keeps following them. Clones share what they know.
///
/// Each service that is asked for is watched from then on. While discovery is away, what was known
/// last stays, marked with its age: a lost discovery never makes a service disappear. When it is
/// back after a restart it does not know everybody yet, so that instances which have not registered
/// again are kept for three seconds more, and for longer if nobody else is known.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    discovery: SocketAddr,
    services: Mutex<BTreeMap<String, Watched>>,
}

/// One service that is being followed; its feed ends when nobody reads it any more.
#[derive(Clone)]
struct Watched {
    view: watch::Receiver<View>,
    channel: Channel,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let discovery = self.0.discovery;
        f.debug_struct("Resolver")
            .field("discovery", &discovery)
            .finish_non_exhaustive()
    }
}

impl Resolver {
    /// Asks discovery at this address. Nothing is asked before a service is.
    #[must_use]
    pub fn new(discovery: SocketAddr) -> Self {
        Self(Arc::new(Inner {
            discovery,
            services: Mutex::default(),
        }))
    }

    /// A channel to whichever instances the service has, as they come and go. It can be called at
    /// once; calls made before the first answer of discovery wait a moment, and no longer than
    /// their deadline.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn channel(&self, service: &str) -> Channel {
        self.watched(service).channel
    }

    /// What is known of the service now.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn resolve(&self, service: &str) -> Resolved {
        self.watched(service).view.borrow().resolved()
    }

    /// Waits until discovery has answered for this service, or something is known of it anyway.
    /// Whether that came in time.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn ready(&self, service: &str, patience: Duration) -> bool {
        let mut view = self.watched(service).view;
        let answered = timeout(patience, view.wait_for(View::is_known)).await;
        matches!(answered, Ok(Ok(_)))
    }

    /// Waits until what is known of the service fits a condition. Whether that came in time.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn wait_until(
        &self,
        service: &str,
        patience: Duration,
        mut fits: impl FnMut(&Resolved) -> bool,
    ) -> bool {
        let mut view = self.watched(service).view;
        let waited = timeout(patience, view.wait_for(|view| fits(&view.resolved()))).await;
        matches!(waited, Ok(Ok(_)))
    }

    fn watched(&self, service: &str) -> Watched {
        let mut services = self.0.services.lock();
        if let Some(watched) = services.get(service) {
            return watched.clone();
        }
        let (feed, view, endpoints) = Feed::new(self.0.discovery, service);
        tokio::spawn(feed.run());
        let channel = Channel::balanced(service, endpoints);
        let watched = Watched { view, channel };
        services.insert(service.to_owned(), watched.clone());
        watched
    }
}
