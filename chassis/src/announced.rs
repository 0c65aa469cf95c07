//! The announcement of a running service, while it lasts.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::announce::{Announce, Announcement, Standing};

/// How long readiness waits for a discovery that neither answers nor refuses.
const ANNOUNCE_PATIENCE: Duration = Duration::from_secs(1);
/// How long taking the announcement back may take.
const WITHDRAW_PATIENCE: Duration = Duration::from_secs(1);

/// An announcement that is kept up in the background, or none at all.
pub(crate) struct Announced(Option<Inner>);

struct Inner {
    standing: watch::Receiver<Standing>,
    withdraw: CancellationToken,
    keeping: JoinHandle<()>,
}

impl Announced {
    pub(crate) fn start(announce: Option<Box<dyn Announce>>, about: Announcement) -> Self {
        Self(announce.map(|announce| {
            let (sender, standing) = watch::channel(Standing::Trying);
            let withdraw = CancellationToken::new();
            let keeping = tokio::spawn(announce.keep(about, sender, withdraw.clone()));
            Inner {
                standing,
                withdraw,
                keeping,
            }
        }))
    }

    /// Waits until the service is announced, or it is known that it cannot be for now: a service
    /// serves whoever knows its address, whether discovery is there or not.
    pub(crate) async fn first_word(&self) {
        let Some(inner) = &self.0 else { return };
        let mut standing = inner.standing.clone();
        let said = standing.wait_for(|standing| *standing != Standing::Trying);
        let why = match timeout(ANNOUNCE_PATIENCE, said).await {
            Ok(Ok(standing)) => match &*standing {
                Standing::Unreachable(why) => why.clone(),
                Standing::Announced | Standing::Trying => return,
            },
            Ok(Err(_)) => "the announcer ended".to_owned(),
            Err(_) => "no answer yet".to_owned(),
        };
        tracing::warn!(
            why,
            "not announced to discovery yet; serving, and going on trying"
        );
    }

    /// Takes the announcement back.
    pub(crate) async fn withdraw(self) {
        let Some(mut inner) = self.0 else { return };
        inner.withdraw.cancel();
        if timeout(WITHDRAW_PATIENCE, &mut inner.keeping)
            .await
            .is_err()
        {
            inner.keeping.abort();
            tracing::warn!("discovery did not confirm the farewell; the lease ends by itself");
        }
    }
}
