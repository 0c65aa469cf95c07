//! `orrery stop`: end one instance.

use clap::Args;
use client::scheduling::StopInstanceArgs;
use dashboard::ago;

use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;

/// End one instance; its slot gets a new one if it is still wished for.
///
/// To have fewer instances, scale the service down.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery stop echo.2.7
  orrery stop echo.2 --yes           the instance that runs in slot 2
  orrery scale echo 0                none at all")]
pub(crate) struct Stop {
    /// Its id, or any unique beginning of it.
    instance: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Stop {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let meant = session.instance(&self.instance).await?;
        let question = format!(
            "{} is {} (since {}); it gets SIGTERM, and its slot a new instance.",
            meant.id,
            meant.state,
            ago(meant.since_ms, session.now_ms())
        );
        self.confirm.ask(&session.out, &question)?;
        let args = StopInstanceArgs { instance: meant.id };
        let call = session.scheduling();
        let reply = session.ask(call.stop_instance(&args)).await?;
        let instance = &reply.instance;
        session
            .out
            .one(&reply, || format!("{}: {}", instance.id, instance.state))?;
        session
            .out
            .suggest("watch it", format!("orrery ps {}", instance.service));
        Ok(())
    }
}
