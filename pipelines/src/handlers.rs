//! One function per procedure.

use pipelines::{
    CheckpointsReply, EventsArgs, EventsReply, JobArgs, JobInfo, ListReply, MetricsReply,
    Pipelines, RescaleArgs, RestartArgs, RestartMode, StopArgs, StopMode, SubmitArgs, WhyReply,
    reason,
};
use rpc::{Code, Context, Empty, Error};
use streaming::{Epoch, Stop};

use crate::info;
use crate::jobs::Jobs;
use crate::mail::Input;
use crate::record::Record;

#[derive(Clone)]
pub(crate) struct Handlers {
    pub(crate) jobs: Jobs,
}

impl Handlers {
    /// To the end, also when the caller goes away: half of a wish there is not.
    async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let done = tokio::spawn(work).await;
        done.map_err(|e| Error::internal(reason::STORE_FAILED, e.to_string()))?
    }
}

impl Pipelines for Handlers {
    async fn submit(&self, _: &Context, args: SubmitArgs) -> Result<JobInfo, Error> {
        let record = Record::new(args)?;
        let jobs = self.jobs.clone();
        self.whole(async move { jobs.submit(record).await }).await
    }

    async fn stop(&self, _: &Context, args: StopArgs) -> Result<JobInfo, Error> {
        let jobs = self.jobs.clone();
        let stop = match args.mode {
            StopMode::Checkpoint => Stop::Checkpoint,
            StopMode::Graceful => Stop::Graceful,
            StopMode::Immediate => Stop::Immediate,
            StopMode::Force => Stop::Force,
        };
        self.whole(async move {
            let change = |record: &mut Record, _: &JobInfo| {
                record.wish.stop = stop;
                Ok(())
            };
            jobs.change(&args.name, change).await
        })
        .await
    }

    async fn rescale(&self, _: &Context, args: RescaleArgs) -> Result<JobInfo, Error> {
        let jobs = self.jobs.clone();
        self.whole(async move {
            let change = |record: &mut Record, _: &JobInfo| record.rescale(&args.parallelism);
            jobs.change(&args.name, change).await
        })
        .await
    }

    async fn list(&self, _: &Context, _: Empty) -> Result<ListReply, Error> {
        let jobs = self.jobs.list().await;
        Ok(ListReply { jobs })
    }

    async fn show(&self, _: &Context, args: JobArgs) -> Result<JobInfo, Error> {
        self.jobs.show(&args.name).await
    }

    async fn checkpoints(&self, _: &Context, args: JobArgs) -> Result<CheckpointsReply, Error> {
        self.jobs.show(&args.name).await?;
        let rows = self.jobs.book().rows(&args.name).await?;
        let checkpoints = rows.iter().rev().map(info::checkpoint).collect();
        Ok(CheckpointsReply { checkpoints })
    }

    async fn restart(&self, _: &Context, args: RestartArgs) -> Result<JobInfo, Error> {
        let jobs = self.jobs.clone();
        self.whole(async move {
            let change = |record: &mut Record, info: &JobInfo| {
                if info.state == "finished" {
                    let message = format!("{} came to the end of its data", record.name);
                    let error = Error::new(Code::Conflict, reason::FINISHED, message);
                    return Err(error.with_hint("submit it again under another name"));
                }
                record.wish.stop = Stop::None;
                record.wish.restart_nonce += 1;
                record.wish.restart_mode = match args.mode {
                    RestartMode::Safe => streaming::RestartMode::Safe,
                    RestartMode::Force => streaming::RestartMode::Force,
                };
                if let Some(epoch) = args.ignore_state_before_epoch {
                    record.wish.ignore_state_before_epoch = Some(Epoch(epoch));
                }
                Ok(())
            };
            jobs.change(&args.name, change).await
        })
        .await
    }

    async fn why(&self, _: &Context, args: JobArgs) -> Result<WhyReply, Error> {
        self.jobs.ask(&args.name, Input::Why).await
    }

    async fn events(&self, _: &Context, args: EventsArgs) -> Result<EventsReply, Error> {
        self.jobs.show(&args.name).await?;
        let events = self.jobs.book().log(&args.name, args.after).await?;
        Ok(EventsReply { events })
    }

    async fn delete(&self, _: &Context, args: JobArgs) -> Result<Empty, Error> {
        let jobs = self.jobs.clone();
        self.whole(async move { jobs.delete(&args.name).await })
            .await?;
        Ok(Empty {})
    }

    async fn metrics_of(&self, _: &Context, args: JobArgs) -> Result<MetricsReply, Error> {
        self.jobs.ask(&args.name, Input::Count).await
    }
}
