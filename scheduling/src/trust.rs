//! Who is believed in this fleet: its key, and the tokens that come of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chassis::trust::{FleetKey, Kind, OPERATOR_TOKEN, read_token, spell, write_token};
use chassis::{Auth, Exit, Failure, Setup};
use identity::Grant;
use rpc::Credential;
use scheduling::agent::place::Place;
use scheduling::agent::{Credentials, Signer};
use scheduling::{SYSTEM_NAME, grants_of};
use security::ADMIN_TOKEN_FILE;
use security::limits::ADMIN_TOKEN_BYTES_MIN;

use crate::config::Config;

/// In scheduling's own folder: what signs the fleet's tokens. Who reads it may do everything.
const KEY_FILE: &str = "fleet.key";
/// In scheduling's own folder: one token for each instance.
const CREDENTIALS: &str = "credentials";
/// Processes look every two seconds whether their token was renewed.
const LIFETIME_MIN: Duration = Duration::from_secs(12);

/// What a fleet that asks for tokens has.
pub(crate) struct Trust {
    pub(crate) credentials: Arc<Credentials>,
    /// What signs for the instances of other machines.
    pub(crate) signer: Arc<Signer>,
    /// The first admin token, if it was made now: to be shown once.
    pub(crate) admin_token: Option<String>,
}

/// Finds the fleet's key or makes it, shows our own token from now on, and leaves one for whoever
/// may read the data folder. `None` if the fleet asks nobody for a token.
pub(crate) fn establish(setup: &Setup<Config>, place: &Place) -> Result<Option<Trust>, Failure> {
    if setup.common.auth == Auth::Off {
        tracing::warn!("calls need no token: whoever reaches a port may do everything");
        return Ok(None);
    }
    let lifetime = setup.settings.token_lifetime;
    if lifetime < LIFETIME_MIN {
        let message = format!("token_lifetime: {lifetime:?} is too short");
        let hint = format!("give at least {LIFETIME_MIN:?}: tokens are renewed at a quarter of it");
        return Err(Failure::new(Exit::Config, message).with_hint(hint));
    }
    let path = place.own.join(KEY_FILE);
    let known = path.exists();
    let key = if known {
        read_key(&path)?
    } else {
        let key = FleetKey::generate()?;
        write_token(&path, &key.to_hex())?;
        key
    };
    setup.believe(key.public());
    let signer = Arc::new(Signer::new(key, lifetime));
    let folder = place.own.join(CREDENTIALS);
    let credentials = Credentials::signed_here(Arc::clone(&signer), &folder)?;
    let credentials = Arc::new(credentials);
    let own = Credential::new(own_token(&signer, &setup.instance)?);
    own.install();
    let operator = place.data.join(OPERATOR_TOKEN);
    write_token(&operator, &operator_token(&signer)?)?;
    let (period, instance) = (credentials.period(), setup.instance.clone());
    let kept = Arc::clone(&signer);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(period).await;
            if let Err(error) = renew(&kept, &instance, &own, &operator) {
                tracing::warn!(error = error.message, "our own token is not renewed");
            }
        }
    });
    let admin_token = admin_token(place, known)?;
    Ok(Some(Trust {
        credentials,
        signer,
        admin_token,
    }))
}

fn renew(
    signer: &Signer,
    instance: &str,
    own: &Credential,
    operator: &Path,
) -> Result<(), Failure> {
    own.replace(own_token(signer, instance)?);
    write_token(operator, &operator_token(signer)?)?;
    Ok(())
}

fn read_key(path: &Path) -> Result<FleetKey, Failure> {
    let text = read_token(path)?;
    FleetKey::from_hex(&text).map_err(|e| {
        let message = format!("{}: {e}", path.display());
        Failure::new(Exit::Unavailable, message).with_hint(
            "restore it from a backup; or remove it: every instance then gets a new token when it \
             is started again",
        )
    })
}

fn own_token(signer: &Signer, instance: &str) -> Result<String, Failure> {
    let service = SYSTEM_NAME.to_owned();
    let kind = Kind::Instance { service };
    Ok(signer.sign(instance, kind, grants_of(SYSTEM_NAME))?)
}

/// For people on this machine who may read the data folder: they could change everything anyway.
fn operator_token(signer: &Signer) -> Result<String, Failure> {
    let all: Vec<Grant> = "*:*:write".parse().into_iter().collect();
    Ok(signer.sign("operator", Kind::Person, all)?)
}

/// Leaves the admin token where security takes it in: `ADMIN_TOKEN`, or for a new fleet one that
/// is made now.
fn admin_token(place: &Place, known: bool) -> Result<Option<String>, Failure> {
    let given = std::env::var("ADMIN_TOKEN").ok();
    let given = given.map(|token| token.trim().to_owned());
    if let Some(token) = &given
        && (token.len() < ADMIN_TOKEN_BYTES_MIN || token.contains(char::is_whitespace))
    {
        let message = "ADMIN_TOKEN in the environment is no good token".to_owned();
        return Err(Failure::new(Exit::Config, message).with_hint(format!(
            "it needs at least {ADMIN_TOKEN_BYTES_MIN} characters and no spaces; \
             `openssl rand -hex 32` makes one"
        )));
    }
    let made = if given.is_none() && !known {
        Some(spell()?)
    } else {
        None
    };
    let Some(token) = given.as_ref().or(made.as_ref()) else {
        return Ok(None);
    };
    let folder = place.data.join(security::SYSTEM_NAME);
    fs::create_dir_all(&folder)?;
    write_token(&folder.join(ADMIN_TOKEN_FILE), token)?;
    Ok(made)
}
