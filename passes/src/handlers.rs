//! One function per procedure.

use std::collections::BTreeSet;

use passes::limits::{BATCH_MAX, PAGE_MAX};
use passes::{
    CancelArgs, JobInfo, ListArgs, ListReply, Passes, StatsReply, SubmitArgs, SubmitReply,
    WatchArgs, reason,
};
use rpc::{Code, Context, Empty, Error, StreamSender};

use crate::book::{Book, unknown};
use crate::record::check;

pub(crate) struct Handlers {
    pub(crate) book: Book,
}

fn by(context: &Context) -> String {
    let caller = context.caller().map(|caller| caller.name.to_string());
    caller.unwrap_or_else(|| context.peer().to_string())
}

impl Passes for Handlers {
    async fn submit(&self, context: &Context, args: SubmitArgs) -> Result<SubmitReply, Error> {
        if args.jobs.len() > BATCH_MAX {
            let message = format!("{} jobs in one submission", args.jobs.len());
            return Err(
                Error::new(Code::ResourceExhausted, reason::TOO_MANY, message)
                    .with_hint(format!("at most {BATCH_MAX}; submit them in parts")),
            );
        }
        for (index, job) in args.jobs.iter().enumerate() {
            check(job, index)?;
        }
        let results = self.book.submit(args.jobs, by(context)).await?;
        Ok(SubmitReply { results })
    }

    async fn cancel(&self, context: &Context, args: CancelArgs) -> Result<JobInfo, Error> {
        self.book.cancel(args.id, by(context)).await?;
        let job = self.book.get(args.id).ok_or_else(|| unknown(args.id))?;
        Ok(JobInfo::clone(&job))
    }

    async fn list(&self, _: &Context, args: ListArgs) -> Result<ListReply, Error> {
        let limit = match args.limit {
            0 => PAGE_MAX,
            limit => PAGE_MAX.min(limit as usize),
        };
        let ids: BTreeSet<u64> = args.ids.into_iter().collect();
        let wanted = |job: &JobInfo| {
            (ids.is_empty() || ids.contains(&job.id))
                && args.phase.is_none_or(|phase| phase == job.phase)
        };
        let jobs = self.book.list(wanted, limit);
        Ok(ListReply { jobs })
    }

    async fn watch(
        &self,
        _: &Context,
        args: WatchArgs,
        out: StreamSender<JobInfo>,
    ) -> Result<(), Error> {
        let mut waited: BTreeSet<u64> = args.ids.iter().copied().collect();
        if let Some(id) = waited.iter().find(|id| self.book.get(**id).is_none()) {
            return Err(unknown(*id));
        }
        let all = waited.is_empty();
        let mut changes = self.book.changes();
        let mut told = None;
        loop {
            changes.mark_unchanged();
            let (newer, change) = self.book.after(told);
            for job in newer.iter().filter(|job| all || waited.contains(&job.id)) {
                out.send(job).await?;
            }
            told = Some(change);
            let over = |id: &u64| self.book.get(*id).is_none_or(|job| job.phase.is_over());
            waited.retain(|id| !over(id));
            if (!all && waited.is_empty()) || changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    async fn stats(&self, _: &Context, _: Empty) -> Result<StatsReply, Error> {
        Ok(self.book.stats())
    }
}
