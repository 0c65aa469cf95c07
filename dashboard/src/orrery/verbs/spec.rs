//! `orrery spec`: the wish for a service, as it was written down.

use clap::Args;
use client::scheduling::GetServiceArgs;

use crate::failure::Failure;
use crate::output::Format;
use crate::session::Session;

/// Print the spec of a service as TOML, every default included, as `apply` takes it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery spec echo
  orrery spec echo > echo.toml       change it, then: orrery apply echo.toml
  orrery spec echo -o json           the service whole, with its instances")]
pub(crate) struct Spec {
    /// Which service.
    service: String,
}

impl Spec {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let args = GetServiceArgs { name: self.service };
        let call = session.scheduling();
        let asked = call.get_service(&args);
        let reply = session.ask_about(&args.name, asked).await?;
        if session.out.format() == Format::Table {
            let mut lines = reply.spec.lines();
            return lines.try_for_each(|line| session.out.foreign_line("", line));
        }
        session.out.one(&reply, String::new)
    }
}
