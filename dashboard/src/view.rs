//! What scheduling told last, and since when it tells nothing more.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::scheduling::{InstanceInfo, ServiceInfo, WatchArgs, WatchItem};
use client::{Addresses, Fleet};
use rpc::{CallOptions, Code, Credential, Error};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Pause before the first attempt to come back; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long a page waits for the fleet to say something for the first time.
const FIRST_WORD: Duration = Duration::from_secs(2);
/// How long one call of a page may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// An instance's place in the page: by service, replica, start.
type Place = (String, u32, u64);

/// What was told last.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    services: BTreeMap<String, ServiceInfo>,
    instances: BTreeMap<Place, InstanceInfo>,
    revision: u64,
    /// Something was told; before that an empty fleet means nothing.
    told: bool,
    /// Since when nobody can be reached, and why.
    lost: Option<(Instant, String)>,
}

impl View {
    /// Every service, by name.
    pub(crate) fn services(&self) -> impl ExactSizeIterator<Item = &ServiceInfo> {
        self.services.values()
    }

    /// What runs, and what ended and was not replaced: the newest instance of each slot.
    pub(crate) fn instances(&self) -> Vec<&InstanceInfo> {
        let newest = |(service, index, generation): &Place| {
            let after = (service.clone(), *index, generation.saturating_add(1));
            let end = (service.clone(), *index, u64::MAX);
            self.instances.range(after..=end).next().is_none()
        };
        let shown = self
            .instances
            .iter()
            .filter(|(place, instance)| !instance.state.is_terminal() || newest(place));
        shown.map(|(_, instance)| instance).collect()
    }

    /// The revision it was told of.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether it was ever told anything.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// For how long nobody could be reached, and why; `None` while all is well.
    pub(crate) fn lost(&self) -> Option<(Duration, &str)> {
        let (since, why) = self.lost.as_ref()?;
        Some((since.elapsed(), why))
    }

    /// Takes a change into account.
    pub(crate) fn take(&mut self, item: WatchItem) {
        if item.reset {
            self.services.clear();
            self.instances.clear();
        }
        for service in item.services {
            self.services.insert(service.name.clone(), service);
        }
        for instance in item.instances {
            let place = (
                instance.service.clone(),
                instance.index,
                instance.generation,
            );
            self.instances.insert(place, instance);
        }
        for name in &item.services_gone {
            self.services.remove(name);
        }
        if !item.instances_gone.is_empty() {
            self.instances
                .retain(|_, instance| !item.instances_gone.contains(&instance.id));
        }
        self.revision = item.revision;
        self.told = true;
        self.lost = None;
    }

    /// Takes note that nobody can be reached; the first time counts.
    pub(crate) fn lose(&mut self, why: String) {
        let since = self
            .lost
            .as_ref()
            .map_or_else(Instant::now, |(since, _)| *since);
        self.lost = Some((since, why));
    }
}

/// Somebody's look at the fleet, with what they may see of it. Ends when it is dropped.
pub(crate) struct Follower {
    view: watch::Receiver<View>,
    /// Absent until it is known where scheduling is.
    fleet: watch::Receiver<Option<Fleet>>,
    task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Follows scheduling, showing this credential, or the process's own if there is none.
    pub(crate) fn start(
        scheduling: Option<SocketAddr>,
        discovery: SocketAddr,
        credential: Option<Credential>,
    ) -> Self {
        let fleet_at = move |scheduling| {
            let addresses = Addresses {
                scheduling,
                discovery,
            };
            let fleet = Fleet::new(addresses, options());
            match &credential {
                Some(credential) => fleet.with_credential(credential),
                None => fleet,
            }
        };
        let (fleets, fleet) = watch::channel(None);
        let (views, view) = watch::channel(View::default());
        let task = tokio::spawn(async move {
            let mut pause = PAUSE_FIRST;
            loop {
                let before = views.borrow().revision;
                let address = match scheduling {
                    Some(address) => address,
                    None => Fleet::scheduling_address(discovery).await,
                };
                let known = fleets.borrow().clone();
                let same = known.filter(|fleet: &Fleet| fleet.addresses().scheduling == address);
                let fleet = same.unwrap_or_else(|| fleet_at(address));
                fleets.send_replace(Some(fleet.clone()));
                let why = follow_once(&fleet, &views).await;
                let why = fleet.located(why).message;
                tracing::debug!(%why, "a watch of scheduling ended");
                views.send_modify(|view| view.lose(why));
                // What told something new was well: being away starts anew with it.
                pause = if views.borrow().revision == before {
                    (pause * 2).min(PAUSE_MAX)
                } else {
                    PAUSE_FIRST
                };
                sleep(pause).await;
            }
        });
        Self { view, fleet, task }
    }

    /// What was told last.
    pub(crate) fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// What was told last, as long as it is a first time.
    pub(crate) async fn told(&self) -> View {
        let mut view = self.view.clone();
        let known = view.wait_for(|view| view.is_told() || view.lost().is_some());
        // What takes longer is shown as nothing known yet; the page looks again by itself.
        let _ = tokio::time::timeout(FIRST_WORD, known).await;
        self.view()
    }

    /// For who waits for what is told next.
    pub(crate) fn subscribe(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// To ask the fleet, with what they may do.
    pub(crate) async fn fleet(&self) -> Result<Fleet, Error> {
        let mut fleet = self.fleet.clone();
        let known = fleet.wait_for(Option::is_some).await;
        let known = known.ok().and_then(|fleet| fleet.clone());
        known.ok_or_else(|| Error::new(Code::Unavailable, "session-over", "the session is over"))
    }
}

/// A page that takes longer is no page.
fn options() -> CallOptions {
    CallOptions {
        timeout: Some(PATIENCE),
        ..CallOptions::default()
    }
}

/// Follows one connection to its end, and says why it ended.
async fn follow_once(fleet: &Fleet, sender: &watch::Sender<View>) -> Error {
    let call = fleet.scheduling_streams();
    let mut stream = match call.watch(&WatchArgs::default()).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    while let Some(item) = stream.next().await {
        match item {
            Ok(item) => sender.send_modify(|view| view.take(item)),
            Err(error) => return error,
        }
    }
    Error::new(Code::Unavailable, "connection-lost", "the watch ended")
}
