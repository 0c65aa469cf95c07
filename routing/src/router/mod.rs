//! Decides in the caller's own process.

mod raw;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use balancing::Outcome;
use balancing::split::Split;
use bytes::Bytes;
use discovery::Resolver;
use parking_lot::{Mutex, RwLock};
use rpc::{Access, CallOptions, Code, Codec, Error, ProcedureId, Retry};
use tokio::time::sleep;

use self::raw::Raw;
use self::service::{Service, Try, name_of};
use crate::wire::ServiceStats;
use crate::{RoutingClient, SplitsReply};

/// How often a call is made at most.
const TRIES_MAX: u32 = 3;
/// Services that one router calls.
const SERVICES_MAX: usize = 1_000;
/// How long discovery may take at first to say who there is.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// How long a call may take unless its options say otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to follow splits.
const AGAIN: Duration = Duration::from_millis(500);

/// A call that is to be made.
#[derive(Clone, Debug)]
pub struct Call {
    procedure: ProcedureId,
    payload: Bytes,
    idempotent: bool,
    hedge: bool,
    key: String,
    options: CallOptions,
}

impl Call {
    /// This procedure with these arguments, written in bincode.
    #[must_use]
    pub fn new(procedure: ProcedureId, payload: Bytes) -> Self {
        Self {
            procedure,
            payload,
            idempotent: false,
            hedge: false,
            key: String::new(),
            options: CallOptions::default(),
        }
    }

    /// The arguments are JSON.
    #[must_use]
    pub fn json(mut self) -> Self {
        self.options.codec = Codec::Json;
        self
    }

    /// It may be made twice.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// A second call is sent beside it when it takes longer than most; it may be made twice.
    #[must_use]
    pub fn hedged(mut self) -> Self {
        self.hedge = true;
        self.idempotent()
    }

    /// Calls with the same key get the same version.
    #[must_use]
    pub fn keyed(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// With these options: deadline and whatever travels beside the arguments. How the arguments
    /// are written stays as it was said.
    #[must_use]
    pub fn with(mut self, options: CallOptions) -> Self {
        let codec = self.options.codec;
        self.options = CallOptions { codec, ..options };
        self
    }
}

/// The answer to a call.
#[derive(Clone, Debug)]
pub struct Routed {
    /// The result, as the service wrote it.
    pub payload: Bytes,
    /// Which instance answered.
    pub instance: String,
    /// How often the call was made.
    pub tries: u32,
}

/// Decides which instance gets a call, and makes it. Clones share what they know.
#[derive(Clone)]
pub struct Router(Arc<Inner>);

struct Inner {
    resolver: Resolver,
    zone: String,
    services: Mutex<BTreeMap<String, Arc<Service>>>,
    splits: RwLock<BTreeMap<String, Split>>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

impl Router {
    /// Finds instances with this resolver, and prefers those that stand in this zone; none if it
    /// is empty.
    #[must_use]
    pub fn new(resolver: Resolver, zone: &str) -> Self {
        Self(Arc::new(Inner {
            resolver,
            zone: zone.to_owned(),
            services: Mutex::default(),
            splits: RwLock::default(),
        }))
    }

    /// These are the splits from now on.
    pub fn set_splits(&self, all: &SplitsReply) {
        let splits = all.splits.iter().map(|split| {
            let weights = split.weights.iter();
            let weights = weights.map(|weight| (weight.version.clone(), weight.permille));
            (split.service.clone(), weights.collect())
        });
        *self.0.splits.write() = splits.collect();
    }

    /// Whether a split of this service is known.
    #[must_use]
    pub fn has_split(&self, service: &str) -> bool {
        self.0.splits.read().contains_key(service)
    }

    /// Follows the splits that the routing service keeps, until the task is ended. While it is
    /// away, they stay as they were.
    pub async fn follow_splits(self, routing: RoutingClient) {
        loop {
            if let Ok(mut stream) = routing.watch_splits(&rpc::Empty {}).await {
                while let Some(Ok(all)) = stream.next().await {
                    self.set_splits(&all);
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// How calls went, by service.
    #[must_use]
    pub fn stats(&self) -> Vec<ServiceStats> {
        let services: Vec<Arc<Service>> = self.0.services.lock().values().cloned().collect();
        services.iter().map(|service| service.stats()).collect()
    }

    /// Makes a call.
    ///
    /// # Errors
    /// What the service answered, unchanged; or that nobody can be called, or that nearly every
    /// call fails.
    pub async fn call(&self, service: &str, call: &Call) -> Result<Routed, Error> {
        let service = self.service(service).await?;
        let split = self
            .0
            .splits
            .read()
            .get(service.name())
            .cloned()
            .unwrap_or_default();
        let version = service.begin(&split, &call.key)?;
        let whole = Whole(Arc::clone(&service), false);
        let result = self.attempts(&service, version.as_deref(), call).await;
        let succeeded = result
            .as_ref()
            .err()
            .is_none_or(|error| !is_the_servers(error));
        whole.ended(succeeded);
        result
    }

    async fn service(&self, name: &str) -> Result<Arc<Service>, Error> {
        let (service, is_new) = {
            let mut services = self.0.services.lock();
            match services.get(name) {
                Some(service) => (Arc::clone(service), false),
                None if services.len() >= SERVICES_MAX => return Err(too_many(name)),
                None => {
                    let service = Arc::new(Service::new(name, &self.0.zone));
                    services.insert(name.to_owned(), Arc::clone(&service));
                    (service, true)
                }
            }
        };
        if is_new {
            let following = follow(
                self.0.resolver.clone(),
                name.to_owned(),
                Arc::clone(&service),
            );
            tokio::spawn(following);
        }
        if service.is_empty() {
            self.0.resolver.ready(name, FIRST_PATIENCE).await;
            service.set(&self.0.resolver.resolve(name).instances);
        }
        Ok(service)
    }

    async fn attempts(
        &self,
        service: &Arc<Service>,
        version: Option<&str>,
        call: &Call,
    ) -> Result<Routed, Error> {
        let in_time = Instant::now() + call.options.timeout.unwrap_or(PATIENCE);
        let deadline = call.options.deadline.map_or(in_time, |at| at.min(in_time));
        let options = CallOptions {
            deadline: Some(deadline),
            timeout: None,
            once: true,
            ..call.options.clone()
        };
        let mut tried = Vec::new();
        loop {
            let first = service.pick(version, &tried)?;
            tried.push(first.instance.clone());
            let (answer, tries) = if call.hedge {
                hedged(service, version, &mut tried, first, call, &options).await
            } else {
                (one(first, call, &options).await, 1)
            };
            let made = u32::try_from(tried.len()).unwrap_or(u32::MAX).max(tries);
            let error = match answer {
                Ok((payload, instance)) => {
                    return Ok(Routed {
                        payload,
                        instance: name_of(&instance).to_owned(),
                        tries: made,
                    });
                }
                Err(error) => error,
            };
            let may_repeat = match error.retry {
                Retry::Safe => true,
                Retry::IfIdempotent => call.idempotent && error.code == Code::Unavailable,
                Retry::Never => false,
            };
            let in_time = Instant::now() < deadline;
            if !may_repeat || made >= TRIES_MAX || !in_time || !service.may_retry() {
                return Err(error);
            }
        }
    }
}

fn too_many(name: &str) -> Error {
    let message = format!("{SERVICES_MAX} services are called already; {name} is not one of them");
    Error::new(Code::ResourceExhausted, crate::reason::TOO_MANY, message)
        .with_hint("each service that is called is followed from then on")
}

/// The call as a whole: one that nobody waits for any more is taken back.
struct Whole(Arc<Service>, bool);

impl Whole {
    fn ended(mut self, succeeded: bool) {
        self.1 = true;
        self.0.ended(Some(succeeded));
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.1 {
            self.0.ended(None);
        }
    }
}

/// Keeps a service's instances as discovery knows them, for as long as anybody calls it.
async fn follow(resolver: Resolver, name: String, service: Arc<Service>) {
    let mut seen = None;
    loop {
        let wanted = |known: &discovery::Resolved| known.position != seen;
        resolver
            .wait_until(&name, Duration::from_secs(1), wanted)
            .await;
        let known = resolver.resolve(&name);
        if known.position != seen {
            seen = known.position;
            service.set(&known.instances);
        }
    }
}

type Answer = Result<(Bytes, String), Error>;

/// One try.
async fn one(this: Try, call: &Call, options: &CallOptions) -> Answer {
    let raw = Raw(call.payload.clone());
    // Repeating is decided here, by somebody who can go elsewhere.
    let answer = this
        .channel
        .call(call.procedure, Access::Write, &raw, options);
    match answer.await {
        Ok(Raw(payload)) => {
            let instance = this.instance.clone();
            this.ended(Outcome::Succeeded);
            Ok((payload, instance))
        }
        Err(error) => {
            let outcome = if is_the_servers(&error) {
                Outcome::Failed
            } else {
                Outcome::Succeeded
            };
            this.ended(outcome);
            Err(error)
        }
    }
}

/// One try, and a second one beside it if it takes longer than most. The first good answer counts.
async fn hedged(
    service: &Arc<Service>,
    version: Option<&str>,
    tried: &mut Vec<String>,
    first: Try,
    call: &Call,
    options: &CallOptions,
) -> (Answer, u32) {
    let first = one(first, call, options);
    tokio::pin!(first);
    let Some(after_us) = service.hedge_after_us() else {
        return (first.await, 1);
    };
    tokio::select! {
        answer = &mut first => return (answer, 1),
        () = sleep(Duration::from_micros(after_us)) => {}
    }
    if !service.may_hedge() {
        return (first.await, 1);
    }
    let Ok(second) = service.pick(version, tried) else {
        return (first.await, 1);
    };
    tried.push(second.instance.clone());
    let second = one(second, call, options);
    tokio::pin!(second);
    let answer = tokio::select! {
        answer = &mut first => match answer {
            Err(_) => second.await,
            good => good,
        },
        answer = &mut second => match answer {
            Err(_) => first.await,
            good => good,
        },
    };
    (answer, 2)
}

/// Whether an error says something of the instance, and not of the call.
fn is_the_servers(error: &Error) -> bool {
    matches!(
        error.code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Protocol
            | Code::ResourceExhausted
    )
}
