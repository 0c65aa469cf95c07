//! `orrery release`: new versions of services, step by step.

mod look;
mod start;

use clap::{Args, Subcommand};
use client::release::{ReleaseArgs, ReleaseClient, ReleaseInfo, RollbackArgs};

use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;

/// Take a service to a new version step by step, and back when it is worse.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery release start echo --bin server_v2 --watch
  orrery release start echo --bin server_v2 --canary 5%:10m,50%:10m
  orrery release start web --by-hand -- /opt/web/2.0/serve --port-from-env
  orrery release list echo
  orrery release show r-12                    its log included
  orrery release advance r-12                 the next step, without waiting any longer
  orrery release rollback r-12 --why 'customers complain'")]
pub(crate) struct Release {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Start(Box<start::Start>),
    List(look::List),
    Show(look::Show),
    Watch(look::Watch),
    /// Take the next step as soon as the present one is well, without waiting any longer.
    Advance(Which),
    /// Take no further step; it turns back all the same when it has to.
    Pause(Which),
    /// Go on.
    Resume(Which),
    Rollback(Rollback),
}

#[derive(Debug, Args)]
struct Which {
    /// As in r-12.
    id: String,
}

/// Go back to the version that the service had before.
#[derive(Debug, Args)]
struct Rollback {
    /// As in r-12.
    id: String,
    /// Why, for the record.
    #[arg(long, default_value = "", hide_default_value = true)]
    why: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Release {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self.what {
            What::Start(start) => start.run(session).await,
            What::List(list) => list.run(session).await,
            What::Show(show) => show.run(session).await,
            What::Watch(watch) => watch.run(session).await,
            What::Advance(which) => {
                let release = client(session).await?.advance(&which.args()).await?;
                said(session, &release)
            }
            What::Pause(which) => {
                let release = client(session).await?.pause(&which.args()).await?;
                said(session, &release)
            }
            What::Resume(which) => {
                let release = client(session).await?.resume(&which.args()).await?;
                said(session, &release)
            }
            What::Rollback(rollback) => rollback.run(session).await,
        }
    }
}

impl Which {
    fn args(self) -> ReleaseArgs {
        ReleaseArgs { id: self.id }
    }
}

impl Rollback {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        let releases = client(session).await?;
        if self.confirm.is_needed() {
            let id = self.id.clone();
            let now = releases.get(&ReleaseArgs { id }).await?;
            let question = format!("{} goes back to {}.", now.service, look::version(&now.from));
            self.confirm.ask(&session.out, &question)?;
        }
        let (id, why) = (self.id, self.why);
        let release = releases.rollback(&RollbackArgs { id, why }).await?;
        said(session, &release)
    }
}

async fn client(session: &Session) -> Result<ReleaseClient, Failure> {
    session.ask(session.fleet.release()).await
}

/// Says how a release is now, and how to see more of it.
fn said(session: &Session, release: &ReleaseInfo) -> Result<(), Failure> {
    session.out.one(release, || look::line(release))?;
    let next = format!("orrery release watch {}", release.id);
    session.out.suggest("watch it", next);
    Ok(())
}
