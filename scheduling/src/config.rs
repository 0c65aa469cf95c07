//! What scheduling can be told, beside what every service can.

use std::path::PathBuf;
use std::time::Duration;

use scheduling::agent::Told;

chassis::settings! {
    /// What scheduling can be told.
    pub(crate) struct Config {
        /// What this machine is called.
        pub(crate) node: String = "local".to_owned(),
        /// What this machine is, as in `disk=ssd,gpu=a100`.
        pub(crate) labels: String = String::new(),
        /// What keeps work away that does not tolerate it, as in `dedicated=passes`.
        pub(crate) taints: String = String::new(),
        /// What it has beside what is found, as in `gpu=2,antenna=1`.
        pub(crate) resources: String = String::new(),
        /// Which machines are near.
        pub(crate) region: String = String::new(),
        /// A file with specs in TOML, as `[[service]]`: the fleet instead of the default one.
        pub(crate) fleet: Option<PathBuf> = None,
        /// Added to every port of the default fleet, for a second fleet on one machine.
        pub(crate) port_offset: u16 = 0,
        /// Where instances go: `best`, where the resource scheduler says (here in a fleet
        /// without one); `local`, here; or `spread` over all machines that have an agent.
        pub(crate) place: String = "best".to_owned(),
        /// A replica of the resource scheduler that is silent for so long leads no more.
        pub(crate) lead_ttl: Duration = Duration::from_secs(3),
        /// How long an agent may say nothing before its node counts as away.
        pub(crate) node_patience: Duration = Duration::from_secs(5),
        /// How long a node may be away before what ran there is started elsewhere; 0 s: for ever.
        pub(crate) lost_after: Duration = Duration::from_secs(30),
        /// How long the tokens of instances and of `operator.token` last; they are made anew at a
        /// quarter of it.
        pub(crate) token_lifetime: Duration = Duration::from_secs(3_600),
        /// Whether binaries that are older than their sources are built at start: `true`, `false`.
        pub(crate) build: bool = true,
    }
}

impl Config {
    /// What this machine says of itself.
    pub(crate) fn told(&self, zone: &str) -> Told {
        Told {
            labels: self.labels.clone(),
            taints: self.taints.clone(),
            resources: self.resources.clone(),
            zone: zone.to_owned(),
            region: self.region.clone(),
        }
    }
}
