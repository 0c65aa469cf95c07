//! Scheduling announces itself to a discovery that it has yet to start.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use chassis::{Announce, Announcement, Keeping, Standing};
use model::{InstanceState, ServiceName};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::brain::{Handle, View};

/// Filled when the control loop runs.
pub(crate) type Booted = Arc<OnceLock<Registry>>;

/// Where discovery will be.
pub(crate) struct Registry {
    pub(crate) brain: Handle,
    /// `None`: this fleet has no discovery.
    pub(crate) discovery: Option<(ServiceName, SocketAddr)>,
}

/// Announces as every service does, as soon as discovery is healthy.
pub(crate) struct AnnounceLater(Booted);

pub(crate) fn when_discovery_is_up() -> (AnnounceLater, Booted) {
    let booted = Booted::default();
    (AnnounceLater(Arc::clone(&booted)), booted)
}

impl Announce for AnnounceLater {
    fn keep(
        self: Box<Self>,
        mut announcement: Announcement,
        standing: watch::Sender<Standing>,
        withdraw: CancellationToken,
    ) -> Keeping {
        Box::pin(async move {
            // Nobody waits for scheduling to be found: it is what everything else is found by.
            let _ = standing.send(Standing::Announced);
            let discovery = self
                .0
                .get()
                .and_then(|r| Some((&r.brain, r.discovery.clone()?)));
            let Some((brain, (name, address))) = discovery else {
                return withdraw.cancelled().await;
            };
            announcement.registry = address;
            let up = brain.until(move |view| is_healthy(view, &name));
            tokio::select! {
                up = up => if up.is_err() { return },
                () = withdraw.cancelled() => return,
            }
            let announcer = Box::new(discovery::Announcer::new());
            announcer.keep(announcement, standing, withdraw).await;
        })
    }
}

fn is_healthy(view: &View<'_>, name: &ServiceName) -> bool {
    let mut instances = view.snapshot.instances_of(name);
    instances.any(|instance| instance.state == InstanceState::Healthy)
}
