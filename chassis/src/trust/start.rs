//! From settings to a guard that knows whom to believe.

use std::net::SocketAddr;
use std::sync::Arc;

use super::authority::Authority;
use super::records::Records;
use super::{Exchange, FleetPublicKey, TokenTable, Tokens};
use crate::exit::{Exit, Failure};
use crate::settings::{Auth, Common};

/// The authority of a service, as far as its settings say.
pub(crate) fn authority(service: &'static str, common: &Common) -> Result<Arc<Authority>, Failure> {
    let authority = Authority::new(service, common.auth);
    if !common.fleet_key.is_empty() {
        let key = FleetPublicKey::from_hex(&common.fleet_key).map_err(|e| {
            Failure::new(Exit::Config, format!("fleet_key: {e}"))
                .with_hint("take what `scheduling` tells its instances in ORRERY_FLEET_KEY")
        })?;
        authority.believe(key);
    }
    Ok(Arc::new(authority))
}

/// Begins to follow who holds which token, if calls are guarded and nobody else does it.
pub(crate) fn follow(
    authority: &Authority,
    tokens: Option<Box<dyn Tokens>>,
    registry: SocketAddr,
    instance: &str,
) {
    let Some(tokens) = tokens.filter(|_| authority.is_on()) else {
        return;
    };
    let table = Arc::new(TokenTable::default());
    if authority.believe_tokens(Arc::clone(&table)) {
        let (records, calls) = Records::new(instance);
        authority.record(records);
        tokio::spawn(tokens.follow(Exchange {
            registry,
            table,
            calls,
        }));
    }
}

/// A service that believes nobody serves nobody but this machine, unless somebody says so.
pub(crate) fn refuse_strangers(
    authority: &Authority,
    auth: Auth,
    address: SocketAddr,
) -> Result<(), Failure> {
    if authority.is_on() || auth == Auth::Off || address.ip().is_loopback() {
        return Ok(());
    }
    let message = format!("{address} can be reached from other machines, and calls need no token");
    Err(Failure::new(Exit::Config, message).with_hint(
        "say `--auth required` (and `--fleet-key`), or `--auth off` if everybody may do everything",
    ))
}
