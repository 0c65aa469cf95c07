//! Asks everything that discovery knows what it counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use discovery::{DiscoveryClient, Instance, QueryArgs, Which};
use monitoring::limits::METRICS_BYTES_MAX;
use rpc::{BuiltinClient, CallOptions, Channel, Empty, Error};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::Labels;
use crate::config::Config;
use crate::engine::{Engine, now_ms};
use crate::parse::parse;

/// How long one that has left is shown.
const GONE_MS: u64 = 60_000;
/// Series that nobody has added to for so long are forgotten: a week.
const FORGOTTEN_MS: u64 = 7 * 24 * 3_600_000;

/// One instance, as far as it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) service: String,
    pub(crate) instance: String,
    pub(crate) version: String,
    pub(crate) up: bool,
    pub(crate) since_ms: u64,
    pub(crate) asked_ms: u64,
    pub(crate) seen_ms: u64,
    pub(crate) why: String,
}

/// Asks, looks at the rules, and begins anew; for ever.
pub(crate) async fn run(engine: Arc<Engine>, config: Config, discovery: SocketAddr) {
    let options = within(config.scrape_timeout);
    let discovery = DiscoveryClient::new(Channel::to(discovery)).with(options);
    let mut scraper = Scraper {
        engine,
        places: Arc::new(Semaphore::new(config.scrapes_max)),
        timeout: config.scrape_timeout,
        channels: BTreeMap::new(),
    };
    let mut tick = interval(config.interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match instances(&discovery).await {
            Ok(instances) => scraper.ask_all(instances).await,
            Err(error) => {
                tracing::debug!(%error, "discovery is away; the ones that are known are asked");
                scraper.ask_known().await;
            }
        }
        scraper.engine.sync();
        scraper.engine.judge(now_ms()).await;
    }
}

async fn instances(discovery: &DiscoveryClient) -> Result<Vec<Instance>, Error> {
    let mut all = Vec::new();
    for summary in discovery.list(&Empty {}).await?.services {
        let args = QueryArgs {
            service: summary.service,
            which: Which::All,
        };
        all.extend(discovery.query(&args).await?.instances);
    }
    Ok(all)
}

fn within(timeout: Duration) -> CallOptions {
    CallOptions {
        timeout: Some(timeout),
        ..CallOptions::default()
    }
}

struct Scraper {
    engine: Arc<Engine>,
    places: Arc<Semaphore>,
    timeout: Duration,
    channels: BTreeMap<String, (Instance, Channel)>,
}

impl Scraper {
    async fn ask_all(&mut self, instances: Vec<Instance>) {
        let mut channels = BTreeMap::new();
        for instance in instances {
            let Some(address) = instance.address() else {
                continue;
            };
            let name = instance.registration.instance.clone();
            let known = self.channels.remove(&name);
            let same = known.filter(|(before, _)| before.address() == Some(address));
            let channel = same.map_or_else(|| Channel::to(address), |(_, channel)| channel);
            channels.insert(name, (instance, channel));
        }
        self.channels = channels;
        self.ask_known().await;
        let now = now_ms();
        let known = |name: &String| self.channels.contains_key(name);
        let mut targets = self.engine.targets.lock();
        for (name, target) in targets.iter_mut() {
            if !known(name) && target.up {
                target.up = false;
                target.since_ms = now;
                "it left discovery".clone_into(&mut target.why);
            }
        }
        targets.retain(|name, target| known(name) || now < target.seen_ms + GONE_MS);
        drop(targets);
        self.engine
            .base
            .write()
            .forget_before(now.saturating_sub(FORGOTTEN_MS));
    }

    /// All at once, as many as may be; a slow one delays nobody but itself.
    async fn ask_known(&self) {
        let mut asking = JoinSet::new();
        for (instance, channel) in self.channels.values() {
            let (instance, channel) = (instance.clone(), channel.clone());
            let (engine, places) = (Arc::clone(&self.engine), Arc::clone(&self.places));
            let timeout = self.timeout;
            asking.spawn(async move {
                // Never closed.
                let _place = places.acquire().await;
                ask(&engine, &instance, channel, timeout).await;
            });
        }
        while asking.join_next().await.is_some() {}
    }
}

async fn ask(engine: &Engine, instance: &Instance, channel: Channel, timeout: Duration) {
    let builtin = BuiltinClient::new(channel).with(within(timeout));
    let answer = builtin.metrics(&Empty {}).await;
    let now = now_ms();
    let registration = &instance.registration;
    let own = Labels::from([
        ("instance".to_owned(), registration.instance.clone()),
        ("service".to_owned(), registration.service.clone()),
        ("version".to_owned(), registration.version.clone()),
    ]);
    let mut points = vec![(
        "up".to_owned(),
        own.clone(),
        f64::from(u8::from(answer.is_ok())),
    )];
    let why = match answer {
        Ok(metrics) if metrics.text.len() > METRICS_BYTES_MAX => "it says too much".to_owned(),
        Ok(metrics) => {
            let (lines, bad) = parse(&metrics.text);
            let base = engine.base.read();
            for line in lines {
                let mut labels = line.labels;
                labels.extend(own.clone());
                // What was never counted begins no series: most procedures are never called.
                if line.value != 0.0 || base.has(&line.name, &labels) {
                    points.push((line.name, labels, line.value));
                }
            }
            drop(base);
            if bad > 0 {
                tracing::debug!(
                    instance = registration.instance,
                    bad,
                    "lines that make no sense"
                );
            }
            String::new()
        }
        Err(error) => error.to_string(),
    };
    if let Err(error) = engine.take(now, &points) {
        tracing::error!(%error, "what was counted cannot be kept");
    }
    note(engine, instance, why, now);
}

fn note(engine: &Engine, instance: &Instance, why: String, now: u64) {
    let registration = &instance.registration;
    let up = why.is_empty();
    let mut targets = engine.targets.lock();
    let before = targets.get(&registration.instance);
    let since_ms = before
        .filter(|before| before.up == up)
        .map_or(now, |before| before.since_ms);
    let target = Target {
        service: registration.service.clone(),
        instance: registration.instance.clone(),
        version: registration.version.clone(),
        up,
        since_ms,
        asked_ms: now,
        seen_ms: now,
        why,
    };
    targets.insert(registration.instance.clone(), target);
}
