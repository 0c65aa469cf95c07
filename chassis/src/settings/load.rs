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
    for (name, key, value) in environment(service, sources) {
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
fn environment(service: &str, sources: &Sources) -> Vec<(String, String, String)> {
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;
    use crate::LogFormat;

    crate::settings! {
        /// Of a service that is only here.
        struct Own {
            /// A number.
            size: u32 = 1,
            /// A list.
            words: Vec<String> = vec!["a".to_owned()],
        }
    }

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    fn sources(environment: &[(&str, &str)], arguments: &[&str]) -> Sources {
        let text = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Sources {
            environment: environment.iter().map(text).collect(),
            arguments: strings(arguments),
        }
    }

    fn serve(sources: &Sources) -> (Common, Own) {
        match load::<Own>("my-service", sources) {
            Ok(Loaded::Serve(common, own)) => (*common, own),
            other => panic!("it should serve, not {other:?}"),
        }
    }

    fn fail(sources: &Sources) -> Failure {
        match load::<Own>("my-service", sources) {
            Err(failure) => failure,
            other => panic!("it should fail, not {other:?}"),
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let file = file("size = 2\ndrain_grace = \"2s\"\n");
        let path = file.path().to_str().unwrap();
        let environment = ("ORRERY_MY_SERVICE_SIZE", "3");
        let cases: [(&[_], &[_], u32); 4] = [
            (&[], &[], 1),
            (&[("ORRERY_CONFIG", path)], &[], 2),
            (&[("ORRERY_CONFIG", path), environment], &[], 3),
            (&[("ORRERY_CONFIG", path), environment], &["--size", "4"], 4),
        ];
        for (environment, arguments, size) in cases {
            assert_eq!(serve(&sources(environment, arguments)).1.size, size);
        }
        let (common, own) = serve(&sources(&[], &["--config", path, "--words=x, y"]));
        assert_eq!(common.drain_grace, Duration::from_secs(2));
        assert_eq!(own.words, ["x", "y"]);
    }

    #[test]
    fn common_settings_have_a_variable_for_all_services_and_one_for_each() {
        let all = ("ORRERY_LOG_FORMAT", "json");
        assert_eq!(serve(&sources(&[all], &[])).0.log_format, LogFormat::Json);
        let own = ("ORRERY_MY_SERVICE_LOG_FORMAT", "human");
        assert_eq!(
            serve(&sources(&[own, all], &[])).0.log_format,
            LogFormat::Human
        );
        let other = ("ORRERY_OTHER_LOG_FORMAT", "nonsense");
        assert_eq!(
            serve(&sources(&[other, all], &[])).0.log_format,
            LogFormat::Json
        );
    }

    #[test]
    fn port_means_that_port_of_this_machine_and_only_a_flag_beats_it() {
        let port = ("PORT", "7");
        let address = ("ORRERY_MY_SERVICE_ADDRESS", "127.0.0.1:8");
        let at = |n| Some(std::net::SocketAddr::from(([127, 0, 0, 1], n)));
        assert_eq!(serve(&sources(&[], &[])).0.address, None);
        assert_eq!(serve(&sources(&[address], &[])).0.address, at(8));
        assert_eq!(serve(&sources(&[port, address], &[])).0.address, at(7));
        let flag = ["--address", "127.0.0.1:9"];
        assert_eq!(serve(&sources(&[port, address], &flag)).0.address, at(9));
    }

    #[test]
    fn a_file_speaks_to_all_services_and_to_each() {
        let file =
            file("log = \"warn\"\n[my-service]\nlog = \"debug\"\nsize = 5\n[other]\nx = 1\n");
        let path = file.path().to_str().unwrap();
        let (common, own) = serve(&sources(&[("ORRERY_CONFIG", path)], &[]));
        assert_eq!((common.log.as_str(), own.size), ("debug", 5));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_says_where_it_is_and_which_there_are() {
        let file = file("size = 2\n\n# a comment\nsiez = 3\n");
        let path = file.path().to_str().unwrap();
        let failure = fail(&sources(&[("ORRERY_CONFIG", path)], &[]));
        assert_eq!(failure.exit, Exit::Config);
        assert_eq!(
            failure.message,
            format!("{path}:4: there is no setting `siez`")
        );
        assert!(
            failure
                .hint
                .starts_with("the settings are size, words, address, ")
        );
        let failure = fail(&sources(&[("ORRERY_MY_SERVICE_SIEZ", "3")], &[]));
        assert!(
            failure.message.contains("ORRERY_MY_SERVICE_SIEZ"),
            "{}",
            failure.message
        );
        let failure = fail(&sources(&[], &["--siez", "3"]));
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.message, "flag --siez: there is no setting `siez`");
    }

    #[test]
    fn a_value_that_does_not_fit_says_what_was_expected() {
        let cases = [
            (
                "size = \"many\"",
                ":1: bad value for `size`: expected a whole number",
            ),
            (
                "\ndrain_grace = 3",
                ":2: bad value for `drain_grace`: expected a duration",
            ),
            (
                "log_format = 'x'",
                ":1: bad value for `log_format`: expected `human` or `json`",
            ),
            (
                "address = 'here'",
                ":1: bad value for `address`: expected an address",
            ),
            ("size = [1]", ":1: bad value for `size`: expected one value"),
            ("size = 1979-05-27", ":1: `size` is no single value"),
            ("size = ", ":1: "),
        ];
        for (text, expected) in cases {
            let file = file(text);
            let path = file.path().to_str().unwrap();
            let failure = fail(&sources(&[("ORRERY_CONFIG", path)], &[]));
            assert_eq!(failure.exit, Exit::Config, "{text}");
            assert!(
                failure.message.contains(expected),
                "{text}: {}",
                failure.message
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_that_names_it() {
        let failure = fail(&sources(&[], &["--config=/no/such/file"]));
        assert_eq!(failure.exit, Exit::Config);
        assert!(
            failure.message.contains("/no/such/file"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn flags_that_are_none_are_refused() {
        for arguments in [&["size"][..], &["--size"], &["-x"], &["--"]] {
            assert_eq!(
                fail(&sources(&[], arguments)).exit,
                Exit::Usage,
                "{arguments:?}"
            );
        }
        assert!(matches!(
            load::<Own>("s", &sources(&[], &["-h"])),
            Ok(Loaded::Help)
        ));
        assert!(matches!(
            load::<Own>("s", &sources(&[], &["--version"])),
            Ok(Loaded::Version)
        ));
    }

    #[test]
    fn help_explains_every_setting() {
        let text = super::super::help::<Own>("my-service", "1.0", "127.0.0.1:7");
        for key in all_keys::<Own>() {
            assert!(
                text.contains(&format!("--{}", key.name.replace('_', "-"))),
                "{}",
                key.name
            );
        }
        assert!(
            text.contains("[env: ORRERY_MY_SERVICE_SIZE] [default: 1]"),
            "{text}"
        );
        assert!(
            text.contains("[env: ORRERY_MY_SERVICE_ADDRESS] [default: 127.0.0.1:7]"),
            "{text}"
        );
    }
}
