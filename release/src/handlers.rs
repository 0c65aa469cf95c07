//! One function per procedure.

use release::limits::PAGE_MAX;
use release::{
    CreateArgs, ListArgs, ListReply, ReleaseArgs, ReleaseInfo, Releases, RollbackArgs, WatchArgs,
    reason,
};
use rollout::Phase;
use rpc::{Code, Context, Error, StreamSender};
use scheduling::{RolloutArgs, SchedulingClient};

use crate::book::{Book, unknown};
use crate::clock::{now_ms, steady_ms};
use crate::record::{Record, plan_of};

pub(crate) struct Handlers {
    pub(crate) book: Book,
    pub(crate) scheduling: SchedulingClient,
}

fn id_of(label: &str) -> Result<u64, Error> {
    let id = label.strip_prefix("r-").and_then(|id| id.parse().ok());
    id.ok_or_else(|| unknown(label))
}

fn by(context: &Context) -> String {
    let caller = context.caller().map(|caller| caller.name.to_string());
    caller.unwrap_or_else(|| context.peer().to_string())
}

impl Handlers {
    fn info(&self, id: u64) -> Result<ReleaseInfo, Error> {
        let info = self.book.info(id);
        info.ok_or_else(|| unknown(&crate::record::label(id)))
    }

    /// Changes a release that is not over.
    async fn steer(
        &self,
        label: &str,
        change: impl FnOnce(&mut Record) + Send + 'static,
    ) -> Result<ReleaseInfo, Error> {
        let id = id_of(label)?;
        let changed = self.book.change(id, |record| {
            if record.release.phase.is_over() {
                return Err(over(record));
            }
            change(record);
            Ok(())
        });
        changed.await?;
        self.info(id)
    }
}

impl Releases for Handlers {
    async fn create(&self, context: &Context, args: CreateArgs) -> Result<ReleaseInfo, Error> {
        let plan = plan_of(&args);
        plan.check().map_err(|e| {
            Error::invalid(reason::BAD_PLAN, e.to_string())
                .with_hint("`orrery describe release create` shows what a plan may be")
        })?;
        let service = args.service.clone();
        let rollout = self.scheduling.rollout(&RolloutArgs { service }).await?;
        if rollout.version == args.version {
            let message = format!("{} runs that version already", args.service);
            return Err(Error::new(Code::Conflict, reason::NOTHING_TO_DO, message)
                .with_hint("`orrery spec` shows what it runs"));
        }
        let (by, now) = (by(context), now_ms());
        // Grows with every release of the service, also when the clock does not or this forgot all.
        let fence = now.max(rollout.rolled.saturating_add(1));
        let make = move |id| {
            let mut record = Record {
                id,
                service: args.service,
                from: rollout.version,
                to: args.version,
                by,
                created_ms: now,
                fence,
                release: rollout::Release::new(plan, rollout.replicas),
                changes: 0,
                log: Vec::new(),
            };
            record.note(now, format!("begun by {}", record.by));
            record
        };
        let id = self.book.create(make).await?;
        self.info(id)
    }

    async fn get(&self, _: &Context, args: ReleaseArgs) -> Result<ReleaseInfo, Error> {
        self.info(id_of(&args.id)?)
    }

    async fn list(&self, _: &Context, args: ListArgs) -> Result<ListReply, Error> {
        let limit = if args.limit == 0 {
            PAGE_MAX
        } else {
            args.limit.min(PAGE_MAX)
        };
        let releases = self.book.list(args.service.as_deref(), limit as usize);
        Ok(ListReply { releases })
    }

    async fn advance(&self, context: &Context, args: ReleaseArgs) -> Result<ReleaseInfo, Error> {
        let by = by(context);
        let advance = move |record: &mut Record| {
            if !record.release.advance {
                record.release.advance = true;
                record.note(now_ms(), format!("to be advanced, says {by}"));
            }
        };
        self.steer(&args.id, advance).await
    }

    async fn rollback(&self, context: &Context, args: RollbackArgs) -> Result<ReleaseInfo, Error> {
        let by = by(context);
        let why = if args.why.is_empty() {
            format!("asked for by {by}")
        } else {
            format!("{} ({by})", args.why.chars().take(200).collect::<String>())
        };
        let back = move |record: &mut Record| {
            if record.release.phase == Phase::Running {
                record.release = record.release.clone().back(&why);
                record.note(now_ms(), format!("goes back: {why}"));
            }
        };
        self.steer(&args.id, back).await
    }

    async fn pause(&self, context: &Context, args: ReleaseArgs) -> Result<ReleaseInfo, Error> {
        self.set_paused(context, &args.id, true).await
    }

    async fn resume(&self, context: &Context, args: ReleaseArgs) -> Result<ReleaseInfo, Error> {
        self.set_paused(context, &args.id, false).await
    }

    async fn watch(
        &self,
        _: &Context,
        args: WatchArgs,
        out: StreamSender<ReleaseInfo>,
    ) -> Result<(), Error> {
        let id = id_of(&args.id)?;
        let mut changes = self.book.changes();
        let mut told = None;
        loop {
            changes.mark_unchanged();
            let info = self.info(id)?;
            let over = self.book.get(id).is_none_or(|r| r.release.phase.is_over());
            if told.as_ref() != Some(&info) {
                out.send(&info).await?;
                told = Some(info);
            }
            if over || changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

impl Handlers {
    async fn set_paused(
        &self,
        context: &Context,
        label: &str,
        paused: bool,
    ) -> Result<ReleaseInfo, Error> {
        let by = by(context);
        let set = move |record: &mut Record| {
            if record.release.paused != paused {
                let now = now_ms();
                record.release.paused = paused;
                // The time in which nothing was allowed to happen does not count.
                record.release.progress.look_again(steady_ms());
                let word = if paused { "paused" } else { "resumed" };
                record.note(now, format!("{word} by {by}"));
            }
        };
        self.steer(label, set).await
    }
}

fn over(record: &Record) -> Error {
    let message = format!("{} is over ({})", record.label(), record.info("").phase);
    Error::new(Code::Conflict, reason::OVER, message)
        .with_hint("begin another one: `create`, with the version you want")
}
