//! Who may do what: tokens, roles, and the record of who did what.
//!
//! # The shape
//! A *token* is random and opaque; it is said once, when it is made, and kept as a digest. It
//! carries *grants* (`service:procedure:read` or `:write`, see [`identity`]), its own and those of
//! its *roles*. Nobody gives away more than they have: whoever makes a token or changes a role
//! needs every grant in it.
//!
//! No service asks here whether a call may be made. Each follows [`WATCH_TOKENS_PROCEDURE`], a
//! stream of digests and grants ([`Follower`] does it), decides by itself, and goes on with what
//! it knew while this service is away. A revocation is one item of that stream, so it is seen
//! everywhere within milliseconds. Discovery, which calls nobody, is told.
//!
//! A *secret* is a value that only an instance whose spec names it gets to see. It is sealed on
//! disk with a key in a file of its own, and leaves security only for scheduling, which hands it
//! over as an open file in memory.
//!
//! A *certificate* says in a SPIFFE name which instance has a key. It is short-lived, and signed by
//! the fleet's authority, which is made at the first start.
//!
//! Everything that people change, here or elsewhere, is in the *audit log*: who, what, when, and
//! whether it was let in; never arguments, so never a secret. Each entry has the hash of the one
//! before, so that none can be changed or left out without all later ones telling.
//!
//! ```no_run
//! use security::{CreateTokenArgs, SecurityClient};
//!
//! # async fn example() -> Result<(), rpc::Error> {
//! let security = SecurityClient::new(rpc::Channel::to("127.0.0.1:11100".parse().unwrap()));
//! let made = security
//!     .create_token(&CreateTokenArgs {
//!         name: "ci".into(),
//!         grants: vec!["release:*:write".into()],
//!         roles: vec!["viewer".into()],
//!         ttl_ms: Some(24 * 60 * 60 * 1_000),
//!     })
//!     .await?;
//! println!("{}", made.token); // said this once
//! security.revoke_token(&security::RevokeTokenArgs { id: made.id }).await?;
//! # Ok(())
//! # }
//! ```

mod certificates;
mod follower;
pub mod limits;
pub mod reason;
mod secrets;
mod wire;

pub use certificates::{AuthorityReply, SignCertificateArgs, SignCertificateReply};
pub use follower::Follower;
pub use secrets::{
    DeleteSecretArgs, GetSecretArgs, GetSecretReply, ListSecretsReply, PutSecretArgs,
    PutSecretReply, RotateSecretsReply, SecretInfo,
};
pub use wire::{
    AuditArgs, AuditEntry, AuditReply, CreateTokenArgs, CreateTokenReply, DeleteRoleArgs,
    ListRolesReply, ListTokensArgs, ListTokensReply, RecordArgs, RevokeTokenArgs, Role,
    SetRoleArgs, TokenEvent, TokenInfo, ValidateTokenArgs, ValidateTokenReply,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "security";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:11100";
/// In security's folder: the first admin token, left there for it by whoever starts a fleet. It is
/// taken in and removed at the next start.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";

rpc::service! {
    /// Who may do what.
    trait Security, client SecurityClient, dispatch SecurityDispatch, name SYSTEM_NAME;
    /// Makes a token. It is in the answer, and never again anywhere.
    write 601 CREATE_TOKEN_PROCEDURE create_token(CreateTokenArgs) -> CreateTokenReply;
    /// Whether a token is good for something; counts as a use of it.
    read 602 VALIDATE_TOKEN_PROCEDURE validate_token(ValidateTokenArgs) -> ValidateTokenReply;
    /// Takes a token back, everywhere and for good. To take it back twice is no error.
    idempotent 603 REVOKE_TOKEN_PROCEDURE revoke_token(RevokeTokenArgs) -> rpc::Empty;
    /// All tokens, without what makes them work.
    read 604 LIST_TOKENS_PROCEDURE list_tokens(ListTokensArgs) -> ListTokensReply;
    /// All tokens by digest with what they are good for, and every change from then on.
    read_stream 605 WATCH_TOKENS_PROCEDURE watch_tokens(rpc::Empty) -> TokenEvent;
    /// Makes a role, or changes it for everybody who has it.
    idempotent 606 SET_ROLE_PROCEDURE set_role(SetRoleArgs) -> rpc::Empty;
    /// Removes a role that no token has.
    idempotent 607 DELETE_ROLE_PROCEDURE delete_role(DeleteRoleArgs) -> rpc::Empty;
    /// All roles.
    read 608 LIST_ROLES_PROCEDURE list_roles(rpc::Empty) -> ListRolesReply;
    /// Who changed what, oldest first.
    read 609 AUDIT_PROCEDURE audit(AuditArgs) -> AuditReply;
    /// Adds what was called elsewhere to the audit log; for instances of the fleet.
    write 610 RECORD_PROCEDURE record(RecordArgs) -> rpc::Empty;
    /// Keeps a secret under a name, in the place of what was there.
    write 611 PUT_SECRET_PROCEDURE put_secret(PutSecretArgs) -> PutSecretReply;
    /// A secret's value, for whoever hands it to an instance. It changes nothing, and yet needs
    /// the grant of a write: `*:*:read` shows everything but this. Each answer is on record.
    idempotent 612 GET_SECRET_PROCEDURE get_secret(GetSecretArgs) -> GetSecretReply;
    /// The names of all secrets; no value.
    read 613 LIST_SECRETS_PROCEDURE list_secrets(rpc::Empty) -> ListSecretsReply;
    /// Forgets a secret. There being none is no error.
    idempotent 614 DELETE_SECRET_PROCEDURE delete_secret(DeleteSecretArgs) -> rpc::Empty;
    /// Makes a new key, seals every secret anew with it, and forgets the old keys.
    idempotent 615 ROTATE_SECRETS_PROCEDURE rotate_secrets(rpc::Empty) -> RotateSecretsReply;
    /// Certifies for a key that the caller made which instance the caller is, as its token says.
    idempotent 616 SIGN_CERTIFICATE_PROCEDURE
        sign_certificate(SignCertificateArgs) -> SignCertificateReply;
    /// The authority whose certificates the fleet believes.
    read 617 AUTHORITY_PROCEDURE authority(rpc::Empty) -> AuthorityReply;
}

impl SecurityClient {
    /// The last entries of the audit log of which this is true, at most so many, oldest first.
    ///
    /// # Errors
    /// Those of [`audit`](Self::audit).
    pub async fn audit_last(
        &self,
        mut args: AuditArgs,
        most: usize,
        is_meant: impl Fn(&AuditEntry) -> bool,
    ) -> Result<Vec<AuditEntry>, rpc::Error> {
        let mut last: Vec<AuditEntry> = Vec::new();
        loop {
            let page = self.audit(&args).await?;
            last.extend(page.entries.into_iter().filter(&is_meant));
            let surplus = last.len().saturating_sub(most);
            last.drain(..surplus);
            match page.next {
                Some(after) => args.after = after,
                None => return Ok(last),
            }
        }
    }
}
