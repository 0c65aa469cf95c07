//! `orrery config`: values that change while services run.

use clap::{Args, Subcommand};
use client::configuration::{
    Compare, ConfigurationClient, ConfigurationEvent, DeclareArgs, DeleteArgs, GetArgs,
    HistoryArgs, HistoryEntry, RollbackArgs, SchemaArgs, SetArgs, SetReply, WatchArgs,
};
use dashboard::ago;

use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone, escape};
use crate::session::Session;

/// Read and change values that services follow while they run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery config keys greeter                 what there is to set, and what fits
  orrery config set greeter/pause 250ms
  orrery config set greeter/pause 1s --if-revision 17
  orrery config get greeter/pause
  orrery config list greeter/
  orrery config history greeter/pause
  orrery config rollback greeter/pause --to 3
  orrery config unset greeter/pause          its default counts again
  orrery config watch greeter/ -o jsonl")]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what counts: what was set, or else the declared default.
    Get(Key),
    Set(Set),
    /// Take a value away, so that the default counts again.
    #[command(visible_alias = "delete")]
    Unset(Unset),
    /// List what is set, by whom and when.
    List(Prefix),
    /// List the keys that services declare: what fits, the default, what each is for.
    Keys(Keys),
    /// Show what a key was, newest first.
    History(Key),
    Rollback(Rollback),
    /// Show what is set, then every change as it happens.
    Watch(Prefix),
}

#[derive(Debug, Args)]
struct Key {
    /// SERVICE/NAME, as in greeter/pause.
    key: String,
}

#[derive(Debug, Args)]
struct Prefix {
    /// Only keys that begin so, as in greeter/.
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
}

#[derive(Debug, Args)]
struct Keys {
    /// Only those of this service.
    service: Option<String>,
}

/// What is asked of the key before it is written.
#[derive(Debug, Args)]
struct If {
    /// Only if the key is still at this revision; otherwise nothing is changed.
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
    /// Only if nothing is set.
    #[arg(long, conflicts_with = "if_revision")]
    if_absent: bool,
}

/// Set a value. One that does not fit what the service declared is refused.
#[derive(Debug, Args)]
struct Set {
    /// SERVICE/NAME, as in greeter/pause.
    key: String,
    /// As settings are written: 250ms, true, 17, or text.
    #[arg(allow_hyphen_values = true)]
    value: String,
    #[command(flatten)]
    condition: If,
    /// Set it although the service has declared its keys and not this one.
    #[arg(long)]
    undeclared: bool,
}

#[derive(Debug, Args)]
struct Unset {
    /// SERVICE/NAME, as in greeter/pause.
    key: String,
    #[command(flatten)]
    condition: If,
}

/// Bring back the value of an earlier write, as a write of its own.
#[derive(Debug, Args)]
struct Rollback {
    /// SERVICE/NAME, as in greeter/pause.
    key: String,
    /// The number of that write in the key's history.
    #[arg(long, value_name = "NUMBER")]
    to: u64,
    #[command(flatten)]
    condition: If,
}

impl If {
    fn compare(&self) -> Compare {
        match self.if_revision {
            Some(revision) => Compare::Revision(revision),
            None if self.if_absent => Compare::Absent,
            None => Compare::Anything,
        }
    }
}

impl Config {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = session.ask(session.fleet.configuration()).await?;
        match self.what {
            What::Get(Key { key }) => {
                let reply = client.get(&GetArgs { key }).await?;
                let words = || escape::line(&reply.value).into_owned();
                session.out.one(&reply, words)
            }
            What::Set(set) => {
                let args = SetArgs {
                    key: set.key,
                    value: set.value,
                    compare: set.condition.compare(),
                    undeclared: set.undeclared,
                };
                let reply = client.set(&args).await?;
                written(session, &args.key, &reply)
            }
            What::Unset(Unset { key, condition }) => {
                let compare = condition.compare();
                let args = DeleteArgs { key, compare };
                let reply = client.delete(&args).await?;
                written(session, &args.key, &reply)
            }
            What::List(Prefix { prefix }) => list(session, &client, prefix).await,
            What::Keys(Keys { service }) => {
                let schema = client.schema(&SchemaArgs { service }).await?;
                session
                    .out
                    .list(&schema.services, || declared(&schema.services))
            }
            What::History(Key { key }) => {
                let reply = client.history(&HistoryArgs { key }).await?;
                let now = session.now_ms();
                session
                    .out
                    .list(&reply.entries, || history(&reply.entries, now))
            }
            What::Rollback(Rollback { key, to, condition }) => {
                let compare = condition.compare();
                let args = RollbackArgs { key, to, compare };
                let reply = client.rollback(&args).await?;
                written(session, &args.key, &reply)
            }
            What::Watch(Prefix { prefix }) => watch(session, prefix).await,
        }
    }
}

fn written(session: &Session, key: &str, reply: &SetReply) -> Result<(), Failure> {
    let SetReply { revision, number } = reply;
    session.out.one(reply, || {
        format!(
            "{}: revision {revision}, write {number} of it",
            escape::line(key)
        )
    })
}

async fn list(
    session: &Session,
    client: &ConfigurationClient,
    prefix: String,
) -> Result<(), Failure> {
    let items = client.everything(&prefix).await?;
    if items.is_empty() && session.out.format() == Format::Table {
        let next = "orrery config keys";
        session.out.suggest("nothing is set; what could be", next);
    }
    let now = session.now_ms();
    session.out.list(&items, || {
        let mut table = Table::new(&["KEY", "VALUE", "REVISION", "SET", "BY"]);
        for item in &items {
            table.row([
                Cell::new(&item.key),
                Cell::new(&item.value),
                Cell::number(item.revision),
                Cell::new(ago(item.at_ms, now)),
                Cell::new(&item.by),
            ]);
        }
        table
    })
}

fn declared(services: &[DeclareArgs]) -> Table {
    let mut table = Table::new(&["KEY", "FITS", "DEFAULT", "FOLLOWED", "WHAT FOR"]);
    for of in services {
        for key in &of.declarations {
            let followed = if key.needs_restart {
                "at start"
            } else {
                "at once"
            };
            table.row([
                Cell::new(format!("{}/{}", of.service, key.name)),
                Cell::new(key.value_type.expected()),
                Cell::new(&key.default),
                Cell::new(followed),
                Cell::new(&key.help),
            ]);
        }
    }
    table
}

fn history(entries: &[HistoryEntry], now: u64) -> Table {
    let mut table = Table::new(&["WRITE", "VALUE", "REVISION", "SET", "BY"]);
    for entry in entries {
        let value = match (&entry.value, entry.rollback_to) {
            (Some(value), None) => Cell::new(value),
            (Some(value), Some(to)) => Cell::new(format!("{value} (as in {to})")),
            (None, _) => Cell::new("taken away").tone(Tone::Dim),
        };
        table.row([
            Cell::number(entry.number),
            value,
            Cell::number(entry.revision),
            Cell::new(ago(entry.at_ms, now)),
            Cell::new(&entry.by),
        ]);
    }
    table
}

async fn watch(session: &Session, prefix: String) -> Result<(), Failure> {
    let client = session.ask(session.fleet.configuration_streams()).await?;
    let client = client.with(session.options());
    let args = WatchArgs {
        prefix,
        after: None,
    };
    let mut stream = client.watch(&args).await?;
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) if session.is_end_of_following(&error) => break,
            Err(error) => return Err(session.failure(error)),
        };
        match session.out.format() {
            Format::Json | Format::Jsonl => session.out.json_line(&event)?,
            Format::Table => said(session, &event)?,
        }
    }
    Ok(())
}

fn said(session: &Session, event: &ConfigurationEvent) -> Result<(), Failure> {
    let is = |key: &str, value: &str| {
        let (key, value) = (escape::line(key), escape::line(value));
        session.out.text(&format!("{key} = {value}"))
    };
    match event {
        ConfigurationEvent::Snapshot { items, .. } => {
            items.iter().try_for_each(|item| is(&item.key, &item.value))
        }
        ConfigurationEvent::Changed { changes, .. } => {
            changes.iter().try_for_each(|change| match &change.item {
                Some(item) => is(&item.key, &item.value),
                None => session
                    .out
                    .text(&format!("{} is not set", escape::line(&change.key))),
            })
        }
        ConfigurationEvent::Progress { .. } => Ok(()),
    }
}
