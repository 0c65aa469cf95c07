//! A service's own keys, as live values.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chassis::Scalar as _;
use rpc::Channel;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::limits::VALUE_BYTES_MAX;
use crate::{
    ConfigurationClient, ConfigurationEvent, Declaration, DeclareArgs, ValueType, WatchArgs,
};

/// Pauses between attempts to reach configuration.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// A value that is always what was set last, as far as is known.
#[derive(Clone, Debug)]
pub struct Live<T>(watch::Receiver<T>);

impl<T: Clone> Live<T> {
    /// What it is now.
    #[must_use]
    pub fn get(&self) -> T {
        self.0.borrow().clone()
    }

    /// Waits until it is something else than it was when this was last asked. Cancel safe. Never
    /// ends when nobody follows.
    pub async fn changed(&mut self) -> T {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }
}

/// Takes a text to where its value is read.
type Put = Box<dyn Fn(&str) + Send + Sync>;

struct Entry {
    declaration: Declaration,
    put: Put,
}

/// The keys of a service, being declared.
pub struct Values {
    service: String,
    entries: Vec<Entry>,
}

impl Values {
    /// Keys under `service/`.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            entries: Vec::new(),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &str, default: bool, help: &str) -> Live<bool> {
        let read = |text: &str| text.parse().ok();
        self.add(
            declare(name, ValueType::Boolean, default, help),
            default,
            read,
        )
    }

    /// A whole number from `min` to `max`.
    pub fn integer(
        &mut self,
        name: &str,
        default: i64,
        (min, max): (i64, i64),
        help: &str,
    ) -> Live<i64> {
        let value_type = ValueType::Integer { min, max };
        let read = |text: &str| text.parse().ok();
        self.add(declare(name, value_type, default, help), default, read)
    }

    /// A duration from `min` to `max`, all three as in `250ms`. One that cannot be read is 0.
    pub fn duration(
        &mut self,
        name: &str,
        default: &str,
        min: &str,
        max: &str,
        help: &str,
    ) -> Live<Duration> {
        let read = |text: &str| Duration::parse(text).ok();
        let ms = |text: &str| {
            let ms = read(text).unwrap_or_default().as_millis();
            u64::try_from(ms).unwrap_or(u64::MAX)
        };
        let value_type = ValueType::Duration {
            min_ms: ms(min),
            max_ms: ms(max),
        };
        let first = read(default).unwrap_or_default();
        self.add(declare(name, value_type, default, help), first, read)
    }

    /// Text: any of `one_of`, or anything if that is empty.
    pub fn text(&mut self, name: &str, default: &str, one_of: &[&str], help: &str) -> Live<String> {
        let value_type = ValueType::Text {
            bytes_max: VALUE_BYTES_MAX as u64,
            one_of: one_of.iter().map(|one| (*one).to_owned()).collect(),
        };
        let read = |text: &str| Some(text.to_owned());
        self.add(
            declare(name, value_type, default, help),
            default.to_owned(),
            read,
        )
    }

    fn add<T>(
        &mut self,
        declaration: Declaration,
        first: T,
        read: impl Fn(&str) -> Option<T> + Send + Sync + 'static,
    ) -> Live<T>
    where
        T: Clone + PartialEq + Send + Sync + 'static,
    {
        let (sender, receiver) = watch::channel(first);
        let put = move |text: &str| {
            let Some(value) = read(text) else { return };
            sender.send_if_modified(|before| {
                let other = *before != value;
                *before = value.clone();
                other
            });
        };
        let put = Box::new(put);
        self.entries.push(Entry { declaration, put });
        Live(receiver)
    }

    /// Declares the keys and follows what is set, until the handle is dropped. While configuration
    /// is away, every value stays as it was known last.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn follow(self, channel: Channel) -> Following {
        let (lost, lost_at) = watch::channel(Some(Instant::now()));
        let follower = Follower {
            client: ConfigurationClient::new(channel),
            prefix: format!("{}/", self.service),
            values: self,
            after: None,
            parts: BTreeMap::new(),
            lost,
        };
        Following {
            task: tokio::spawn(follower.run()),
            lost_at,
        }
    }
}

fn declare(name: &str, value_type: ValueType, default: impl ToString, help: &str) -> Declaration {
    Declaration {
        name: name.to_owned(),
        value_type,
        default: default.to_string(),
        help: help.to_owned(),
        needs_restart: false,
    }
}

/// Keys being followed; dropping it ends that.
#[derive(Debug)]
pub struct Following {
    task: JoinHandle<()>,
    lost_at: watch::Receiver<Option<Instant>>,
}

impl Following {
    /// For how long configuration has been away; `None` while it is there. Before it was reached
    /// for the first time, since when that is tried.
    #[must_use]
    pub fn stale_for(&self) -> Option<Duration> {
        self.lost_at.borrow().map(|at| at.elapsed())
    }

    /// Waits until everything is as configuration has it. Cancel safe.
    pub async fn fresh(&mut self) {
        // The sender lives as long as the task, which ends with this handle.
        let _ = self.lost_at.wait_for(Option::is_none).await;
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    client: ConfigurationClient,
    prefix: String,
    values: Values,
    after: Option<u64>,
    parts: BTreeMap<String, String>,
    lost: watch::Sender<Option<Instant>>,
}

impl Follower {
    async fn run(mut self) {
        let mut pause = AGAIN_FIRST;
        loop {
            let error = self.follow_once().await;
            let was_lost = self.lost.borrow().is_some();
            if !was_lost {
                pause = AGAIN_FIRST;
                self.lost.send_replace(Some(Instant::now()));
            }
            tracing::debug!(
                prefix = self.prefix,
                error,
                "configuration is not followed now"
            );
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN_MAX);
        }
    }

    async fn follow_once(&mut self) -> String {
        let declare = DeclareArgs {
            service: self.values.service.clone(),
            declarations: self.declarations(),
        };
        if let Err(error) = self.client.declare(&declare).await {
            // What is set can be followed all the same; it is checked here too.
            tracing::warn!(service = declare.service, %error, "the keys are not declared");
        }
        let args = WatchArgs {
            prefix: self.prefix.clone(),
            after: self.after,
        };
        let mut stream = match self.client.watch(&args).await {
            Ok(stream) => stream,
            Err(error) => return error.to_string(),
        };
        self.parts.clear();
        loop {
            match stream.next().await {
                Some(Ok(event)) => self.take(event),
                Some(Err(error)) => return error.to_string(),
                None => return "configuration ended the watch".to_owned(),
            }
        }
    }

    fn declarations(&self) -> Vec<Declaration> {
        let entries = self.values.entries.iter();
        entries.map(|entry| entry.declaration.clone()).collect()
    }

    fn take(&mut self, event: ConfigurationEvent) {
        match event {
            ConfigurationEvent::Snapshot {
                revision,
                items,
                more,
                ..
            } => {
                self.parts
                    .extend(items.into_iter().map(|item| (item.key, item.value)));
                if more {
                    return;
                }
                let all = std::mem::take(&mut self.parts);
                for entry in &self.values.entries {
                    let key = format!("{}{}", self.prefix, entry.declaration.name);
                    put(entry, all.get(&key).map(String::as_str));
                }
                self.after = Some(revision);
            }
            ConfigurationEvent::Changed { revision, changes } => {
                for change in changes {
                    let name = change.key.strip_prefix(&self.prefix);
                    let mut entries = self.values.entries.iter();
                    if let Some(entry) = entries.find(|e| Some(e.declaration.name.as_str()) == name)
                    {
                        put(entry, change.item.as_ref().map(|item| item.value.as_str()));
                    }
                }
                self.after = Some(revision);
            }
            ConfigurationEvent::Progress { revision } => self.after = Some(revision),
        }
        self.lost.send_replace(None);
    }
}

/// What is set, or the default. What does not fit was set before the key was declared so.
fn put(entry: &Entry, set: Option<&str>) {
    let value = set.unwrap_or(&entry.declaration.default);
    match entry.declaration.value_type.check(value) {
        Ok(()) => (entry.put)(value),
        Err(error) => tracing::warn!(key = entry.declaration.name, %error, "kept as it was"),
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.entries.iter().map(|e| e.declaration.name.as_str());
        let names: Vec<&str> = names.collect();
        f.debug_struct("Values")
            .field("service", &self.service)
            .field("names", &names)
            .finish_non_exhaustive()
    }
}
