//! The guard before every procedure.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use identity::{Call, Refusal, Token, decide};
use parking_lot::RwLock;
use rpc::{
    AUTHORIZATION, Access, Caller, Code, Context, Error, Guard, HEALTH_PROCEDURE, Procedure, Retry,
};

use super::key::{FleetPublicKey, SIGNED};
use super::now_ms;
use super::records::Records;
use super::table::{TokenTable, digest};
use crate::settings::Auth;

/// Signed tokens that were verified already and are remembered; a signature takes 50 µs to verify.
const REMEMBERED_MAX: usize = 4_096;

/// What somebody is who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An instance of a service of the fleet.
    Instance {
        /// Which service.
        service: String,
    },
    /// A person, or a program outside of the fleet.
    Person,
}

/// Who holds a token, and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A name for logs and records.
    pub name: String,
    /// What that is.
    pub kind: Kind,
    /// What the token is good for.
    pub token: Token,
}

impl Holder {
    /// Whether its token is good for this now, at whatever service it is asked of.
    #[must_use]
    pub fn may(&self, service: &str, procedure: &str, writes: bool) -> bool {
        let call = Call {
            service,
            procedure,
            writes,
        };
        decide(Some(&self.token), &call, now_ms()).is_ok()
    }
}

/// Who makes this call; `None` where calls are not guarded.
#[must_use]
pub fn holder(context: &Context) -> Option<Arc<Holder>> {
    let details = Arc::clone(&context.caller()?.details);
    details.downcast().ok()
}

/// Whether the caller may do this at another service too: for who answers in that one's place.
///
/// # Errors
/// The refusal that the other service would answer.
pub fn may(context: &Context, service: &str, procedure: &str, writes: bool) -> Result<(), Error> {
    let Some(holder) = holder(context) else {
        return Ok(());
    };
    let call = Call {
        service,
        procedure,
        writes,
    };
    let decided = decide(Some(&holder.token), &call, now_ms());
    decided.map_err(|refusal| refused(refusal, &call, Some(&holder)))
}

/// Knows whom to believe, and decides about every call.
pub(crate) struct Authority {
    service: &'static str,
    auth: Auth,
    key: OnceLock<FleetPublicKey>,
    tokens: OnceLock<Arc<TokenTable>>,
    remembered: RwLock<HashMap<Bytes, Arc<Holder>>>,
    records: OnceLock<Records>,
}

impl Authority {
    pub(crate) fn new(service: &'static str, auth: Auth) -> Self {
        Self {
            service,
            auth,
            key: OnceLock::new(),
            tokens: OnceLock::new(),
            remembered: RwLock::default(),
            records: OnceLock::new(),
        }
    }

    /// Believes what is signed with this fleet's key. The first key stays.
    pub(crate) fn believe(&self, key: FleetPublicKey) {
        let _ = self.key.set(key);
    }

    /// Believes what this table says. The first table stays; returns whether it is this one.
    pub(crate) fn believe_tokens(&self, table: Arc<TokenTable>) -> bool {
        self.tokens.set(table).is_ok()
    }

    /// Puts on record from now on what people do.
    pub(crate) fn record(&self, records: Records) {
        let _ = self.records.set(records);
    }

    /// Whether calls are guarded.
    pub(crate) fn is_on(&self) -> bool {
        match self.auth {
            Auth::Off => false,
            Auth::Required => true,
            Auth::Auto => self.key.get().is_some() || self.tokens.get().is_some(),
        }
    }

    fn table(&self) -> Option<&Arc<TokenTable>> {
        self.tokens.get()
    }

    fn holder_of(&self, token: &Bytes) -> Option<Arc<Holder>> {
        if !token.starts_with(SIGNED.as_bytes()) {
            return self.table()?.get(&digest(token));
        }
        if let Some(holder) = self.remembered.read().get(token) {
            return Some(Arc::clone(holder));
        }
        let claims = self.key.get()?.verify(token).ok()?;
        let holder = Arc::new(Holder::from(claims));
        let mut remembered = self.remembered.write();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        // A copy: what arrived is a slice of a frame, which would be kept with it.
        remembered.insert(Bytes::copy_from_slice(token), Arc::clone(&holder));
        Some(holder)
    }

    fn decide(&self, token: Option<&Bytes>, call: &Call<'_>) -> Result<Arc<Holder>, Error> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Err(refused(Refusal::NoToken, call, None));
        };
        let holder = self.holder_of(token);
        if holder.is_none()
            && !token.starts_with(SIGNED.as_bytes())
            && self.table().is_none_or(|table| !table.is_told())
        {
            return Err(not_told(call));
        }
        let known = holder.as_ref().map(|holder| &holder.token);
        let now = now_ms();
        let allowed = decide(known, call, now);
        if let (Some(records), Some(holder)) = (self.records.get(), &holder) {
            records.add(holder, call, allowed, now);
        }
        match (allowed, holder) {
            (Ok(()), Some(holder)) => Ok(holder),
            (Err(refusal), holder) => Err(refused(refusal, call, holder.as_deref())),
            // `decide` allows nothing to whom it does not know.
            (Ok(()), None) => Err(refused(Refusal::UnknownToken, call, None)),
        }
    }
}

/// Decides about requests that come another way than as procedures: a gateway's, over HTTP.
#[derive(Clone)]
pub struct Doorman(pub(crate) Arc<Authority>);

impl Doorman {
    /// Whether tokens are asked for, as far as is known now.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Who holds this token, if anybody knows it and it is still good; what for is not asked.
    #[must_use]
    pub fn holder(&self, token: &Bytes) -> Option<Arc<Holder>> {
        let holder = self.0.holder_of(token)?;
        let Token {
            revoked,
            expires_ms,
            ..
        } = holder.token;
        let good = !revoked && expires_ms.is_none_or(|at| at > now_ms());
        good.then_some(holder)
    }

    /// Whether who shows this token may do this here; everybody may where calls are not guarded.
    ///
    /// # Errors
    /// The refusal that a procedure would answer.
    pub fn check(&self, token: &Bytes, procedure: &str, writes: bool) -> Result<(), Error> {
        if !self.0.is_on() {
            return Ok(());
        }
        let call = Call {
            service: self.0.service,
            procedure,
            writes,
        };
        self.0.decide(Some(token), &call).map(drop)
    }
}

/// The guard, as the server has it.
pub(crate) struct AuthorityGuard(pub(crate) Arc<Authority>);

impl Guard for AuthorityGuard {
    fn check(&self, context: &Context, procedure: &Procedure) -> Result<(), Error> {
        if procedure.id == HEALTH_PROCEDURE || !self.0.is_on() {
            return Ok(());
        }
        let call = Call {
            service: self.0.service,
            procedure: procedure.name,
            writes: procedure.access != Access::Read,
        };
        let token = context.metadata().get(AUTHORIZATION);
        let holder = self.0.decide(token, &call).inspect_err(|refusal| {
            let peer = context.peer();
            let reason = &refusal.reason;
            tracing::debug!(%peer, procedure = call.procedure, %reason, "a call is refused");
        })?;
        context.set_caller(Caller {
            name: holder.name.as_str().into(),
            details: holder,
        });
        Ok(())
    }
}

fn refused(refusal: Refusal, call: &Call<'_>, holder: Option<&Holder>) -> Error {
    let access = if call.writes { "write" } else { "read" };
    let Call {
        service, procedure, ..
    } = call;
    let who = holder.map_or_else(String::new, |holder| format!(" (of {})", holder.name));
    let code = if refusal.is_about_identity() {
        Code::Unauthenticated
    } else {
        Code::PermissionDenied
    };
    let hint = match refusal {
        Refusal::NoToken => {
            "say ORRERY_TOKEN=..., or be on the machine of the fleet and name its data folder \
             (ORRERY_DATA); `orrery call security create_token` makes tokens"
                .to_owned()
        }
        Refusal::NotGranted => format!("a token with `{service}:{procedure}:{access}` may do it"),
        _ => "ask whoever runs the fleet for a new token".to_owned(),
    };
    let message = format!("{service} refuses `{procedure}`: {refusal}{who}");
    Error::new(code, refusal.reason(), message).with_hint(hint)
}

fn not_told(call: &Call<'_>) -> Error {
    let message = format!(
        "{} has not heard from security yet which tokens there are",
        call.service
    );
    Error::new(Code::Unavailable, "tokens-not-known-yet", message)
        .with_hint("try again; if it stays so, `orrery explain security` says why")
        .with_retry(Retry::Safe)
}
