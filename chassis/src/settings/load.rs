//! The layers, put on top of each other.

use std::path::PathBuf;

use super::file;
use super::value::Raw;
use super::{Common, Key, Settings};
use crate::exit::{Exit, Failure};

/// Where settings come from. Tests make their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) arguments: Vec<String>,
}

impl Sources {
    /// This process's. Variables and arguments that are no text are passed over.
    pub(crate) fn of_process() -> Self {
        let text = |s: std::ffi::OsString| s.into_string().ok();
        Self {
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
                .collect(),
            arguments: std::env::args_os().skip(1).filter_map(text).collect(),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Loaded<S> {
    /// To serve, with these settings.
    Serve(Box<Common>, S),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// Puts the layers together.
pub(crate) fn load<S: Settings>(service: &str, sources: &Sources) -> Result<Loaded<S>, Failure> {
    let arguments = match arguments(&sources.arguments)? {
        Arguments::Flags(flags) => flags,
        Arguments::Help => return Ok(Loaded::Help),
        Arguments::Version => return Ok(Loaded::Version),
    };
    let mut layers = Layers {
        common: Common::default(),
        own: S::default(),
    };
    let mut path = sources.variable("ORRERY_CONFIG").map(PathBuf::from);
    let (config, flags): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|(key, _)| key == "config");
    path = config
        .into_iter()
        .next_back()
        .map(|(_, value)| PathBuf::from(value))
        .or(path);
    if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
        for line in file::read(&path, service)? {
            let place = format!("{}:{}", path.display(), line.number);
            layers.set(&line.key, &line.value, &place, Exit::Config)?;
        }
    }
    for (name, key, value) in environment::<S>(service, sources) {
        layers.set(
            &key,
            &Raw::Text(value),
            &format!("the environment ({name})"),
            Exit::Config,
        )?;
    }
    for (key, value) in flags {
        let place = format!("flag --{}", key.replace('_', "-"));
        layers.set(&key, &Raw::Text(value), &place, Exit::Usage)?;
    }
    Ok(Loaded::Serve(Box::new(layers.common), layers.own))
}

struct Layers<S> {
    common: Common,
    own: S,
}

impl<S: Settings> Layers<S> {
    fn set(&mut self, key: &str, value: &Raw, place: &str, exit: Exit) -> Result<(), Failure> {
        let has = |keys: &[Key]| keys.iter().any(|k| k.name == key);
        let set = if has(&S::keys()) {
            self.own.set(key, value)
        } else if has(&Common::keys()) {
            self.common.set(key, value)
        } else {
            let message = format!("{place}: there is no setting `{key}`");
            let keys: Vec<_> = all_keys::<S>().map(|key| key.name).collect();
            let hint = format!("the settings are {}", keys.join(", "));
            return Err(Failure::new(exit, message).with_hint(hint));
        };
        set.map_err(|expected| {
            let message = format!("{place}: bad value for `{key}`: {expected}");
            Failure::new(exit, message).with_hint("`--help` explains each setting")
        })
    }
}

/// The service's own keys, then those of all services.
pub(super) fn all_keys<S: Settings>() -> impl Iterator<Item = Key> {
    S::keys().into_iter().chain(Common::keys())
}

/// The prefix of a service's variables: `ORRERY_RESOURCE_SCHEDULER_`.
pub(super) fn prefix(service: &str) -> String {
    format!("ORRERY_{}_", service.to_uppercase().replace('-', "_"))
}

/// What the environment says: variable, key, value; the more particular last.
fn environment<S: Settings>(service: &str, sources: &Sources) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut take = |name: &str, key: &str, value: String| {
        found.push((name.to_owned(), key.to_owned(), value));
    };
    if let Some(filter) = sources.variable("RUST_LOG") {
        take("RUST_LOG", "log", filter.to_owned());
    }
    for key in Common::keys().iter().filter(|key| key.name != "address") {
        let name = format!("ORRERY_{}", key.name.to_uppercase());
        if let Some(value) = sources.variable(&name) {
            take(&name, key.name, value.to_owned());
        }
    }
    let prefix = prefix(service);
    for (name, value) in &sources.environment {
        if let Some(key) = name.strip_prefix(&prefix) {
            take(name, &key.to_lowercase(), value.clone());
        }
    }
    if let Some(port) = sources.variable("PORT") {
        take("PORT", "address", format!("127.0.0.1:{port}"));
    }
    found
}

enum Arguments {
    Flags(Vec<(String, String)>),
    Help,
    Version,
}

/// `--key value` and `--key=value`.
fn arguments(arguments: &[String]) -> Result<Arguments, Failure> {
    let usage =
        |message: String| Failure::new(Exit::Usage, message).with_hint("`--help` lists the flags");
    let mut flags = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if matches!(argument.as_str(), "--help" | "-h") {
            return Ok(Arguments::Help);
        }
        if matches!(argument.as_str(), "--version" | "-V") {
            return Ok(Arguments::Version);
        }
        let Some(flag) = argument.strip_prefix("--") else {
            return Err(usage(format!("unexpected argument `{argument}`")));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, rest.next().cloned()),
        };
        let value = value.ok_or_else(|| usage(format!("flag --{name} needs a value")))?;
        flags.push((name.replace('-', "_"), value));
    }
    Ok(Arguments::Flags(flags))
}
