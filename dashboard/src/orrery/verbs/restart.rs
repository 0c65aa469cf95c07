//! `orrery restart`: new processes for a service or an instance.

use clap::Args;
use client::scheduling::RestartArgs;

use crate::failure::Failure;
use crate::session::Session;

/// Restart an instance, or a service one instance at a time; what was given up is tried again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery restart echo                one at a time, each when the others are healthy
  orrery restart echo.2              the instance in slot 2
  orrery plan --restart echo         what it would cause")]
pub(crate) struct Restart {
    /// A service, an instance, or any unique beginning of an instance's id.
    target: String,
}

impl Restart {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let target = session.target(&self.target).await?;
        let args = RestartArgs {
            target: target.clone(),
        };
        let call = session.scheduling();
        let reply = session.ask_about(&target, call.restart(&args)).await?;
        session
            .out
            .one(&reply, || format!("{target}: restarting"))?;
        let service = target.split('.').next().unwrap_or_default();
        session
            .out
            .suggest("watch it", format!("orrery events -f {service}"));
        Ok(())
    }
}
