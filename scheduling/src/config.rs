//! What scheduling can be told, beside what every service can.

use std::path::PathBuf;
use std::time::Duration;

chassis::settings! {
    /// What scheduling can be told.
    pub(crate) struct Config {
        /// What this machine is called.
        pub(crate) node: String = "local".to_owned(),
        /// A file with specs in TOML, as `[[service]]`: the fleet instead of the default one.
        pub(crate) fleet: Option<PathBuf> = None,
        /// Added to every port of the default fleet, for a second fleet on one machine.
        pub(crate) port_offset: u16 = 0,
        /// Where instances go: `local`, or `spread` over all machines that have an agent.
        pub(crate) place: String = "local".to_owned(),
        /// How long the tokens of instances and of `operator.token` last; they are made anew at a
        /// quarter of it.
        pub(crate) token_lifetime: Duration = Duration::from_secs(3_600),
        /// Whether binaries that are older than their sources are built at start: `true`, `false`.
        pub(crate) build: bool = true,
    }
}
