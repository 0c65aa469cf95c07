//! One function per procedure.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chassis::trust::{Holder, Kind, RecordedCall, digest, holder, spell};
use parking_lot::RwLock;
use rpc::{Code, Context, Empty, Error, StreamSender};
use security::{
    AuditArgs, AuditReply, AuthorityReply, CreateTokenArgs, CreateTokenReply, DeleteRoleArgs,
    DeleteSecretArgs, GetSecretArgs, GetSecretReply, ListRolesReply, ListSecretsReply,
    ListTokensArgs, ListTokensReply, PutSecretArgs, PutSecretReply, RecordArgs, RevokeTokenArgs,
    RotateSecretsReply, SYSTEM_NAME, Security, SetRoleArgs, SignCertificateArgs,
    SignCertificateReply, TokenEvent, ValidateTokenArgs, ValidateTokenReply, limits, reason,
};

use tokio::sync::Mutex;

use crate::book::Book;
use crate::ca::{Authority, Refused};
use crate::keyring::Keyring;
use crate::state::label_of;
use crate::vault;

/// The one service whose instances read secrets: it hands them to those they are for.
const HANDS_OVER: &str = "scheduling";

/// Tokens in one item of the stream.
const TOKENS_PER_ITEM: usize = 200;

/// Secrets that one transaction seals anew.
const RESEALED_AT_ONCE: usize = 50;

pub(crate) struct Handlers {
    book: Book,
    instance: String,
    keys: Arc<RwLock<Keyring>>,
    authority: Authority,
    /// Held while keys are rotated.
    rotating: Mutex<()>,
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

impl Handlers {
    pub(crate) fn new(book: Book, instance: String, keys: Keyring, authority: Authority) -> Self {
        Self {
            book,
            instance,
            keys: Arc::new(RwLock::new(keys)),
            authority,
            rotating: Mutex::new(()),
        }
    }

    /// Seals everything with a new key, a part at a time: callers wait no longer than for that.
    /// Whoever ends it half-way leaves all keys that are needed, and rotates again.
    async fn rotate(&self) -> Result<RotateSecretsReply, Error> {
        let _alone = self.rotating.lock().await;
        let failed = |e: std::io::Error| {
            Error::internal(reason::KEYS_FAILED, e.to_string())
                .with_hint("look at the disk of security's folder; nothing is lost")
        };
        self.keys.write().renew().map_err(failed)?;
        let mut sealed = 0;
        loop {
            let keys = Arc::clone(&self.keys);
            let decide = move |state: &crate::state::State| {
                let writes = state.reseal(&keys.read(), RESEALED_AT_ONCE)?;
                let count = writes.len();
                Ok((writes, count))
            };
            match self.book.change(None, decide).await? {
                0 => break,
                count => sealed += count as u64,
            }
        }
        let key = self.keys.read().current().to_owned();
        let keys_of = |state: &crate::state::State| {
            let keys = state.secrets().values().map(|secret| secret.key.clone());
            keys.filter(|used| *used != key).collect::<Vec<_>>()
        };
        // What is put from here on is sealed with the current key. Asked before the keys are
        // locked: whoever decides has the state first and the keys then.
        let others = self.book.read(keys_of);
        let used = |id: &str| others.iter().any(|other| other == id);
        self.keys.write().keep(used).map_err(failed)?;
        let left = others.len() as u64;
        Ok(RotateSecretsReply { sealed, left, key })
    }

    fn record(
        &self,
        context: &Context,
        procedure: &str,
        subject: impl Into<String>,
    ) -> RecordedCall {
        let caller = context.caller().map(|caller| caller.name.to_string());
        RecordedCall {
            at_ms: now_ms(),
            caller: caller.unwrap_or_else(|| context.peer().to_string()),
            service: SYSTEM_NAME.to_owned(),
            instance: self.instance.clone(),
            procedure: procedure.to_owned(),
            subject: subject.into(),
            verdict: "allowed".to_owned(),
        }
    }
}

impl Security for Handlers {
    async fn create_token(
        &self,
        context: &Context,
        args: CreateTokenArgs,
    ) -> Result<CreateTokenReply, Error> {
        let giver: Option<Arc<Holder>> = holder(context);
        let token = spell().map_err(|e| Error::internal("no-randomness", e.to_string()))?;
        let digest = digest(token.as_bytes());
        // The id is known only when it is decided; the name says what was made.
        let record = self.record(context, "create_token", args.name.clone());
        let decide = move |state: &crate::state::State| {
            let (record, writes) = state.create(args, &digest, giver.as_deref(), now_ms())?;
            Ok((writes, record))
        };
        let made = self.book.change(Some(record), decide).await?;
        Ok(CreateTokenReply {
            id: label_of(made.id),
            token,
            expires_ms: made.expires_ms,
        })
    }

    async fn validate_token(
        &self,
        _: &Context,
        args: ValidateTokenArgs,
    ) -> Result<ValidateTokenReply, Error> {
        let (now, digest) = (now_ms(), digest(args.token.as_bytes()));
        let label = self
            .book
            .read(|state| state.find(&digest).map(|t| t.label()));
        if let Some(label) = label {
            self.book.used(&label, now);
        }
        Ok(self.book.read(|state| state.validate(&args, &digest, now)))
    }

    async fn revoke_token(&self, context: &Context, args: RevokeTokenArgs) -> Result<Empty, Error> {
        let record = self.record(context, "revoke_token", args.id.clone());
        let decide = move |state: &crate::state::State| Ok((state.revoke(&args.id, now_ms())?, ()));
        self.book.change(Some(record), decide).await?;
        Ok(Empty {})
    }

    async fn list_tokens(
        &self,
        _: &Context,
        args: ListTokensArgs,
    ) -> Result<ListTokensReply, Error> {
        let tokens = self.book.read(|state| state.list(args.all, now_ms()));
        Ok(ListTokensReply { tokens })
    }

    async fn watch_tokens(
        &self,
        _: &Context,
        _: Empty,
        out: StreamSender<TokenEvent>,
    ) -> Result<(), Error> {
        let mut changes = self.book.changes();
        changes.mark_unchanged();
        let (all, mut told) = self.book.known_after(0);
        let mut rest = all.as_slice();
        loop {
            let (part, later) = rest.split_at(rest.len().min(TOKENS_PER_ITEM));
            let (tokens, more) = (part.to_vec(), !later.is_empty());
            out.send(&TokenEvent::All { tokens, more }).await?;
            rest = later;
            if !more {
                break;
            }
        }
        while changes.changed().await.is_ok() {
            let (newer, now) = self.book.known_after(told);
            told = now;
            for part in newer.chunks(TOKENS_PER_ITEM) {
                let tokens = part.to_vec();
                out.send(&TokenEvent::Changed { tokens }).await?;
            }
        }
        Ok(())
    }

    async fn set_role(&self, context: &Context, args: SetRoleArgs) -> Result<Empty, Error> {
        let giver = holder(context);
        let record = self.record(context, "set_role", args.name.clone());
        let decide =
            move |state: &crate::state::State| Ok((state.set_role(args, giver.as_deref())?, ()));
        self.book.change(Some(record), decide).await?;
        Ok(Empty {})
    }

    async fn delete_role(&self, context: &Context, args: DeleteRoleArgs) -> Result<Empty, Error> {
        let record = self.record(context, "delete_role", args.name.clone());
        let decide = move |state: &crate::state::State| Ok((state.delete_role(&args.name)?, ()));
        self.book.change(Some(record), decide).await?;
        Ok(Empty {})
    }

    async fn list_roles(&self, _: &Context, _: Empty) -> Result<ListRolesReply, Error> {
        let roles = self.book.read(crate::state::State::roles);
        Ok(ListRolesReply { roles })
    }

    async fn audit(&self, _: &Context, args: AuditArgs) -> Result<AuditReply, Error> {
        self.book.audit(args).await
    }

    async fn record(&self, context: &Context, args: RecordArgs) -> Result<Empty, Error> {
        let by = holder(context);
        if by.is_some_and(|holder| holder.kind == Kind::Person) {
            let message = "only instances of the fleet put calls on record";
            return Err(
                Error::new(Code::PermissionDenied, reason::NOT_AN_INSTANCE, message)
                    .with_hint("what you call is recorded by whom you call"),
            );
        }
        if args.calls.len() > limits::RECORDS_MAX {
            let message = format!("{} calls at a time", args.calls.len());
            return Err(Error::invalid(reason::TOO_MANY, message)
                .with_hint(format!("at most {}", limits::RECORDS_MAX)));
        }
        for call in &args.calls {
            self.book.used(&call.caller, call.at_ms);
        }
        self.book
            .record(args.calls.iter().map(bounded).collect())
            .await?;
        Ok(Empty {})
    }

    async fn put_secret(
        &self,
        context: &Context,
        args: PutSecretArgs,
    ) -> Result<PutSecretReply, Error> {
        let record = self.record(context, "put_secret", args.name.clone());
        let (by, keys) = (record.caller.clone(), Arc::clone(&self.keys));
        let decide =
            move |state: &crate::state::State| state.put_secret(args, &by, now_ms(), &keys.read());
        let revision = self.book.change(Some(bounded(&record)), decide).await?;
        Ok(PutSecretReply { revision })
    }

    async fn get_secret(
        &self,
        context: &Context,
        args: GetSecretArgs,
    ) -> Result<GetSecretReply, Error> {
        if let Some(holder) = holder(context)
            && let Kind::Instance { service } = &holder.kind
            && service != HANDS_OVER
        {
            return Err(vault::not_for_instances());
        }
        let subject = format!("{} for {}", args.name, args.reader);
        let record = self.record(context, "get_secret", subject);
        let (revision, mut value) = self.book.read(|state| {
            let secret = state.secret(&args.name)?;
            Ok::<_, Error>((secret.revision, secret.open(&self.keys.read())?))
        })?;
        // On record before anybody sees it.
        self.book.record(vec![bounded(&record)]).await?;
        Ok(GetSecretReply {
            revision,
            value: std::mem::take(&mut *value),
        })
    }

    async fn list_secrets(&self, _: &Context, _: Empty) -> Result<ListSecretsReply, Error> {
        let secrets = self.book.read(crate::state::State::list_secrets);
        Ok(ListSecretsReply { secrets })
    }

    async fn delete_secret(
        &self,
        context: &Context,
        args: DeleteSecretArgs,
    ) -> Result<Empty, Error> {
        let record = self.record(context, "delete_secret", args.name.clone());
        let decide = move |state: &crate::state::State| Ok((state.delete_secret(&args.name), ()));
        self.book.change(Some(bounded(&record)), decide).await?;
        Ok(Empty {})
    }

    async fn rotate_secrets(
        &self,
        context: &Context,
        _: Empty,
    ) -> Result<RotateSecretsReply, Error> {
        let record = self.record(context, "rotate_secrets", String::new());
        self.book.record(vec![record]).await?;
        self.rotate().await
    }

    async fn sign_certificate(
        &self,
        context: &Context,
        args: SignCertificateArgs,
    ) -> Result<SignCertificateReply, Error> {
        let holder = holder(context);
        let Some((name, Kind::Instance { service })) =
            holder.as_ref().map(|holder| (&holder.name, &holder.kind))
        else {
            let message = "only an instance of the fleet is certified as one";
            return Err(
                Error::new(Code::PermissionDenied, reason::NO_IDENTITY, message)
                    .with_hint("call it with the instance's own token; people have tokens alone"),
            );
        };
        let certified = self
            .authority
            .certify(&args.request, service, name, now_ms());
        let certified = certified.map_err(|e| not_certified(&e))?;
        let record = self.record(context, "sign_certificate", certified.id.clone());
        // On record before anybody has it.
        self.book.record(vec![bounded(&record)]).await?;
        Ok(SignCertificateReply {
            certificate: certified.certificate,
            id: certified.id,
            expires_ms: certified.expires_ms,
            authority: self.authority.certificate().to_owned(),
        })
    }

    async fn authority(&self, _: &Context, _: Empty) -> Result<AuthorityReply, Error> {
        Ok(AuthorityReply {
            authority: self.authority.certificate().to_owned(),
            trust_domain: format!("spiffe://{}/", self.authority.fleet()),
        })
    }
}

fn not_certified(refused: &Refused) -> Error {
    match refused {
        Refused::Failed(_) => Error::internal("not-certified", refused.to_string()),
        _ => Error::invalid(reason::BAD_REQUEST, refused.to_string())
            .with_hint("send a PKCS #10 request in DER, of at most 8 KiB, signed by its own key"),
    }
}

/// What others say is cut to a size at which the log stays small.
fn bounded(call: &RecordedCall) -> RecordedCall {
    let cut = |text: &str| text.chars().take(128).collect::<String>();
    RecordedCall {
        at_ms: call.at_ms,
        caller: cut(&call.caller),
        service: cut(&call.service),
        instance: cut(&call.instance),
        procedure: cut(&call.procedure),
        subject: cut(&call.subject),
        verdict: cut(&call.verdict),
    }
}
