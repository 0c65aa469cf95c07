//! `orrery explain`: why things are as they are.

use std::fmt::Write;

use clap::Args;
use client::resource_scheduler::{self, MachineVerdict};
use client::scheduling::{ExplainArgs, ExplainReply};
use dashboard::ago;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::escape::line;
use crate::output::{Cell, Table, Tone};
use crate::session::Session;

/// Machines that are listed for what finds no place, unless told otherwise.
const MACHINES: u32 = 5;

/// Say why an instance, a slot or a service is as it is, and what would change that.
///
/// Of what finds no place, each machine says what would have to change for it to take it, the one
/// first where that is the least.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery explain echo
  orrery explain echo.2
  orrery explain echo --machines 20
  orrery explain echo.2.7 -o json")]
pub(crate) struct Explain {
    /// A service, a slot, an instance, or any unique beginning of an instance's id.
    target: String,
    /// How many machines to list, the best or nearest first [default: 5 for what finds no place].
    #[arg(long, value_name = "N")]
    machines: Option<u32>,
}

/// Why it is as it is, and what the machines say to it.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    why: ExplainReply,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<resource_scheduler::ExplainReply>,
}

impl Explain {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        // A slot that has nothing (it waits) has an explanation too: scheduling knows slots, and
        // only what it does not know is looked for among the instances.
        let reply = match self.ask(session, self.target.clone()).await {
            Ok(reply) => reply,
            Err(failure) if failure.exit == Exit::NotFound => {
                match session.target(&self.target).await {
                    Ok(full) if full != self.target => self.ask(session, full).await?,
                    Ok(_) => return Err(failure),
                    Err(better) => return Err(better),
                }
            }
            Err(failure) => return Err(failure),
        };
        let now = session.now_ms();
        let placement = self.placement(session, &reply.subject).await;
        let explained = Explained {
            why: reply,
            placement,
        };
        session.out.one(&explained, || {
            let mut text = words(&explained.why, now);
            if let Some(placement) = &explained.placement {
                text.push_str(&machines(session, placement));
            }
            text
        })
    }

    /// What machines say to it, if that was asked for or it finds no place. Who is not placed by
    /// the resource scheduler has nothing to hear from it, and while it is away scheduling says so.
    async fn placement(
        &self,
        session: &Session,
        subject: &str,
    ) -> Option<resource_scheduler::ExplainReply> {
        let scheduler = session.fleet.resource_scheduler().await.ok()?;
        // A slot asks for what its service asks for.
        let target = match subject.split('.').count() {
            2 => subject.split('.').next()?,
            _ => subject,
        };
        let args = resource_scheduler::ExplainArgs {
            target: target.to_owned(),
            machines_max: self.machines.unwrap_or(MACHINES),
        };
        let reply = scheduler.explain(&args).await.ok()?;
        let waits = reply.node.is_none() && !reply.least.is_empty();
        (waits || self.machines.is_some()).then_some(reply)
    }

    async fn ask(&self, session: &Session, target: String) -> Result<ExplainReply, Failure> {
        let args = ExplainArgs { target };
        let call = session.scheduling();
        session.ask_about(&args.target, call.explain(&args)).await
    }
}

fn words(reply: &ExplainReply, now: u64) -> String {
    let mut text = format!("{}: {}\n", line(&reply.subject), line(&reply.state));
    // Writing to a String cannot fail.
    for why in &reply.because {
        let _ = writeln!(text, "  {}", line(why));
    }
    if !reply.next.is_empty() {
        text.push_str("\nwhat to do\n");
        for next in &reply.next {
            let _ = writeln!(text, "  {}", line(next));
        }
    }
    if !reply.events.is_empty() {
        text.push_str("\nlately\n");
        for event in &reply.events {
            let when = ago(event.at_ms, now);
            let (subject, kind, why) = (line(&event.subject), line(&event.kind), line(&event.why));
            let _ = writeln!(text, "  {when:<8} {subject} {kind}: {why}");
        }
    }
    text
}

fn machines(session: &Session, reply: &resource_scheduler::ExplainReply) -> String {
    let mut text = String::new();
    if !reply.least.is_empty() {
        let _ = writeln!(
            text,
            "\nthe least that would help\n  {}",
            line(&reply.least)
        );
    }
    if reply.machines.is_empty() {
        return text;
    }
    let mut table = Table::new(&["MACHINE", "TAKES IT", "RULE", "SAYS"]);
    for machine in &reply.machines {
        rows(machine, &mut table);
    }
    let (shown, all) = (reply.machines.len() as u64, reply.machines_all);
    if shown < all {
        let _ = write!(text, "\n{shown} of {all} machines, the nearest first");
    }
    let _ = write!(text, "\n{}", session.out.fit(&table));
    text
}

/// Of a machine that takes it what is left; of one that does not, what would have to change.
fn rows(machine: &MachineVerdict, table: &mut Table) {
    let tells = |check: &&resource_scheduler::CheckVerdict| match machine.fits {
        true => check.says != "yes",
        false => !check.holds,
    };
    let (takes, tone) = match machine.fits {
        true => ("yes", Tone::Good),
        false => ("no", Tone::Watch),
    };
    let mut row = |rule: &str, says: &str| {
        table.row([
            Cell::new(&machine.node),
            Cell::new(takes).tone(tone),
            Cell::new(rule),
            Cell::new(says),
        ]);
    };
    let mut told = machine.checks.iter().filter(tells).peekable();
    if told.peek().is_none() {
        row("", "");
    }
    told.for_each(|check| row(&check.rule, &check.says));
}
