//! All replicas as one cache.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discovery::Resolver;
use parking_lot::Mutex;
use rpc::{CallOptions, Channel, Code, Error, Retry};

use crate::rendezvous::owner;
use crate::{CachingClient, DeleteArgs, GetArgs, GetReply, SYSTEM_NAME, SetArgs, reason};

/// How long a cache is waited for: what it has is to be had elsewhere too.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long discovery may take at first to say which replicas there are.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// Spreads keys over the replicas that discovery knows. Clones share connections.
#[derive(Clone)]
pub struct Client {
    resolver: Resolver,
    channels: Arc<Mutex<BTreeMap<SocketAddr, Channel>>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the replicas that this resolver finds.
    #[must_use]
    pub fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            channels: Arc::default(),
        }
    }

    /// One value, if it is there.
    ///
    /// # Errors
    /// No replica can be called.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.ask(&GetArgs::new(key)).await?.value)
    }

    /// One value, as asked for.
    ///
    /// # Errors
    /// No replica can be called; or with `through`, storage cannot be reached.
    pub async fn ask(&self, args: &GetArgs) -> Result<GetReply, Error> {
        self.replica(&args.key).await?.get(args).await
    }

    /// Keeps a value; for as long as there is room if `ttl` is absent.
    ///
    /// # Errors
    /// No replica can be called, or the value is too long.
    pub async fn set(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        let ttl_ms = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        let args = SetArgs {
            key: key.to_owned(),
            value: value.into(),
            ttl_ms,
        };
        self.replica(key).await?.set(&args).await.map(drop)
    }

    /// Drops a value; whether there was one.
    ///
    /// # Errors
    /// No replica can be called.
    pub async fn delete(&self, key: &str) -> Result<bool, Error> {
        let args = DeleteArgs {
            key: key.to_owned(),
        };
        Ok(self.replica(key).await?.delete(&args).await?.existed)
    }

    async fn replica(&self, key: &str) -> Result<CachingClient, Error> {
        let mut known = self.resolver.resolve(SYSTEM_NAME).instances;
        if known.is_empty() {
            self.resolver.ready(SYSTEM_NAME, FIRST_PATIENCE).await;
            known = self.resolver.resolve(SYSTEM_NAME).instances;
        }
        let names: Vec<String> = known.iter().map(slot).collect();
        let found = owner(key, &names).and_then(|index| known[index].address());
        let address = found.ok_or_else(|| {
            Error::new(
                Code::Unavailable,
                reason::NO_REPLICA,
                "no replica of caching is found",
            )
            .with_hint("`orrery explain caching` says why")
            .with_retry(Retry::Safe)
        })?;
        let channel = {
            let mut channels = self.channels.lock();
            channels.retain(|at, _| known.iter().any(|i| i.address() == Some(*at)));
            channels
                .entry(address)
                .or_insert_with(|| Channel::to(address))
                .clone()
        };
        Ok(CachingClient::new(channel).with(CallOptions {
            timeout: Some(PATIENCE),
            ..CallOptions::default()
        }))
    }
}

/// A replica by its slot: one that is started again has the keys that it had, empty at first.
fn slot(instance: &discovery::Instance) -> String {
    let name = &instance.registration.instance;
    let parts = name
        .rsplit_once('.')
        .filter(|(_, last)| last.parse::<u64>().is_ok());
    parts.map_or_else(|| name.clone(), |(slot, _)| slot.to_owned())
}
