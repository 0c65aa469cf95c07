//! What monitoring can be told, beside what every service can.

use std::time::Duration;

chassis::settings! {
    /// What monitoring can be told.
    pub(crate) struct Config {
        /// How often everything is asked what it counts, and rules are looked at.
        pub(crate) interval: Duration = Duration::from_secs(5),
        /// How long an instance may take to answer.
        pub(crate) scrape_timeout: Duration = Duration::from_secs(2),
        /// How many series there may be; each takes up to 64 KB in a week.
        pub(crate) series_max: usize = 20_000,
        /// Instances that are asked at a time.
        pub(crate) scrapes_max: usize = 64,
    }
}
