//! What services there are and what they can do, as discovery and they themselves say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use discovery::{DiscoveryClient, Resolver};
use parking_lot::Mutex;
use rpc::{
    BuiltinClient, CallOptions, Channel, Code, Description, Empty, Error, ProcedureDescription,
};

/// How long a description is believed. A procedure that is not in it is asked for anew at once.
const FRESH: Duration = Duration::from_secs(30);
/// How often a service is asked anew for something that it did not have.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a service or discovery may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// Services by name.
pub(crate) struct Catalogue {
    resolver: Resolver,
    discovery: DiscoveryClient,
    described: Mutex<BTreeMap<String, Described>>,
}

#[derive(Clone)]
struct Described {
    description: Arc<Description>,
    at: Instant,
}

impl Catalogue {
    pub(crate) fn new(discovery: SocketAddr) -> Self {
        let client = DiscoveryClient::new(Channel::to(discovery)).with(within(PATIENCE));
        Self {
            resolver: Resolver::new(discovery),
            discovery: client,
            described: Mutex::default(),
        }
    }

    /// The names of all services that have instances.
    pub(crate) async fn names(&self) -> Result<Vec<String>, Error> {
        let list = self.discovery.list(&Empty {}).await?;
        Ok(list.services.into_iter().map(|s| s.service).collect())
    }

    /// What a service says of itself, not older than half a minute.
    pub(crate) async fn service(&self, name: &str) -> Result<Arc<Description>, Error> {
        let known = self.described.lock().get(name).cloned();
        if let Some(known) = known.filter(|known| known.at.elapsed() < FRESH) {
            return Ok(known.description);
        }
        self.ask(name).await
    }

    /// A way to a service, and what its procedure is like.
    pub(crate) async fn procedure(
        &self,
        service: &str,
        procedure: &str,
    ) -> Result<(Channel, ProcedureDescription), Error> {
        let mut description = self.service(service).await?;
        let mut found = find(&description, procedure);
        let asked_lately = {
            let described = self.described.lock();
            described
                .get(service)
                .is_some_and(|known| known.at.elapsed() < ASK_AGAIN)
        };
        if found.is_none() && !asked_lately {
            description = self.ask(service).await?;
            found = find(&description, procedure);
        }
        let found = found.ok_or_else(|| unknown_procedure(service, procedure, &description))?;
        Ok((self.resolver.channel(service), found))
    }

    async fn ask(&self, name: &str) -> Result<Arc<Description>, Error> {
        // Before it is asked for by name: a name that nobody has is not followed for ever.
        if !self.described.lock().contains_key(name) {
            let names = self.names().await?;
            if !names.iter().any(|known| known == name) {
                return Err(unknown_service(name, &names));
            }
        }
        let builtin = BuiltinClient::new(self.resolver.channel(name)).with(within(PATIENCE));
        let description = Arc::new(builtin.describe(&Empty {}).await?);
        let described = Described {
            description: Arc::clone(&description),
            at: Instant::now(),
        };
        self.described.lock().insert(name.to_owned(), described);
        Ok(description)
    }
}

fn find(description: &Description, name: &str) -> Option<ProcedureDescription> {
    let mut all = description.procedures.iter();
    all.find(|procedure| procedure.name == name).cloned()
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
    Error::not_found("unknown-service", message).with_hint(nearest(
        name,
        known,
        "GET /v1 lists all",
    ))
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
    let mut near: Vec<(f64, &str)> = known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near.iter().take(3).map(|(_, name)| *name).collect();
    if near.is_empty() {
        return list.to_owned();
    }
    format!("did you mean {}? {list}", near.join(", "))
}
