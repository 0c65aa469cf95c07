//! What is known, and what may be changed: no I/O, no clock.

use std::collections::BTreeMap;

use chassis::trust::{Digest, Holder, KnownToken};
use identity::{Call, Grant, Refusal, Token, decide};
use rpc::{Code, Error};
use security::limits::{
    GRANTS_MAX, NAME_BYTES_MAX, REMEMBERED_MS, ROLES_MAX, TOKEN_ROLES_MAX, TOKENS_MAX,
};
use security::{
    CreateTokenArgs, Role, SetRoleArgs, TokenInfo, ValidateTokenArgs, ValidateTokenReply, reason,
};
use serde::{Deserialize, Serialize};

use crate::vault::SecretRecord;

/// A token, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    pub(crate) id: u64,
    pub(crate) digest: Vec<u8>,
    pub(crate) name: String,
    pub(crate) grants: Vec<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) created_ms: u64,
    pub(crate) created_by: String,
    pub(crate) expires_ms: Option<u64>,
    pub(crate) revoked_ms: Option<u64>,
}

/// One change of the state, as it is made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    PutToken(TokenRecord),
    ForgetToken(u64),
    PutRole(Role),
    DropRole(String),
    PutSecret(SecretRecord),
    DropSecret(String),
}

/// Tokens and roles.
#[derive(Debug, Default)]
pub(crate) struct State {
    tokens: BTreeMap<u64, TokenRecord>,
    by_digest: BTreeMap<Vec<u8>, u64>,
    roles: BTreeMap<String, Vec<String>>,
    secrets: BTreeMap<String, SecretRecord>,
    used_ms: BTreeMap<u64, u64>,
    /// When each token last changed, counted in changes since the start.
    changed: BTreeMap<u64, u64>,
    changes: u64,
}

/// What a fleet begins with. `operator` runs it day by day; `admin` also says who may.
pub(crate) fn first_roles() -> Vec<Role> {
    let role = |name: &str, grants: &[&str]| Role {
        name: name.to_owned(),
        grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
    };
    vec![
        role("admin", &["*:*:write"]),
        role(
            "operator",
            &[
                "*:*:read",
                "configuration:*:write",
                "monitoring:*:write",
                "passes:*:write",
                "pipelines:*:write",
                "release:*:write",
                "routing:*:write",
                "scheduling:*:write",
            ],
        ),
        role("viewer", &["*:*:read"]),
    ]
}

impl TokenRecord {
    /// What it is called in records: unique, and what `revoke_token` takes is in it.
    pub(crate) fn label(&self) -> String {
        format!("{} ({})", self.name, label_of(self.id))
    }
}

/// The id of a token, as people see it.
pub(crate) fn label_of(id: u64) -> String {
    format!("t-{id}")
}

/// The id that people see, as it is kept.
pub(crate) fn id_of(label: &str) -> Result<u64, Error> {
    let id = label.strip_prefix("t-").and_then(|id| id.parse().ok());
    id.ok_or_else(|| unknown_id(label))
}

fn unknown_id(label: &str) -> Error {
    let shown: String = label.chars().take(NAME_BYTES_MAX).collect();
    Error::not_found(
        reason::UNKNOWN_TOKEN_ID,
        format!("no token has the id `{shown}`"),
    )
    .with_hint("`list_tokens` shows the ids; the token itself is not its id")
}

impl State {
    /// Takes in what is durable.
    pub(crate) fn apply(&mut self, write: Write) {
        self.changes += 1;
        match write {
            Write::PutToken(token) => {
                self.changed.insert(token.id, self.changes);
                self.by_digest.insert(token.digest.clone(), token.id);
                self.tokens.insert(token.id, token);
            }
            Write::ForgetToken(id) => {
                if let Some(token) = self.tokens.remove(&id) {
                    self.by_digest.remove(&token.digest);
                }
                self.changed.remove(&id);
                self.used_ms.remove(&id);
            }
            Write::PutRole(role) => {
                let has = |token: &&TokenRecord| token.roles.contains(&role.name);
                for token in self.tokens.values().filter(has) {
                    self.changed.insert(token.id, self.changes);
                }
                self.roles.insert(role.name, role.grants);
            }
            Write::DropRole(name) => {
                self.roles.remove(&name);
            }
            Write::PutSecret(secret) => {
                self.secrets.insert(secret.name.clone(), secret);
            }
            Write::DropSecret(name) => {
                self.secrets.remove(&name);
            }
        }
    }

    /// How many changes there were.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn secrets(&self) -> &BTreeMap<String, SecretRecord> {
        &self.secrets
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The token with this digest.
    pub(crate) fn find(&self, digest: &Digest) -> Option<&TokenRecord> {
        self.tokens.get(self.by_digest.get(digest.as_slice())?)
    }

    /// Tokens that changed after so many changes, as everybody may know them.
    pub(crate) fn known_after(&self, changes: u64) -> Vec<KnownToken> {
        let newer = self.changed.iter().filter(|(_, at)| **at > changes);
        newer
            .filter_map(|(id, _)| Some(self.known(self.tokens.get(id)?)))
            .collect()
    }

    fn known(&self, token: &TokenRecord) -> KnownToken {
        KnownToken {
            digest: token.digest.clone(),
            name: token.label(),
            grants: self.grants_of(token),
            expires_ms: token.expires_ms,
            revoked: token.revoked_ms.is_some(),
        }
    }

    /// Its own grants and those of its roles.
    fn grants_of(&self, token: &TokenRecord) -> Vec<String> {
        let of_roles = token.roles.iter().filter_map(|role| self.roles.get(role));
        let mut all: Vec<String> = token.grants.clone();
        all.extend(of_roles.flatten().cloned());
        all.sort();
        all.dedup();
        all
    }

    /// What is written for a new token; `giver` is who makes it, if calls are guarded.
    pub(crate) fn create(
        &self,
        args: CreateTokenArgs,
        digest: &Digest,
        giver: Option<&Holder>,
        now_ms: u64,
    ) -> Result<(TokenRecord, Vec<Write>), Error> {
        check_name(&args.name)?;
        let grants = check_grants(&args.grants)?;
        if args.roles.len() > TOKEN_ROLES_MAX {
            return Err(too_many("roles of a token", TOKEN_ROLES_MAX));
        }
        if args.ttl_ms == Some(0) {
            let error = Error::invalid(reason::BAD_TTL, "a token that lasts 0 ms is none");
            return Err(
                error.with_hint("leave `ttl_ms` out for one that lasts until it is revoked")
            );
        }
        let mut given = grants;
        for role in &args.roles {
            let of_role = self
                .roles
                .get(role)
                .ok_or_else(|| self.unknown_role(role))?;
            given.extend(check_grants(of_role)?);
        }
        may_give(giver, &given)?;
        let mut writes = self.forgettable(now_ms);
        if self.tokens.len() - writes.len() >= TOKENS_MAX {
            return Err(too_many("tokens", TOKENS_MAX));
        }
        let token = TokenRecord {
            id: self.tokens.last_key_value().map_or(1, |(id, _)| id + 1),
            digest: digest.to_vec(),
            name: args.name,
            grants: args.grants,
            roles: args.roles,
            created_ms: now_ms,
            created_by: giver.map_or_else(|| "anybody".to_owned(), |giver| giver.name.clone()),
            expires_ms: args.ttl_ms.map(|ttl| now_ms.saturating_add(ttl)),
            revoked_ms: None,
        };
        writes.push(Write::PutToken(token.clone()));
        Ok((token, writes))
    }

    /// Tokens that have been worth nothing for so long that nobody asks why any more. The newest
    /// stays, whatever it is: its id must not be given again.
    fn forgettable(&self, now_ms: u64) -> Vec<Write> {
        let newest = self.tokens.last_key_value().map(|(id, _)| *id);
        let ended = |token: &TokenRecord| match (token.revoked_ms, token.expires_ms) {
            (Some(at), _) => Some(at),
            (None, at) => at,
        };
        let old = |token: &&TokenRecord| {
            ended(token).is_some_and(|at| at.saturating_add(REMEMBERED_MS) <= now_ms)
        };
        let old = self.tokens.values().filter(old).map(|token| token.id);
        let old = old.filter(|id| Some(*id) != newest);
        old.take(100).map(Write::ForgetToken).collect()
    }

    /// What is written to revoke a token; nothing if it is revoked already.
    pub(crate) fn revoke(&self, label: &str, now_ms: u64) -> Result<Vec<Write>, Error> {
        let id = id_of(label)?;
        let token = self.tokens.get(&id).ok_or_else(|| unknown_id(label))?;
        if token.revoked_ms.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![Write::PutToken(TokenRecord {
            revoked_ms: Some(now_ms),
            ..token.clone()
        })])
    }

    /// What is written for a role.
    pub(crate) fn set_role(
        &self,
        args: SetRoleArgs,
        giver: Option<&Holder>,
    ) -> Result<Vec<Write>, Error> {
        check_name(&args.name)?;
        let grants = check_grants(&args.grants)?;
        may_give(giver, &grants)?;
        if self.roles.len() >= ROLES_MAX && !self.roles.contains_key(&args.name) {
            return Err(too_many("roles", ROLES_MAX));
        }
        let SetRoleArgs { name, grants } = args;
        Ok(vec![Write::PutRole(Role { name, grants })])
    }

    /// What is written to remove a role; nothing if there is none.
    pub(crate) fn delete_role(&self, name: &str) -> Result<Vec<Write>, Error> {
        let has = |token: &&TokenRecord| {
            token.revoked_ms.is_none() && token.roles.iter().any(|role| role == name)
        };
        if let Some(token) = self.tokens.values().find(has) {
            let message = format!("{} has the role `{name}`", token.label());
            return Err(Error::new(Code::Conflict, reason::ROLE_IN_USE, message)
                .with_hint("revoke the tokens that have it first, or change its grants"));
        }
        let exists = self.roles.contains_key(name);
        let write = exists.then(|| Write::DropRole(name.to_owned()));
        Ok(write.into_iter().collect())
    }

    pub(crate) fn roles(&self) -> Vec<Role> {
        let roles = self.roles.iter();
        roles
            .map(|(name, grants)| Role {
                name: name.clone(),
                grants: grants.clone(),
            })
            .collect()
    }

    fn unknown_role(&self, name: &str) -> Error {
        let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
        let there_are: Vec<&str> = self.roles.keys().map(String::as_str).take(20).collect();
        Error::not_found(reason::UNKNOWN_ROLE, format!("there is no role `{shown}`"))
            .with_hint(format!("there are {}", there_are.join(", ")))
    }

    /// All tokens, or only those that are worth something.
    pub(crate) fn list(&self, all: bool, now_ms: u64) -> Vec<TokenInfo> {
        let lives = |token: &&TokenRecord| {
            all || token.revoked_ms.is_none() && token.expires_ms.is_none_or(|at| at > now_ms)
        };
        let tokens = self.tokens.values().filter(lives);
        tokens.map(|token| self.info(token)).collect()
    }

    fn info(&self, token: &TokenRecord) -> TokenInfo {
        TokenInfo {
            id: label_of(token.id),
            name: token.name.clone(),
            grants: token.grants.clone(),
            roles: token.roles.clone(),
            created_ms: token.created_ms,
            created_by: token.created_by.clone(),
            expires_ms: token.expires_ms,
            revoked_ms: token.revoked_ms,
            last_used_ms: self.used_ms.get(&token.id).copied(),
        }
    }

    /// Whether a token is good for a call.
    pub(crate) fn validate(
        &self,
        args: &ValidateTokenArgs,
        digest: &Digest,
        now_ms: u64,
    ) -> ValidateTokenReply {
        let found = self.find(digest);
        let known = found.map(|token| Token {
            grants: self
                .grants_of(token)
                .iter()
                .filter_map(|g| g.parse().ok())
                .collect(),
            expires_ms: token.expires_ms,
            revoked: token.revoked_ms.is_some(),
        });
        let call = Call {
            service: &args.service,
            procedure: &args.procedure,
            writes: args.writes,
        };
        let mut decision = decide(known.as_ref(), &call, now_ms);
        if args.service.is_empty() && decision == Err(Refusal::NotGranted) {
            // Nobody asked what it is good for.
            decision = Ok(());
        }
        ValidateTokenReply {
            valid: decision.is_ok(),
            reason: decision.map_or_else(|no| no.reason().to_owned(), |()| String::new()),
            token: found.map(|token| self.info(token)),
        }
    }

    /// Somebody used the token with this label, as in `ci (t-12)`.
    pub(crate) fn used(&mut self, label: &str, at_ms: u64) {
        let id = label
            .rsplit_once('(')
            .and_then(|(_, id)| id.strip_suffix(')'));
        let id = id.and_then(|id| id_of(id).ok());
        let id = id.filter(|id| self.tokens.contains_key(id));
        if let Some(id) = id {
            let used = self.used_ms.entry(id).or_default();
            *used = at_ms.max(*used);
        }
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(
        Error::invalid(reason::BAD_NAME, format!("`{shown}` is no name"))
            .with_hint("1 to 64 letters, digits, and any of - _ . @"),
    )
}

fn check_grants(grants: &[String]) -> Result<Vec<Grant>, Error> {
    if grants.len() > GRANTS_MAX {
        return Err(too_many("grants", GRANTS_MAX));
    }
    let parse = |text: &String| {
        text.parse().map_err(|e: identity::GrantError| {
            Error::invalid(reason::BAD_GRANT, e.to_string())
                .with_hint("as in `configuration:*:write`, or `echo:echo:read`")
        })
    };
    grants.iter().map(parse).collect()
}

/// Nobody gives away more than they have.
fn may_give(giver: Option<&Holder>, grants: &[Grant]) -> Result<(), Error> {
    let Some(giver) = giver else { return Ok(()) };
    let has = |grant: &&Grant| giver.token.grants.iter().any(|own| own.includes(grant));
    match grants.iter().find(|grant| !has(grant)) {
        None => Ok(()),
        Some(grant) => {
            let message = format!("{} may not give `{grant}` away, not having it", giver.name);
            Err(
                Error::new(Code::PermissionDenied, reason::GRANTS_TOO_WIDE, message)
                    .with_hint("ask for less, or ask somebody who may do more"),
            )
        }
    }
}

pub(crate) fn too_many(what: &str, limit: usize) -> Error {
    let message = format!("there may be at most {limit} {what}");
    Error::new(Code::ResourceExhausted, reason::TOO_MANY, message)
        .with_hint("remove some that nobody needs")
}
