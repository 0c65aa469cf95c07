//! The command line as a whole: what every verb takes, and the list of verbs.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::{Args, Parser};
use client::{ADDRESS_VARIABLE, Addresses, DISCOVERY_VARIABLE, Fleet};
use rpc::CallOptions;

use crate::exit::Exit;
use crate::output::{Asked, Out};
use crate::session::Session;
use crate::verbs::Verb;

/// Look at the fleet and steer it.
#[derive(Debug, Parser)]
#[command(
    name = "orrery",
    version,
    after_help = Exit::help(),
    after_long_help = format!(
        "Data goes to stdout, words go to stderr. Instances may be named by any unique beginning \
         of their id: echo.2 for echo.2.7.\n\n{}\n\
         Start a fleet:  cargo run -p scheduling\nThen:           orrery status",
        Exit::help()
    ),
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Common {
    /// How data is written to stdout.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Asked,
    /// Where scheduling listens.
    #[arg(
        long,
        global = true,
        env = ADDRESS_VARIABLE,
        hide_env_values = true,
        default_value = client::scheduling::SYSTEM_ADDRESS,
        value_parser = address,
        value_name = "ADDRESS"
    )]
    scheduling: SocketAddr,
    /// Where discovery listens.
    #[arg(
        long,
        global = true,
        env = DISCOVERY_VARIABLE,
        hide_env_values = true,
        default_value = "127.0.0.1:10200",
        value_parser = address,
        value_name = "ADDRESS"
    )]
    discovery: SocketAddr,
    /// How long to wait for an answer, as in 500ms or 1h30m; what is followed ends then.
    #[arg(long, global = true, value_parser = crate::duration::parse, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// Do not suggest the next command.
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl Cli {
    /// What the verb runs in, and the verb.
    pub(crate) fn into_session(self) -> (Session, Verb) {
        let Common {
            output,
            scheduling,
            discovery,
            timeout,
            quiet,
        } = self.common;
        let addresses = Addresses {
            scheduling,
            discovery,
        };
        let options = CallOptions {
            timeout,
            ..CallOptions::default()
        };
        let session = Session {
            fleet: Fleet::new(addresses, options),
            out: Out::new(output, quiet),
            timeout,
        };
        (session, self.verb)
    }
}

/// Reads `host:port`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let example = "write it as 127.0.0.1:10900";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let mut found = text
        .to_socket_addrs()
        .map_err(|e| format!("{e}: {example}"))?;
    // Loopback is bound on IPv4; "localhost" may stand for both.
    let found: Vec<SocketAddr> = found.by_ref().collect();
    let first = found.iter().find(|a| a.is_ipv4()).or(found.first());
    first
        .copied()
        .ok_or_else(|| format!("it has no address: {example}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, address};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example() {
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string);
            let example = format!("orrery {}", verb.get_name());
            let has = help.is_some_and(|help| help.contains(&example));
            assert!(has, "`orrery {} --help` shows no example", verb.get_name());
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(address("localhost:80"), Ok(([127, 0, 0, 1], 80).into()));
        assert_eq!(address("127.0.0.1:1"), Ok(([127, 0, 0, 1], 1).into()));
        let refused = address("10900").expect_err("it has no host");
        assert!(refused.contains("127.0.0.1:10900"), "{refused}");
    }
}
