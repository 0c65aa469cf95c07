//! `orrery token`: who may call what.

use std::time::Duration;

use clap::{Args, Subcommand};
use client::security::{
    CreateTokenArgs, ListTokensArgs, RevokeTokenArgs, SecurityClient, TokenInfo,
};
use dashboard::{ago, span};

use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone};
use crate::session::Session;

/// Make, list and take back tokens.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery token create ci --grant release:*:write --role viewer --ttl 24h
  ORRERY_TOKEN=$(orrery token create me --role admin -q) orrery status
  orrery token list
  orrery token revoke 7")]
pub(crate) struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Create(Create),
    /// List tokens: whom they are for, what they are good for. What makes them work is not shown.
    List {
        /// Also those that are revoked or expired.
        #[arg(long)]
        all: bool,
    },
    /// Take a token back, everywhere and for good; calls with it are refused within a second.
    Revoke {
        /// As `list` shows it.
        id: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// Make a token. It goes to stdout, and is never shown again.
///
/// Nobody gives away more than they have.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery token create ci --grant release:*:write --role viewer --ttl 24h
  orrery token create laptop --role admin -q > token")]
struct Create {
    /// What it is for.
    name: String,
    /// What its holder may do: SERVICE:PROCEDURE:read or :write, * for any; may be repeated.
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// A role that its holder has; `orrery role list` shows them; may be repeated.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// How long it lasts; until it is revoked if not said.
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    ttl: Option<Duration>,
}

impl Token {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let security = client(session).await?;
        match self.what {
            What::Create(create) => create.run(session, &security).await,
            What::List { all } => {
                let listed = security.list_tokens(&ListTokensArgs { all }).await?;
                let (tokens, now) = (listed.tokens, session.now_ms());
                session.out.list(&tokens, || table(&tokens, now))
            }
            What::Revoke { id, confirm } => {
                confirm.ask(
                    &session.out,
                    &format!("Token {id} is then good for nothing."),
                )?;
                let args = RevokeTokenArgs { id };
                let empty = security.revoke_token(&args).await?;
                let id = &args.id;
                session.out.one(&empty, || format!("token {id}: revoked"))
            }
        }
    }
}

impl Create {
    async fn run(self, session: &Session, security: &SecurityClient) -> Result<(), Failure> {
        let ttl = self.ttl.map(|ttl| ttl.as_millis());
        let args = CreateTokenArgs {
            name: self.name,
            grants: self.grants,
            roles: self.roles,
            ttl_ms: ttl.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        };
        let made = security.create_token(&args).await?;
        if session.out.format() != Format::Table {
            return session.out.one(&made, String::new);
        }
        let until = made.expires_ms.map_or_else(
            || "until it is revoked".to_owned(),
            |at| format!("for {}", span(at.saturating_sub(session.now_ms()))),
        );
        let id = &made.id;
        session.out.suggest(
            "shown this once",
            format!("token {id} lasts {until}; `orrery token revoke {id}` takes it back"),
        );
        session.out.text(&made.token)
    }
}

pub(super) async fn client(session: &Session) -> Result<SecurityClient, Failure> {
    session.ask(session.fleet.security()).await
}

fn table(tokens: &[TokenInfo], now: u64) -> Table {
    let mut table = Table::new(&["TOKEN", "NAME", "MAY", "MADE", "USED", "STATE"]);
    for token in tokens {
        let may = token.roles.iter().chain(&token.grants).cloned();
        let (state, tone) = state(token, now);
        let used = token.last_used_ms.map(|at| ago(at, now));
        table.row([
            Cell::new(&token.id),
            Cell::new(&token.name),
            Cell::new(may.collect::<Vec<_>>().join(" ")),
            Cell::new(ago(token.created_ms, now)),
            Cell::new(used.unwrap_or_default()),
            Cell::new(state).tone(tone),
        ]);
    }
    table
}

fn state(token: &TokenInfo, now: u64) -> (String, Tone) {
    if let Some(at) = token.revoked_ms {
        return (format!("revoked {}", ago(at, now)), Tone::Dim);
    }
    match token.expires_ms {
        Some(at) if at <= now => (format!("expired {}", ago(at, now)), Tone::Dim),
        Some(at) => (format!("good for {}", span(at - now)), Tone::Good),
        None => ("good".to_owned(), Tone::Good),
    }
}

#[cfg(test)]
mod tests {
    use client::security::TokenInfo;

    use super::table;

    #[test]
    fn the_table_says_what_a_token_is_good_for_and_for_how_long() {
        let now = 100_000_000;
        let token = |id: &str, expires_ms, revoked_ms| TokenInfo {
            id: id.to_owned(),
            name: "ci".to_owned(),
            grants: vec!["release:*:write".to_owned()],
            roles: vec!["viewer".to_owned()],
            created_ms: now - 7_200_000,
            created_by: "me".to_owned(),
            expires_ms,
            revoked_ms,
            last_used_ms: Some(now - 5_000),
        };
        let tokens = [
            token("1", None, None),
            token("2", Some(now + 3_600_000), None),
            token("3", Some(now - 60_000), None),
            token("4", None, Some(now - 60_000)),
        ];
        let shown = table(&tokens, now).render(None);
        let expected = "\
TOKEN  NAME  MAY                     MADE    USED    STATE
1      ci    viewer release:*:write  2h ago  5s ago  good
2      ci    viewer release:*:write  2h ago  5s ago  good for 1h
3      ci    viewer release:*:write  2h ago  5s ago  expired 1m ago
4      ci    viewer release:*:write  2h ago  5s ago  revoked 1m ago
";
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), expected);
    }
}
