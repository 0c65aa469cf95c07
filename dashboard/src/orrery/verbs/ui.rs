//! `orrery ui`: the page of what is named.

use std::process::{Command, Stdio};

use clap::Args;
use client::scheduling::InstanceState;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Open the page of a service, an instance or the fleet in a browser, or say where it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery ui
  orrery ui echo
  orrery ui echo.2
  curl \"$(orrery ui -q)/readyz\"")]
pub(crate) struct Ui {
    /// A service or an instance.
    target: Option<String>,
}

impl Ui {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let path = match &self.target {
            Some(target) if target.contains('.') => {
                format!("/instances/{}", session.instance(target).await?.id)
            }
            Some(service) => {
                session.instances(Some(service), false).await?;
                format!("/services/{service}")
            }
            None => String::new(),
        };
        let pages = session.instances(Some("dashboard"), false).await?.instances;
        let healthy = pages.iter().find(|i| i.state == InstanceState::Healthy);
        let Some(address) = healthy.and_then(|i| i.address.as_ref()) else {
            return Err(Failure::new(Exit::Unavailable, "no dashboard is healthy")
                .hint("`orrery explain dashboard` says why"));
        };
        let url = format!("http://{address}{path}");
        session.out.text(&url)?;
        if session.out.is_terminal() && std::env::var_os("DISPLAY").is_some() {
            // Where nothing opens pages, the address is said all the same.
            let mut open = Command::new("xdg-open");
            open.arg(&url).stdin(Stdio::null());
            let _ = open.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        }
        session
            .out
            .suggest("log in with", "cat .orrery/operator.token");
        Ok(())
    }
}
