//! `orrery audit`: who changed what.

use std::time::Duration;

use clap::{Args, Subcommand};
use client::security::{AuditArgs, AuditEntry, SecurityClient};
use dashboard::ago;
use serde::Serialize;
use tokio::time::sleep;

use super::token::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Cell, Format, Table, Tone, escape};
use crate::session::Session;

/// How often new entries are asked for.
const PAUSE: Duration = Duration::from_millis(500);

/// Read the record of everything that people changed, and check that nobody changed the record.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery audit list
  orrery audit list --caller ada --service scheduling -n 200
  orrery audit follow -o jsonl
  orrery audit verify")]
pub(crate) struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    List(List),
    /// Show entries as they are added, until interrupted.
    Follow(Only),
    /// Check the hash of every entry against the one before it.
    Verify,
}

/// Show the last entries.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    only: Only,
    /// How many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    tail: usize,
}

#[derive(Debug, Args)]
struct Only {
    /// Only what this caller did.
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,
    /// Only what was done to this service.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// That the record is whole.
#[derive(Serialize)]
struct Verified {
    entries: u64,
    /// The number of the last entry.
    last: u64,
    /// Of the last entry: whoever keeps it can tell later that nothing before it was changed.
    hash: String,
}

impl Audit {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let security = client(session).await?;
        match self.what {
            What::List(list) => list.run(session, &security).await,
            What::Follow(only) => follow(session, &security, only.args()).await,
            What::Verify => verify(session, &security).await,
        }
    }
}

impl Only {
    fn args(self) -> AuditArgs {
        AuditArgs {
            caller: self.caller,
            service: self.service,
            ..AuditArgs::default()
        }
    }
}

impl List {
    async fn run(self, session: &Session, security: &SecurityClient) -> Result<(), Failure> {
        let args = self.only.args();
        let last = security.audit_last(args, self.tail, |_| true).await?;
        let now = session.now_ms();
        session.out.list(&last, || {
            let mut table = Table::new(&["ENTRY", "WHEN", "WHO", "DID", "TO", "VERDICT"]);
            for entry in &last {
                let call = &entry.call;
                let tone = match call.verdict.as_str() {
                    "allowed" => Tone::Plain,
                    _ => Tone::Bad,
                };
                table.row([
                    Cell::number(entry.number),
                    Cell::new(ago(call.at_ms, now)),
                    Cell::new(&call.caller),
                    Cell::new(format!("{} {}", call.service, call.procedure)),
                    Cell::new(&call.subject),
                    Cell::new(&call.verdict).tone(tone),
                ]);
            }
            table
        })
    }
}

async fn follow(
    session: &Session,
    security: &SecurityClient,
    mut args: AuditArgs,
) -> Result<(), Failure> {
    loop {
        let page = security.audit(&args).await?;
        for entry in &page.entries {
            args.after = args.after.max(entry.number);
            match session.out.format() {
                Format::Json | Format::Jsonl => session.out.json_line(entry)?,
                Format::Table => session.out.text(&line(entry))?,
            }
        }
        match page.next {
            Some(after) => args.after = after,
            None => sleep(PAUSE).await,
        }
    }
}

fn line(entry: &AuditEntry) -> String {
    let call = &entry.call;
    let (caller, service) = (escape::line(&call.caller), escape::line(&call.service));
    let (procedure, subject) = (escape::line(&call.procedure), escape::line(&call.subject));
    let (number, verdict) = (entry.number, escape::line(&call.verdict));
    format!("{number:>6}  {caller:<12}  {service} {procedure} {subject}  {verdict}")
}

async fn verify(session: &Session, security: &SecurityClient) -> Result<(), Failure> {
    let mut args = AuditArgs::default();
    let mut verified = Verified {
        entries: 0,
        last: 0,
        hash: "0".repeat(64),
    };
    loop {
        let page = security.audit(&args).await?;
        for entry in page.entries {
            let AuditEntry { number, .. } = entry;
            // What is older than all that is kept cannot be checked against.
            let is_oldest_kept = verified.entries == 0 && number > 1;
            let follows = number == verified.last + 1 && entry.follows(&verified.hash);
            if !is_oldest_kept && !follows {
                let what = format!("entry {number} does not follow from the one before it");
                let hint = "the record was changed, or its disk lost something";
                return Err(Failure::new(Exit::Failed, what).hint(hint));
            }
            verified.entries += 1;
            verified.last = number;
            verified.hash = entry.hash;
        }
        match page.next {
            Some(after) => args.after = after,
            None => break,
        }
    }
    session.out.one(&verified, || {
        let Verified {
            entries,
            last,
            hash,
        } = &verified;
        format!(
            "{entries} entries, each follows from the one before it\n\
             entry {last} has the hash {hash}"
        )
    })
}
