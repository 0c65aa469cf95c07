//! What services there are and what they can do, as discovery and they themselves say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use discovery::{DiscoveryClient, Resolver};
use parking_lot::Mutex;
use rpc::{
    Access, BuiltinClient, CallOptions, Channel, Code, Description, Empty, Error, ProcedureId,
};

/// After this time a description is asked for anew, while the old one still serves.
const FRESH: Duration = Duration::from_secs(30);
/// How often a service is asked anew, for something that it did not have or because its instances
/// are of other versions now.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a service or discovery may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// Services that are remembered, whether they are still there or not.
const SERVICES_MAX: usize = 4_096;

/// Services by name.
pub(crate) struct Catalogue {
    resolver: Resolver,
    discovery: DiscoveryClient,
    described: Mutex<BTreeMap<String, Described>>,
    listed: Mutex<Option<(Vec<String>, Instant)>>,
}

/// The services that have instances, by name.
pub(crate) struct Names {
    pub(crate) names: Vec<String>,
    /// How old this is, if discovery cannot be asked.
    pub(crate) age: Option<Duration>,
    why: Option<Error>,
}

#[derive(Clone)]
struct Described {
    description: Arc<Description>,
    /// The versions that its instances said when it was asked.
    versions: BTreeSet<String>,
    /// When it was asked, and when its versions were compared last.
    asked: Instant,
    compared: Instant,
    /// Whether somebody is asking.
    asking: bool,
}

impl Catalogue {
    pub(crate) fn new(discovery: SocketAddr) -> Self {
        let client = DiscoveryClient::new(Channel::to(discovery)).with(within(PATIENCE));
        Self {
            resolver: Resolver::new(discovery),
            discovery: client,
            described: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    /// The names of all services that have instances; while discovery is away, those of the last
    /// time that it said them.
    pub(crate) async fn names(&self) -> Result<Names, Error> {
        let why = match self.discovery.list(&Empty {}).await {
            Ok(list) => {
                let names: Vec<_> = list.services.into_iter().map(|s| s.service).collect();
                *self.listed.lock() = Some((names.clone(), Instant::now()));
                return Ok(Names {
                    names,
                    age: None,
                    why: None,
                });
            }
            Err(why) => why,
        };
        let listed = self.listed.lock().clone();
        let (names, at) = listed.ok_or_else(|| why.clone())?;
        Ok(Names {
            names,
            age: Some(at.elapsed()),
            why: Some(why),
        })
    }

    /// What a service says of itself. Once it has said something that serves until it says
    /// something else: who cannot be asked now can perhaps still be called.
    pub(crate) async fn service(self: &Arc<Self>, name: &str) -> Result<Arc<Description>, Error> {
        let known = self.described.lock().get(name).cloned();
        let Some(known) = known else {
            return self.ask(name).await;
        };
        if self.is_due(name) {
            let (catalogue, name) = (Arc::clone(self), name.to_owned());
            tokio::spawn(async move {
                if let Err(e) = catalogue.ask(&name).await {
                    tracing::debug!(service = %name, error = %e, "an old description is used");
                }
                catalogue.asked(&name);
            });
        }
        Ok(known.description)
    }

    /// A way to a service, and what its procedure is like.
    pub(crate) async fn procedure(
        self: &Arc<Self>,
        service: &str,
        procedure: &str,
    ) -> Result<(Channel, Procedure), Error> {
        let mut description = self.service(service).await?;
        let mut found = find(&description, procedure);
        if found.is_none() && !self.was_asked_lately(service) {
            description = self.ask(service).await?;
            found = find(&description, procedure);
        }
        let found = found.ok_or_else(|| unknown_procedure(service, procedure, &description))?;
        Ok((self.resolver.channel(service), found))
    }

    /// What it says is no longer so: some instance did not know a procedure that it names.
    pub(crate) fn doubt(&self, service: &str) {
        if let Some(known) = self.described.lock().get_mut(service) {
            known.versions.clear();
        }
    }

    fn was_asked_lately(&self, name: &str) -> bool {
        let described = self.described.lock();
        let known = described.get(name);
        known.is_some_and(|known| known.asked.elapsed() < ASK_AGAIN)
    }

    /// Whether a service is to be asked anew, by whoever is told so.
    fn is_due(&self, name: &str) -> bool {
        let mut described = self.described.lock();
        let Some(known) = described.get_mut(name) else {
            return false;
        };
        if known.asking || known.compared.elapsed() < ASK_AGAIN {
            return false;
        }
        known.compared = Instant::now();
        let old = known.asked.elapsed() >= FRESH;
        known.asking = old || known.versions != self.versions(name);
        known.asking
    }

    fn asked(&self, name: &str) {
        if let Some(known) = self.described.lock().get_mut(name) {
            known.asking = false;
        }
    }

    fn versions(&self, name: &str) -> BTreeSet<String> {
        let instances = self.resolver.resolve(name).instances.into_iter();
        instances.map(|i| i.registration.version).collect()
    }

    async fn ask(&self, name: &str) -> Result<Arc<Description>, Error> {
        // Before it is asked for by name: a name that nobody has is not followed for ever.
        if !self.described.lock().contains_key(name) {
            let Names { names, why, .. } = self.names().await?;
            if !names.iter().any(|known| known == name) {
                // One that is new since discovery is away is not unknown.
                return Err(why.unwrap_or_else(|| unknown_service(name, &names)));
            }
        }
        // Who calls before discovery has answered would spend the attempts of all.
        self.resolver.ready(name, PATIENCE).await;
        let builtin = BuiltinClient::new(self.resolver.channel(name)).with(within(PATIENCE));
        let description = Arc::new(builtin.describe(&Empty {}).await?);
        let described = Described {
            description: Arc::clone(&description),
            versions: self.versions(name),
            asked: Instant::now(),
            compared: Instant::now(),
            asking: false,
        };
        let mut all = self.described.lock();
        if all.len() >= SERVICES_MAX && !all.contains_key(name) {
            let oldest = all.iter().min_by_key(|(_, known)| known.asked);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                all.remove(&name);
            }
        }
        all.insert(name.to_owned(), described);
        Ok(description)
    }
}

/// What has to be known of a procedure to call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Procedure {
    pub(crate) id: ProcedureId,
    pub(crate) access: Access,
    pub(crate) stream: bool,
}

fn find(description: &Description, name: &str) -> Option<Procedure> {
    // By number, the built-in ones first: of two of one name the service's own is meant.
    let mut all = description.procedures.iter().rev();
    let found = all.find(|procedure| procedure.name == name)?;
    // A word from a newer server is taken for the most careful one.
    let access = [Access::Read, Access::Idempotent]
        .into_iter()
        .find(|access| access.as_str() == found.access)
        .unwrap_or(Access::Write);
    Some(Procedure {
        id: found.id,
        access,
        stream: found.stream,
    })
}

fn within(timeout: Duration) -> CallOptions {
    CallOptions {
        timeout: Some(timeout),
        ..CallOptions::default()
    }
}

fn unknown_service(name: &str, known: &[String]) -> Error {
    let known = known.iter().map(String::as_str);
    let message = format!("no service `{}` is found", shown(name));
    let hint = nearest(name, known, "GET /v1 lists all");
    Error::not_found("unknown-service", message).with_hint(hint)
}

fn unknown_procedure(service: &str, name: &str, description: &Description) -> Error {
    let known = description.procedures.iter().map(|p| p.name.as_str());
    let message = format!("{service} has no procedure `{}`", shown(name));
    let list = format!("GET /v1/{service} lists all");
    Error::new(Code::UnknownProcedure, "unknown-procedure", message)
        .with_hint(nearest(name, known, &list))
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

/// What may have been meant.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>, list: &str) -> String {
    // Likeness takes time in proportion to both lengths, and nobody means so long a name.
    let name = shown(name);
    let mut near: Vec<(f64, &str)> = known
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    if near.is_empty() {
        return list.to_owned();
    }
    format!("did you mean {}? {list}", near.join(", "))
}
