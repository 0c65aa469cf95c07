//! One function per procedure.

use std::sync::Arc;
use std::time::Duration;

use caching::limits::{KEY_BYTES_MAX, KEYS_MAX, REPLY_BYTES_MAX, VALUE_BYTES_MAX};
use caching::{
    Caching, DeleteArgs, DeleteReply, GetArgs, GetManyArgs, GetManyReply, GetReply, InvalidateArgs,
    InvalidateReply, SetArgs, SetManyArgs, StatsReply, reason,
};
use chassis::trust::may;
use rpc::{Code, Context, Empty, Error};
use storage::StorageClient;

use crate::cache::Held;
use crate::follow::follow;

pub(crate) struct Handlers {
    pub(crate) held: Arc<Held>,
    pub(crate) storage: StorageClient,
}

impl Caching for Handlers {
    async fn get(&self, context: &Context, args: GetArgs) -> Result<GetReply, Error> {
        check_key(&args.key)?;
        if args.through {
            if self.held.begins_to_follow() {
                tokio::spawn(follow(Arc::clone(&self.held), self.storage.clone()));
            }
            // What the caller may not read in storage it does not get here either.
            may(context, storage::SYSTEM_NAME, "get", false)?;
            let options = context.options();
            return self.held.through(&args.key, args.stale_ok, options).await;
        }
        Ok(GetReply {
            value: self.held.get(&args.key).await,
            stale_ms: None,
        })
    }

    async fn set(&self, _: &Context, args: SetArgs) -> Result<Empty, Error> {
        check_key(&args.key)?;
        check_value(&args.key, args.value.len())?;
        let ttl = ttl(args.ttl_ms)?;
        self.held.set(&args.key, args.value, ttl).await;
        Ok(Empty {})
    }

    async fn delete(&self, _: &Context, args: DeleteArgs) -> Result<DeleteReply, Error> {
        check_key(&args.key)?;
        let existed = self.held.delete(&args.key).await;
        Ok(DeleteReply { existed })
    }

    async fn stats(&self, _: &Context, _: Empty) -> Result<StatsReply, Error> {
        Ok(self.held.stats().await)
    }

    async fn get_many(&self, _: &Context, args: GetManyArgs) -> Result<GetManyReply, Error> {
        check_count(args.keys.len())?;
        let (mut values, mut bytes) = (Vec::with_capacity(args.keys.len()), 0);
        for key in &args.keys {
            check_key(key)?;
            let value = self.held.get(key).await;
            bytes += value.as_ref().map_or(0, bytes::Bytes::len);
            values.push(value.filter(|_| bytes <= REPLY_BYTES_MAX));
        }
        Ok(GetManyReply { values })
    }

    async fn set_many(&self, _: &Context, args: SetManyArgs) -> Result<Empty, Error> {
        check_count(args.items.len())?;
        let ttl = ttl(args.ttl_ms)?;
        for item in &args.items {
            check_key(&item.key)?;
            check_value(&item.key, item.value.len())?;
        }
        for item in args.items {
            self.held.set(&item.key, item.value, ttl).await;
        }
        Ok(Empty {})
    }

    async fn invalidate(
        &self,
        _: &Context,
        args: InvalidateArgs,
    ) -> Result<InvalidateReply, Error> {
        let dropped = self.held.invalidate(&args.prefix).await;
        Ok(InvalidateReply { dropped })
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    let message = format!("a key of {} bytes", key.len());
    Err(Error::invalid(reason::BAD_KEY, message)
        .with_hint(format!("a key has 1 to {KEY_BYTES_MAX} bytes")))
}

fn check_value(key: &str, bytes: usize) -> Result<(), Error> {
    if bytes <= VALUE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the value of {key} has {bytes} bytes");
    Err(Error::new(Code::TooLarge, reason::VALUE_TOO_LARGE, message)
        .with_hint(format!("at most {VALUE_BYTES_MAX}")))
}

fn check_count(keys: usize) -> Result<(), Error> {
    if keys <= KEYS_MAX {
        return Ok(());
    }
    Err(
        Error::invalid(reason::TOO_MANY, format!("{keys} keys in one call"))
            .with_hint(format!("at most {KEYS_MAX}")),
    )
}

fn ttl(ms: Option<u64>) -> Result<Option<Duration>, Error> {
    if ms == Some(0) {
        return Err(
            Error::invalid(reason::BAD_TTL, "a value that lives 0 ms is none")
                .with_hint("leave `ttl_ms` out to keep it for as long as there is room"),
        );
    }
    Ok(ms.map(Duration::from_millis))
}
