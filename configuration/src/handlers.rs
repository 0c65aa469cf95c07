//! One function per procedure.

use std::sync::Arc;
use std::time::Duration;

use configuration::limits::PAGE_MAX;
use configuration::{
    ChangedKey, Configuration, ConfigurationEvent, DeclareArgs, DeclareReply, DeleteArgs, GetArgs,
    GetReply, HistoryArgs, HistoryReply, Item, ListArgs, ListReply, RollbackArgs, SchemaArgs,
    SchemaReply, SetArgs, SetReply, SnapshotReason, WatchArgs, reason,
};
use rpc::{Context, Error, StreamSender};
use store::{Event, Range, Revision, Watch, WatchError};
use tokio::time::timeout;

use crate::book::{Book, Wanted, item, value_key};
use crate::keys;

/// How often a watch says how far it has come.
const PROGRESS: Duration = Duration::from_secs(5);
/// Bytes of values in one part of a snapshot, about.
const PART_BYTES: usize = 256 * 1024;

#[derive(Clone)]
pub(crate) struct Handlers {
    pub(crate) book: Arc<Book>,
}

fn by(context: &Context) -> String {
    let caller = context.caller().map(|caller| caller.name.to_string());
    caller.unwrap_or_else(|| context.peer().to_string())
}

impl Handlers {
    /// To the end, also when the caller goes away: half of a write there is not.
    async fn write(&self, wanted: Wanted) -> Result<SetReply, Error> {
        let book = Arc::clone(&self.book);
        let written = tokio::spawn(async move { book.write(wanted).await }).await;
        written.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?
    }

    /// Everything that is set, in parts; returns as of when.
    async fn snapshot(
        &self,
        prefix: &str,
        why: SnapshotReason,
        out: &StreamSender<ConfigurationEvent>,
    ) -> Result<Revision, Error> {
        let all = self.book.range(Range::prefix(value_key(prefix))).await?;
        let part = |items: Vec<Item>, more| ConfigurationEvent::Snapshot {
            revision: all.revision.0,
            reason: why,
            items,
            more,
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        for kv in &all.items {
            if bytes > PART_BYTES {
                out.send(&part(std::mem::take(&mut items), true)).await?;
                bytes = 0;
            }
            bytes += kv.value.len();
            items.push(item(kv)?);
        }
        out.send(&part(items, false)).await?;
        Ok(all.revision)
    }

    /// Every change after `told`, until the changes are no longer known one by one.
    async fn changes(
        &self,
        prefix: &str,
        told: Revision,
        out: &StreamSender<ConfigurationEvent>,
    ) -> Result<(), Error> {
        let Ok(mut watch) = self.book.watch(prefix, told.next()).await else {
            return Ok(());
        };
        let mut told = told.0;
        loop {
            let event = match timeout(PROGRESS, watch.next()).await {
                Ok(Ok(change)) => {
                    told = change.revision.0;
                    let changes = change
                        .events
                        .iter()
                        .map(changed)
                        .collect::<Result<_, _>>()?;
                    ConfigurationEvent::Changed {
                        revision: told,
                        changes,
                    }
                }
                Ok(Err(WatchError::Compacted { .. })) => return Ok(()),
                Ok(Err(error)) => {
                    return Err(Error::internal(reason::STORE_FAILED, error.to_string()));
                }
                Err(_) => {
                    let before = watch.position().0.saturating_sub(1);
                    if before <= told {
                        continue;
                    }
                    told = before;
                    ConfigurationEvent::Progress { revision: told }
                }
            };
            out.send(&event).await?;
        }
    }
}

impl Configuration for Handlers {
    async fn get(&self, _: &Context, args: GetArgs) -> Result<GetReply, Error> {
        keys::check(&args.key)?;
        if let Some(item) = self.book.get(&args.key).await? {
            let (value, revision) = (item.value, item.revision);
            return Ok(GetReply { value, revision });
        }
        let service = keys::service_of(&args.key);
        let declared = self.book.schema(service).await?.unwrap_or_default();
        let name = args.key.split_once('/').map_or("", |(_, name)| name);
        let found = declared.into_iter().find(|d| d.name == name);
        let declaration = found.ok_or_else(|| {
            let message = format!("{} is not set, and no service has declared it", args.key);
            Error::not_found(reason::UNKNOWN_KEY, message)
                .with_hint("`list` shows what is set, `schema` what is declared")
        })?;
        Ok(GetReply {
            value: declaration.default,
            revision: 0,
        })
    }

    async fn set(&self, context: &Context, args: SetArgs) -> Result<SetReply, Error> {
        keys::check(&args.key)?;
        keys::check_value(&args.key, &args.value)?;
        let wanted = Wanted {
            key: args.key,
            value: Some(args.value),
            compare: args.compare,
            by: by(context),
            rollback_to: None,
            undeclared: args.undeclared,
        };
        self.write(wanted).await
    }

    async fn delete(&self, context: &Context, args: DeleteArgs) -> Result<SetReply, Error> {
        keys::check(&args.key)?;
        let wanted = Wanted {
            key: args.key,
            value: None,
            compare: args.compare,
            by: by(context),
            rollback_to: None,
            undeclared: true,
        };
        self.write(wanted).await
    }

    async fn list(&self, _: &Context, args: ListArgs) -> Result<ListReply, Error> {
        let most = if args.limit == 0 {
            PAGE_MAX
        } else {
            args.limit.min(PAGE_MAX)
        };
        let mut range = Range::prefix(value_key(&args.prefix)).limit(most as usize);
        if !args.cursor.is_empty() {
            let (revision, key) = read_cursor(&args.cursor)?;
            range = range.at(revision);
            range.skip_to = Some(format!("{}\0", value_key(key)).into());
        }
        let page = self.book.range(range).await?;
        let items = page.items.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let last = items.last().filter(|_| page.more);
        let cursor = last.map(|last| format!("{}:{}", page.revision.0, last.key));
        Ok(ListReply {
            cursor: cursor.unwrap_or_default(),
            revision: page.revision.0,
            items,
        })
    }

    async fn watch(
        &self,
        _: &Context,
        args: WatchArgs,
        out: StreamSender<ConfigurationEvent>,
    ) -> Result<(), Error> {
        let mut told = match args.after {
            Some(after) => Revision(after),
            None => {
                self.snapshot(&args.prefix, SnapshotReason::First, &out)
                    .await?
            }
        };
        loop {
            self.changes(&args.prefix, told, &out).await?;
            told = self
                .snapshot(&args.prefix, SnapshotReason::Compacted, &out)
                .await?;
        }
    }

    async fn history(&self, _: &Context, args: HistoryArgs) -> Result<HistoryReply, Error> {
        keys::check(&args.key)?;
        let entries = self.book.history(&args.key).await?;
        Ok(HistoryReply { entries })
    }

    async fn rollback(&self, context: &Context, args: RollbackArgs) -> Result<SetReply, Error> {
        keys::check(&args.key)?;
        let history = self.book.history(&args.key).await?;
        let found = history.into_iter().find(|entry| entry.number == args.to);
        let entry = found.ok_or_else(|| {
            let message = format!("write {} of {} is not remembered", args.to, args.key);
            Error::not_found(reason::UNKNOWN_NUMBER, message)
                .with_hint("`history` lists the writes that are, by number")
        })?;
        let wanted = Wanted {
            key: args.key,
            value: entry.value,
            compare: args.compare,
            by: by(context),
            rollback_to: Some(args.to),
            undeclared: true,
        };
        self.write(wanted).await
    }

    async fn declare(&self, _: &Context, args: DeclareArgs) -> Result<DeclareReply, Error> {
        let book = Arc::clone(&self.book);
        let declared = tokio::spawn(async move { book.declare(args).await }).await;
        declared.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?
    }

    async fn schema(&self, _: &Context, args: SchemaArgs) -> Result<SchemaReply, Error> {
        let services = match args.service {
            None => self.book.schemas().await?,
            Some(service) => {
                let declared = self.book.schema(&service).await?;
                let one = declared.map(|declarations| DeclareArgs {
                    service,
                    declarations,
                });
                one.into_iter().collect()
            }
        };
        Ok(SchemaReply { services })
    }
}

fn changed(event: &Event) -> Result<ChangedKey, Error> {
    let key = String::from_utf8_lossy(event.key());
    let key = key.strip_prefix("value/").unwrap_or(&key).to_owned();
    let item = match event {
        Event::Put(kv) => Some(item(kv)?),
        Event::Delete { .. } => None,
    };
    Ok(ChangedKey { key, item })
}

/// `REVISION:KEY`, the last one of the page before.
fn read_cursor(cursor: &str) -> Result<(Revision, &str), Error> {
    let parts = cursor.split_once(':');
    let read = parts.and_then(|(revision, key)| Some((Revision(revision.parse().ok()?), key)));
    read.ok_or_else(|| {
        Error::invalid(reason::BAD_CURSOR, "the cursor is none of this service's")
            .with_hint("give back what the page before said, as it is")
    })
}
