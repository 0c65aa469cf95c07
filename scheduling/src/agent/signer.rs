//! Signing who an instance is, with the fleet's key.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chassis::trust::{Claims, FleetKey, Kind};
use identity::Grant;
use model::InstanceId;

use crate::grants_of;

/// Signs tokens that last for so long.
pub struct Signer {
    key: FleetKey,
    lifetime: Duration,
}

impl Signer {
    /// Signs with this key.
    #[must_use]
    pub fn new(key: FleetKey, lifetime: Duration) -> Self {
        Self { key, lifetime }
    }

    /// What verifies the tokens, as `ORRERY_FLEET_KEY` has it.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.key.public().to_hex()
    }

    /// How long a token lasts.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token that says this, from now on.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn sign(&self, name: &str, kind: Kind, grants: Vec<Grant>) -> io::Result<String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let until = since.unwrap_or_default() + self.lifetime;
        self.key.sign(&Claims {
            name: name.to_owned(),
            kind,
            grants,
            expires_ms: u64::try_from(until.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// A token for an instance: what its service may do.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn sign_instance(&self, id: &InstanceId) -> io::Result<String> {
        let service = id.slot.service.to_string();
        let grants = grants_of(&service);
        self.sign(&id.to_string(), Kind::Instance { service }, grants)
    }
}
