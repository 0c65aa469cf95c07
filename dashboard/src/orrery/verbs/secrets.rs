//! `orrery secrets`: what instances are handed and nobody else sees.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::security::limits::SECRET_BYTES_MAX;
use client::security::{DeleteSecretArgs, PutSecretArgs, SecretInfo};
use dashboard::ago;
use rpc::Empty;

use super::count;
use crate::confirm::Confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Table};
use crate::session::Session;

/// Keep values that only the instances see whose specs name them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery secrets put db < password.txt     its value, from stdin or a file, never an argument
  orrery secrets list                      names and revisions, no value
  orrery secrets rm db
  orrery secrets rotate                    a new key seals all of them

In a spec:
  [secrets]
  DB = \"db\"        # the program reads the file descriptor $ORRERY_SECRET_DB_FD")]
pub(crate) struct Secrets {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep a value under a name, in the place of what was there.
    Put(Put),
    /// List names, revisions, who put them and when.
    #[command(visible_alias = "ls")]
    List,
    /// Forget one.
    #[command(visible_alias = "delete")]
    Rm(Rm),
    /// Seal all of them on disk with a new key, and forget the old one.
    Rotate,
}

#[derive(Debug, Args)]
struct Put {
    /// What specs call it.
    name: String,
    /// Read the value from this file instead of stdin.
    #[arg(short, long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Keep a line break at the end, which is taken off otherwise.
    #[arg(long)]
    exact: bool,
}

#[derive(Debug, Args)]
struct Rm {
    /// Which one.
    name: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Secrets {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.what {
            What::Put(put) => put.run(session).await,
            What::List => list(session).await,
            What::Rm(rm) => rm.run(session).await,
            What::Rotate => rotate(session).await,
        }
    }
}

impl Put {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let value = self.value()?;
        let args = PutSecretArgs {
            name: self.name,
            value,
        };
        let reply = session.fleet.security().await?.put_secret(&args).await?;
        let (name, revision) = (&args.name, reply.revision);
        session
            .out
            .one(&reply, || format!("{name}: revision {revision}"))?;
        if revision > 1 {
            let next = "orrery restart SERVICE".to_owned();
            session.out.suggest("what runs has the old value", next);
        }
        Ok(())
    }

    fn value(&self) -> Result<Vec<u8>, Failure> {
        let mut value = match &self.file {
            Some(path) => fs::read(path).map_err(|e| {
                let what = format!("failed to read {}: {e}", path.display());
                Failure::new(Exit::Usage, what)
            })?,
            None => from_stdin()?,
        };
        if !self.exact && value.last() == Some(&b'\n') {
            value.pop();
            if value.last() == Some(&b'\r') {
                value.pop();
            }
        }
        Ok(value)
    }
}

fn from_stdin() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        // It would be seen while it is typed.
        let failure = Failure::new(Exit::Usage, "a secret's value is not typed in");
        return Err(failure.hint("orrery secrets put NAME < FILE, or a pipe into it"));
    }
    let mut value = Vec::new();
    // One byte more than there may be, so that what is too long is refused and not cut.
    let most = SECRET_BYTES_MAX as u64 + 3;
    let read = stdin.lock().take(most).read_to_end(&mut value);
    read.map_err(|e| Failure::new(Exit::Failed, format!("failed to read stdin: {e}")))?;
    Ok(value)
}

impl Rm {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let name = self.name;
        let question = format!("{name} is forgotten, and what names it starts no more.");
        self.confirm.ask(&session.out, &question)?;
        let args = DeleteSecretArgs { name: name.clone() };
        let reply = session.fleet.security().await?.delete_secret(&args).await?;
        session.out.one(&reply, || format!("{name}: forgotten"))
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let security = session.fleet.security().await?;
    let secrets = security.list_secrets(&Empty {}).await?.secrets;
    let now = session.now_ms();
    session.out.list(&secrets, || table(&secrets, now))
}

fn table(secrets: &[SecretInfo], now: u64) -> Table {
    let mut table = Table::new(&["SECRET", "REVISION", "PUT", "BY", "KEY"]);
    for secret in secrets {
        table.row([
            Cell::new(&secret.name),
            Cell::number(secret.revision),
            Cell::new(ago(secret.put_ms, now)),
            Cell::new(&secret.put_by),
            Cell::new(&secret.key),
        ]);
    }
    table
}

async fn rotate(session: &Session) -> Result<(), Failure> {
    let security = session.fleet.security().await?;
    let reply = security.rotate_secrets(&Empty {}).await?;
    session.out.one(&reply, || {
        let sealed = usize::try_from(reply.sealed).unwrap_or(usize::MAX);
        let left = match reply.left {
            0 => String::new(),
            left => format!("; {left} cannot be opened and stay as they are"),
        };
        format!(
            "{} sealed with key {}{left}",
            count(sealed, "secret"),
            reply.key
        )
    })
}
