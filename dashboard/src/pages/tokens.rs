//! Who may do what.

use axum::response::Response;
use client::security::{ListTokensArgs, Role, TokenInfo};
use dashboard::span;
use maud::{Markup, html};
use rpc::Empty;
use serde_json::json;

use super::{Asked, Page, Problem, dangerous, hidden, moment, now_ms, path};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let (tokens, roles) = match ask(&asked.session).await {
        Ok(both) => both,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    let main = html! {
        h1 { "Tokens" }
        (make(&asked.session, &roles))
        (table(&asked.session, &tokens))
        h2 { "Roles" }
        table {
            tbody #roles {
                @for role in &roles { tr { td { (role.name) } td { (role.grants.join(" ")) } } }
            }
        }
    };
    let data = json!({ "tokens": tokens, "roles": roles });
    Page::new("Tokens", "orrery token list", &data, main)
        .polled()
        .response(&asked)
}

async fn ask(session: &Session) -> Result<(Vec<TokenInfo>, Vec<Role>), rpc::Error> {
    let security = session.look.fleet().await?.security().await?;
    let tokens = security.list_tokens(&ListTokensArgs { all: true }).await?;
    let roles = security.list_roles(&Empty {}).await?;
    Ok((tokens.tokens, roles.roles))
}

fn make(session: &Session, roles: &[Role]) -> Markup {
    if !session.may("security", "create_token", true) {
        return html! {};
    }
    html! {
        form.actions method="post" action="/tokens" {
            (hidden(session))
            label { "For " input name="name" required size="12" autocomplete="off"; }
            label { "Role "
                select name="roles" {
                    option value="" { "none" }
                    @for role in roles { option { (role.name) } }
                }
            }
            label { "Grants "
                input name="grants" size="28" placeholder="release:*:write" autocomplete="off";
            }
            label { "Hours " input type="number" name="hours" min="1" placeholder="for ever"; }
            button { "Make a token" }
        }
    }
}

fn table(session: &Session, tokens: &[TokenInfo]) -> Markup {
    let may = session.may("security", "revoke_token", true);
    html! {
        table {
            thead {
                tr {
                    th { "Token" } th { "For" } th { "May" } th { "Made" } th { "Used" }
                    th { "State" } th { "" }
                }
            }
            tbody #tokens {
                @for token in tokens {
                    tr id={ "t-" (token.id) } {
                        td { (token.id) }
                        td { (token.name) }
                        td { (token.roles.join(" ")) " " (token.grants.join(" ")) }
                        td { (moment(token.created_ms)) }
                        td { @if let Some(at) = token.last_used_ms { (moment(at)) } @else { "-" } }
                        td { (state(token)) }
                        td {
                            @if may && is_good(token) {
                                @let action = path(&["tokens", &token.id, "revoke"]);
                                (dangerous(session, &action, "Revoke", &token.id))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn is_good(token: &TokenInfo) -> bool {
    token.revoked_ms.is_none() && token.expires_ms.is_none_or(|at| at > now_ms())
}

fn state(token: &TokenInfo) -> Markup {
    match (token.revoked_ms, token.expires_ms) {
        (Some(at), _) => html! { span.dim { "○ revoked " (moment(at)) } },
        (None, Some(at)) if at <= now_ms() => html! { span.dim { "○ expired " (moment(at)) } },
        (None, Some(at)) => html! { span.good { "● for " (span(at - now_ms())) } },
        (None, None) => html! { span.good { "● good" } },
    }
}
