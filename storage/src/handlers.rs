//! One function per procedure.

use std::sync::Arc;
use std::time::Duration;

use rpc::{Access, Context, Empty, Error, StreamSender};
use storage::{
    DELETE_PROCEDURE, DeleteArgs, GET_PROCEDURE, GRANT_PROCEDURE, GetArgs, GetReply, GrantArgs,
    KEEP_ALIVE_PROCEDURE, KeepAliveArgs, Lease, PUT_PROCEDURE, PutArgs, REVOKE_PROCEDURE,
    RevokeArgs, Role, SCAN_PROCEDURE, STATUS_PROCEDURE, ScanArgs, ScanReply, StatusReply, Storage,
    StorageEvent, TXN_PROCEDURE, TxnArgs, TxnReply, WATCH_PROCEDURE, WatchArgs, Written, reason,
};
use store::{Event, Store as _, Watch as _};
use tokio::time::{sleep, timeout};

use crate::forward::{Forward, Who, is_about_the_leader, is_forwarded, options_of};
use crate::keyspace;
use crate::seat::Taken;

/// How often a watch says how far it has come, also when that is no farther than before: silence
/// is how a reader knows that its watch is broken.
const PROGRESS: Duration = storage::PROGRESS_EVERY;
/// Between two attempts to find the next leader.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Handlers {
    pub(crate) forward: Arc<Forward>,
}

impl Storage for Handlers {
    async fn get(&self, context: &Context, args: GetArgs) -> Result<GetReply, Error> {
        let what = (GET_PROCEDURE, Access::Read);
        let here = |us: Arc<Taken>, args| async move { keyspace::get(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn put(&self, context: &Context, args: PutArgs) -> Result<Written, Error> {
        let what = (PUT_PROCEDURE, Access::Write);
        let here = |us: Arc<Taken>, args| async move { keyspace::put(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn delete(&self, context: &Context, args: DeleteArgs) -> Result<Written, Error> {
        let what = (DELETE_PROCEDURE, Access::Idempotent);
        let here = |us: Arc<Taken>, args| async move { keyspace::delete(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn scan(&self, context: &Context, args: ScanArgs) -> Result<ScanReply, Error> {
        let what = (SCAN_PROCEDURE, Access::Read);
        let here = |us: Arc<Taken>, args| async move { keyspace::scan(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn txn(&self, context: &Context, args: TxnArgs) -> Result<TxnReply, Error> {
        let what = (TXN_PROCEDURE, Access::Write);
        let here = |us: Arc<Taken>, args| async move { keyspace::txn(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn grant(&self, context: &Context, args: GrantArgs) -> Result<Lease, Error> {
        let what = (GRANT_PROCEDURE, Access::Write);
        let here = |us: Arc<Taken>, args| async move { keyspace::grant(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn keep_alive(&self, context: &Context, args: KeepAliveArgs) -> Result<Lease, Error> {
        let what = (KEEP_ALIVE_PROCEDURE, Access::Idempotent);
        let here =
            |us: Arc<Taken>, args| async move { keyspace::keep_alive(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn revoke(&self, context: &Context, args: RevokeArgs) -> Result<Written, Error> {
        let what = (REVOKE_PROCEDURE, Access::Write);
        let here = |us: Arc<Taken>, args| async move { keyspace::revoke(&us.store, args).await };
        self.forward.call(context, what, args, here).await
    }

    async fn watch(
        &self,
        context: &Context,
        mut args: WatchArgs,
        out: StreamSender<StorageEvent>,
    ) -> Result<(), Error> {
        loop {
            let error = match self.forward.who(context) {
                Ok(Who::Us(us)) => {
                    let ended = watch_here(&us, args, &out).await;
                    return ended.map_err(|error| self.forward.unless_we_left(error));
                }
                Ok(Who::Leader(_, channel)) => {
                    let options = options_of(context);
                    match channel.open(WATCH_PROCEDURE, &args, &options).await {
                        Ok(stream) => relay(stream, &mut args, &out).await?,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            if !is_about_the_leader(&error) || is_forwarded(context) {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    async fn status(&self, context: &Context, args: Empty) -> Result<StatusReply, Error> {
        let what = (STATUS_PROCEDURE, Access::Read);
        let here = |us: Arc<Taken>, _| async move { status(&us).await };
        let mut status = self.forward.call(context, what, args, here).await?;
        if self.forward.seat.taken().is_none() {
            status.role = Role::Follower;
        }
        Ok(status)
    }
}

async fn status(us: &Taken) -> Result<StatusReply, Error> {
    let status = us.store.status().await;
    let status = status.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?;
    Ok(StatusReply {
        role: Role::Leader,
        leader: us.leader.address.to_string(),
        generation: us.leader.generation,
        revision: status.revision.0,
        compacted: status.compacted.0,
        keys: status.keys,
        leases: status.leases,
        disk_bytes: status.disk_bytes,
        commits: status.commits,
        commit_p99_us: status.write_latency.p99_us,
    })
}

/// Passes the leader's events on until it is gone, and remembers how far it came. Fails when the
/// reader is gone.
async fn relay(
    mut stream: rpc::Streaming<StorageEvent>,
    args: &mut WatchArgs,
    out: &StreamSender<StorageEvent>,
) -> Result<Error, Error> {
    loop {
        match stream.next().await {
            Some(Ok(event)) => {
                let (StorageEvent::Progress { revision } | StorageEvent::Changed { revision, .. }) =
                    &event;
                args.from = Some(revision.saturating_add(1));
                out.send(&event).await?;
            }
            Some(Err(error)) => return Ok(error),
            None => return Ok(crate::forward::no_leader("the leader ended the watch")),
        }
    }
}

async fn watch_here(
    us: &Taken,
    args: WatchArgs,
    out: &StreamSender<StorageEvent>,
) -> Result<(), Error> {
    let (mut watch, mut told) = keyspace::watch(&us.store, &args).await?;
    out.send(&StorageEvent::Progress { revision: told }).await?;
    loop {
        let event = match timeout(PROGRESS, watch.next()).await {
            Ok(Ok(change)) => {
                told = change.revision.0;
                changed(change)?
            }
            Ok(Err(error)) => return Err(keyspace::unwatched(error)),
            Err(_) => {
                told = told.max(watch.position().0.saturating_sub(1));
                StorageEvent::Progress { revision: told }
            }
        };
        out.send(&event).await?;
    }
}

fn changed(change: store::Change) -> Result<StorageEvent, Error> {
    let (mut put, mut deleted) = (Vec::new(), Vec::new());
    for event in change.events {
        match event {
            Event::Put(kv) => put.push(keyspace::item(kv)?),
            Event::Delete { key } => deleted.push(keyspace::text(&key)?),
        }
    }
    Ok(StorageEvent::Changed {
        revision: change.revision.0,
        put,
        deleted,
    })
}
