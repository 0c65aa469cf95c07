//! `orrery scale`: how many replicas are wished for.

use clap::Args;
use client::scheduling::{ProposedChange, ScaleServiceArgs, ScaleServiceReply};

use super::plan::consequences;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;

/// Change how many replicas of a service are wished for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery scale echo 5 && orrery wait echo
  orrery scale echo 0 --yes
  orrery plan --scale echo=50        what it would cause")]
pub(crate) struct Scale {
    /// Which service.
    service: String,
    /// How many, from 0 to 100000.
    #[arg(allow_negative_numbers = true)]
    replicas: i32,
    #[command(flatten)]
    confirm: Confirm,
}

impl Scale {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let name = &self.service;
        if self.replicas == 0 && self.confirm.is_needed() {
            let change = ProposedChange::Scale {
                name: name.clone(),
                replicas: 0,
            };
            let plan = consequences(session, Some(change)).await?;
            let question = format!("{plan}{name} then serves nobody.");
            self.confirm.ask(&session.out, &question)?;
        }
        let args = ScaleServiceArgs {
            name: name.clone(),
            replicas: self.replicas,
        };
        let call = session.scheduling();
        let reply = session.ask_about(name, call.scale_service(&args)).await?;
        session.out.one(&reply, || words(&reply))?;
        session.out.suggest("watch it", format!("orrery ps {name}"));
        Ok(())
    }
}

fn words(reply: &ScaleServiceReply) -> String {
    let (name, before, now) = (
        &reply.service.name,
        reply.replicas_before,
        reply.service.replicas,
    );
    if before == now {
        return format!("{name}: {now} replicas, as before");
    }
    format!("{name}: {before} -> {now} replicas")
}
