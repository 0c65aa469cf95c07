//! `orrery explain`: why things are as they are.

use std::fmt::Write;

use clap::Args;
use client::scheduling::{ExplainArgs, ExplainReply};
use dashboard::ago;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::escape::line;
use crate::session::Session;

/// Say why an instance, a slot or a service is as it is, and what would change that.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery explain echo
  orrery explain echo.2
  orrery explain echo.2.7 -o json")]
pub(crate) struct Explain {
    /// A service, a slot, an instance, or any unique beginning of an instance's id.
    target: String,
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
        session.out.one(&reply, || words(&reply, now))
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
