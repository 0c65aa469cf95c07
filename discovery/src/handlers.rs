//! One function per procedure.

use std::sync::Arc;
use std::time::Duration;

use discovery::{
    DeregisterArgs, Discovery, HeartbeatArgs, HeartbeatReply, ListReply, QueryArgs, QueryReply,
    RegisterArgs, RegisterEvent, TrustArgs, TrustReply, WatchArgs, WatchEvent,
};
use rpc::{Context, Empty, Error, StreamSender};
use tokio::time::timeout;

use crate::limits;
use crate::registry::{Registry, ending};
use crate::trust::{Told, is_its_own};

/// How often a watch says how far it has come, when only other services' changes happened.
const PROGRESS: Duration = Duration::from_secs(5);

pub(crate) struct Handlers {
    registry: Arc<Registry>,
    told: Told,
}

impl Handlers {
    pub(crate) fn new(registry: Arc<Registry>, told: Told) -> Self {
        Self { registry, told }
    }
}

impl Discovery for Handlers {
    /// When the caller's connection ends, this future is dropped, and `held` with it.
    async fn register(
        &self,
        context: &Context,
        args: RegisterArgs,
        out: StreamSender<RegisterEvent>,
    ) -> Result<(), Error> {
        limits::check(&args.registration)?;
        is_its_own(
            chassis::trust::holder(context).as_deref(),
            &args.registration,
        )?;
        let mut held = self.registry.register(args.registration, args.ttl_ms)?;
        let registered = RegisterEvent::Registered {
            lease: held.lease,
            ttl_ms: held.ttl_ms,
            revision: held.revision,
        };
        out.send(&registered).await?;
        held.end().await
    }

    async fn heartbeat(&self, _: &Context, args: HeartbeatArgs) -> Result<HeartbeatReply, Error> {
        let key = (args.service, args.instance);
        let expires_in_ms = self.registry.heartbeat(&key, args.lease)?;
        Ok(HeartbeatReply { expires_in_ms })
    }

    async fn deregister(&self, _: &Context, args: DeregisterArgs) -> Result<Empty, Error> {
        self.registry
            .deregister(&(args.service, args.instance), args.lease)?;
        Ok(Empty {})
    }

    async fn query(&self, _: &Context, args: QueryArgs) -> Result<QueryReply, Error> {
        Ok(self.registry.query(&args.service, args.which))
    }

    async fn list(&self, _: &Context, _: Empty) -> Result<ListReply, Error> {
        Ok(self.registry.list())
    }

    async fn trust(&self, _: &Context, args: TrustArgs) -> Result<TrustReply, Error> {
        let taken = self.told.take(args);
        Ok(TrustReply { taken })
    }

    /// A slow reader costs nothing but its position: what it has missed waits in the history, and
    /// when it is no longer there, the reader starts again with all that there is.
    async fn watch(
        &self,
        _: &Context,
        args: WatchArgs,
        out: StreamSender<WatchEvent>,
    ) -> Result<(), Error> {
        let mut revisions = self.registry.revisions();
        let mut after = args.after;
        let mut told = args.after;
        loop {
            revisions.mark_unchanged();
            let batch = self.registry.after(&args.service, after);
            for event in &batch.events {
                out.send(event).await?;
                told = Some(event.position());
            }
            let came_further = after != Some(batch.position);
            after = Some(batch.position);
            if came_further {
                continue;
            }
            tokio::select! {
                changed = timeout(PROGRESS, revisions.changed()) => {
                    if changed.is_err() && told != after {
                        let position = batch.position;
                        out.send(&WatchEvent::Progress { position }).await?;
                        told = after;
                    }
                }
                () = self.registry.ended() => return Err(ending()),
            }
        }
    }
}
