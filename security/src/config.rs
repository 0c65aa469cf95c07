//! What security can be told.

use std::time::Duration;

use chassis::{Exit, Failure};

chassis::settings! {
    /// What security can be told.
    pub(crate) struct Config {
        /// What the fleet is called in its certificates: `spiffe://FLEET/service/...`.
        pub(crate) fleet: String = "orrery".to_owned(),
        /// How long a certificate lasts.
        certificate_lifetime: Duration = Duration::from_secs(24 * 60 * 60),
    }
}

/// Shorter ones would be over before they are used.
const LIFETIME_MIN: Duration = Duration::from_secs(1);

impl Config {
    /// How long a certificate lasts, if that can be.
    pub(crate) fn lifetime(&self) -> Result<Duration, Failure> {
        let lifetime = self.certificate_lifetime;
        if lifetime < LIFETIME_MIN {
            let message = format!("certificate_lifetime: {lifetime:?} is too short");
            let hint = format!("give at least {LIFETIME_MIN:?}; a day is usual");
            return Err(Failure::new(Exit::Config, message).with_hint(hint));
        }
        Ok(lifetime)
    }
}
