//! `orrery delete`: withdraw a wish.

use clap::Args;
use client::scheduling::{DeleteServiceArgs, ProposedChange};

use super::count;
use super::plan::consequences;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;

/// End every instance of a service and forget it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery delete hello
  orrery delete hello --yes
  orrery plan --delete hello         what it would cause")]
pub(crate) struct Delete {
    /// Which service.
    service: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Delete {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let name = self.service;
        if self.confirm.is_needed() {
            let change = ProposedChange::Delete { name: name.clone() };
            let plan = consequences(session, Some(change)).await?;
            let question = format!("{plan}{name} is then forgotten, and its spec with it.");
            self.confirm.ask(&session.out, &question)?;
        }
        let args = DeleteServiceArgs { name: name.clone() };
        let call = session.scheduling();
        let reply = session.ask_about(&name, call.delete_service(&args)).await?;
        session.out.one(&reply, || {
            let ending = count(reply.ending as usize, "instance");
            format!("{name}: deleted, {ending} ending")
        })?;
        session.out.suggest("watch it", "orrery events -f");
        Ok(())
    }
}
