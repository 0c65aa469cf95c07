//! One function per procedure.

use std::time::Duration;

use routing::{
    Call, ClearSplitArgs, RouteArgs, RouteReply, Router, Routing, SYSTEM_NAME, SetSplitArgs, Split,
    SplitsReply, StatsArgs, StatsReply, reason,
};
use rpc::{Context, Empty, Error, StreamSender};
use tokio::time::timeout;

use crate::splits::Splits;

/// How often a watch of splits looks at the clock, when no split ends earlier.
const LOOK_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Handlers {
    pub(crate) router: Router,
    pub(crate) splits: Splits,
}

impl Routing for Handlers {
    async fn route(&self, context: &Context, args: RouteArgs) -> Result<RouteReply, Error> {
        if args.service == SYSTEM_NAME {
            let message = "a call to routing goes to routing itself";
            return Err(Error::invalid(reason::IN_CIRCLES, message).with_hint("call it directly"));
        }
        let mut call = Call::new(args.procedure, args.payload).keyed(&args.key);
        if args.json {
            call = call.json();
        }
        if args.idempotent {
            call = if args.hedge {
                call.hedged()
            } else {
                call.idempotent()
            };
        }
        // The caller's own deadline, token and trace.
        let routed = self
            .router
            .call(&args.service, &call.with(context.options()))
            .await?;
        Ok(RouteReply {
            payload: routed.payload,
            instance: routed.instance,
            tries: routed.tries,
        })
    }

    async fn set_split(&self, context: &Context, args: SetSplitArgs) -> Result<Split, Error> {
        let caller = context.caller().map(|caller| caller.name.to_string());
        let by = caller.unwrap_or_else(|| context.peer().to_string());
        let split = self.splits.set(args, by).await?;
        self.router.set_splits(&self.splits.all());
        Ok(split)
    }

    async fn splits(&self, _: &Context, _: Empty) -> Result<SplitsReply, Error> {
        Ok(self.splits.all())
    }

    async fn stats(&self, _: &Context, args: StatsArgs) -> Result<StatsReply, Error> {
        let mut services = self.router.stats();
        services.retain(|stats| args.service.as_ref().is_none_or(|s| *s == stats.service));
        Ok(StatsReply { services })
    }

    async fn clear_split(&self, _: &Context, args: ClearSplitArgs) -> Result<Empty, Error> {
        self.splits.clear(args.service).await?;
        self.router.set_splits(&self.splits.all());
        Ok(Empty {})
    }

    async fn watch_splits(
        &self,
        _: &Context,
        _: Empty,
        out: StreamSender<SplitsReply>,
    ) -> Result<(), Error> {
        let mut changes = self.splits.changes();
        let mut told = None;
        loop {
            changes.mark_unchanged();
            let all = self.splits.all();
            if told.as_ref() != Some(&all) {
                out.send(&all).await?;
                told = Some(all);
            }
            let next = self
                .splits
                .next_end_ms()
                .map(|ms| Duration::from_millis(ms + 1));
            let pause = next.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
            if matches!(timeout(pause, changes.changed()).await, Ok(Err(_))) {
                return Ok(());
            }
        }
    }
}

/// Keeps our own router's splits as they are, also when one's time is over.
pub(crate) async fn follow(router: Router, splits: Splits) {
    let mut changes = splits.changes();
    loop {
        router.set_splits(&splits.all());
        let next = splits.next_end_ms().map(|ms| Duration::from_millis(ms + 1));
        // Whether it changed or time went by: it is looked at again.
        let _ = timeout(
            next.unwrap_or(LOOK_EVERY).min(LOOK_EVERY),
            changes.changed(),
        )
        .await;
    }
}
