//! Values that change while services run: what is set, what could be, and what each key was.

use axum::extract::Path;
use axum::response::Response;
use client::configuration::{DeclareArgs, HistoryArgs, HistoryEntry, Item, SchemaArgs};
use maud::{Markup, html};
use serde_json::json;

use super::{Asked, Page, Problem, dangerous, hidden, moment, path};
use crate::sessions::Session;

pub(crate) async fn show(asked: Asked) -> Response {
    let (items, services) = match ask(&asked.session).await {
        Ok(both) => both,
        Err(error) => return Problem::from(error).response(&asked.session),
    };
    let contains = |key: &str| key.contains(&asked.filter);
    let set: Vec<&Item> = items.iter().filter(|item| contains(&item.key)).collect();
    let main = html! {
        h1 { "Configuration" }
        (form(&asked.session))
        h2 { "What is set" }
        @if set.is_empty() {
            p { "Nothing: the defaults of the services count. A key is SERVICE/NAME." }
        } @else { (table(&set)) }
        h2 { "What services declare" }
        @if services.is_empty() { p { "No service has said which keys it has." } }
        @else { (declared(&services, &contains)) }
    };
    let data = json!({ "items": items, "declared": services });
    Page::new("Configuration", "orrery config list", &data, main)
        .filtered()
        .polled()
        .response(&asked)
}

async fn ask(session: &Session) -> Result<(Vec<Item>, Vec<DeclareArgs>), rpc::Error> {
    let client = session.look.fleet().await?.configuration().await?;
    let items = client.everything("").await?;
    let schema = client.schema(&SchemaArgs::default()).await?;
    Ok((items, schema.services))
}

fn form(session: &Session) -> Markup {
    if !session.may("configuration", "set", true) {
        return html! {};
    }
    html! {
        form.actions method="post" action="/configuration" {
            (hidden(session))
            label { "Key "
                input name="key" required size="24" placeholder="greeter/pause" autocomplete="off";
            }
            label { "Value " input name="value" size="24" autocomplete="off"; }
            button { "Set" }
        }
    }
}

fn table(items: &[&Item]) -> Markup {
    html! {
        table {
            thead { tr { th { "Key" } th { "Value" } th { "Revision" } th { "Set" } th { "By" } } }
            tbody #items {
                @for item in items {
                    tr id={ "k-" (item.key) } {
                        td { a href=(place(&item.key)) { (item.key) } }
                        td { code { (item.value) } }
                        td { (item.revision) }
                        td { (moment(item.at_ms)) }
                        td { (item.by) }
                    }
                }
            }
        }
    }
}

/// Where a key's history is.
pub(crate) fn place(key: &str) -> String {
    let (service, name) = key.split_once('/').unwrap_or((key, ""));
    path(&["configuration", service, name])
}

fn declared(services: &[DeclareArgs], contains: &impl Fn(&str) -> bool) -> Markup {
    html! {
        table {
            thead { tr { th { "Key" } th { "Fits" } th { "Default" } th { "What for" } } }
            tbody #declared {
                @for of in services {
                    @for key in &of.declarations {
                        @let full = format!("{}/{}", of.service, key.name);
                        @if contains(&full) {
                            tr {
                                td { a href=(place(&full)) { (full) } }
                                td { (key.value_type.expected()) }
                                td { code { (key.default) } }
                                td { (key.help) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(crate) async fn history(
    Path((service, name)): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let key = format!("{service}/{name}");
    match of(&asked.session, key).await {
        Ok(page) => page.polled().response(&asked),
        Err(problem) => problem.response(&asked.session),
    }
}

async fn of(session: &Session, key: String) -> Result<Page, Problem> {
    let client = session.look.fleet().await?.configuration().await?;
    let args = HistoryArgs { key };
    let entries = client.history(&args).await?.entries;
    let may = session.may("configuration", "rollback", true);
    let main = html! {
        h1 { (args.key) }
        @if entries.is_empty() { p { "It was never set: its default counts." } }
        table {
            thead {
                tr {
                    th { "Write" } th { "From" } th { "To" } th { "Set" } th { "By" } th { "" }
                }
            }
            tbody #history {
                @for (at, entry) in entries.iter().enumerate() {
                    @let before = entries.get(at + 1).and_then(|before| before.value.as_ref());
                    tr {
                        td { (entry.number) }
                        td { @if let Some(before) = before { del { (before) } } @else { "-" } }
                        td { (to(entry)) }
                        td { (moment(entry.at_ms)) }
                        td { (entry.by) }
                        td { @if may && at > 0 && entry.value.is_some() {
                            (back(session, &args.key, entry.number))
                        } }
                    }
                }
            }
        }
    };
    let command = format!("orrery config history {}", args.key);
    Ok(Page::new(&args.key, &command, &entries, main))
}

fn to(entry: &HistoryEntry) -> Markup {
    match (&entry.value, entry.rollback_to) {
        (Some(value), None) => html! { ins { (value) } },
        (Some(value), Some(write)) => html! { ins { (value) } " as in " (write) },
        (None, _) => html! { span.dim { "taken away" } },
    }
}

fn back(session: &Session, key: &str, number: u64) -> Markup {
    let action = format!("{}/rollback/{number}", place(key));
    dangerous(session, &action, "Roll back to this", key)
}
