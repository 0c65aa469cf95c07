//! One function for each procedure: decode, decide, commit, reply.

mod agents;
pub(crate) mod errors;
mod explain;
mod feeds;
mod heard;
mod instances;
mod leads;
mod logs;
mod nodes;
mod placement;
mod plans;
pub(crate) mod render;
mod rollouts;
mod services;

use std::path::PathBuf;
use std::sync::Arc;

use rpc::{Context, Empty, Error, StreamSender};
use scheduling::agent::{Artifacts, Processes, Signer};
use scheduling::{
    ApplyArgs, ApplyReply, AssignmentsArgs, AssignmentsItem, DeleteServiceArgs, DeleteServiceReply,
    DescribeNodeArgs, DescribeNodeReply, EventItem, EventsArgs, ExplainArgs, ExplainReply,
    GetServiceArgs, GetServiceReply, InstanceTokensArgs, InstanceTokensReply, LeadArgs, LeadItem,
    ListInstancesArgs, ListInstancesReply, ListServicesReply, LogLine, LogsArgs, NodesReply,
    PlaceArgs, PlaceReply, PlacementsArgs, PlacementsItem, PlanArgs, PlanReply, RemoveNodeArgs,
    RemoveNodeReply, RenewArgs, RenewReply, ReportArgs, ReportReply, RestartArgs, RestartReply,
    RollArgs, RollReply, RolloutArgs, RolloutReply, ScaleServiceArgs, ScaleServiceReply,
    ScheduleServiceArgs, ScheduleServiceReply, Scheduling, SetDutyArgs, SetDutyReply,
    StopInstanceArgs, StopInstanceReply, UsageArgs, UsageReply, WatchArgs, WatchItem,
};
use supervision::Runtime;

pub(crate) use self::heard::Heard;
pub(crate) use self::leads::Leads;
use crate::brain::Handle;

/// What the procedures work with.
pub(crate) struct Handlers {
    pub(crate) brain: Handle,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) processes: Processes,
    pub(crate) log_dir: PathBuf,
    pub(crate) local: model::NodeId,
    /// What signs for instances of other machines; absent in a fleet without tokens.
    pub(crate) signer: Option<Arc<Signer>>,
    /// When the agents of other machines were heard of.
    pub(crate) heard: Heard,
    /// Which replica of the placer decides.
    pub(crate) leads: Leads,
    /// What this machine can limit, in a sentence.
    pub(crate) limits: String,
}

impl Scheduling for Handlers {
    async fn schedule_service(
        &self,
        context: &Context,
        args: ScheduleServiceArgs,
    ) -> Result<ScheduleServiceReply, Error> {
        services::schedule(self, context, args).await
    }

    async fn list_instances(
        &self,
        _: &Context,
        args: ListInstancesArgs,
    ) -> Result<ListInstancesReply, Error> {
        instances::list(self, args).await
    }

    async fn scale_service(
        &self,
        _: &Context,
        args: ScaleServiceArgs,
    ) -> Result<ScaleServiceReply, Error> {
        services::scale(self, args).await
    }

    async fn stop_instance(
        &self,
        _: &Context,
        args: StopInstanceArgs,
    ) -> Result<StopInstanceReply, Error> {
        instances::stop(self, args).await
    }

    async fn get_service(
        &self,
        _: &Context,
        args: GetServiceArgs,
    ) -> Result<GetServiceReply, Error> {
        services::get(self, args).await
    }

    async fn apply(&self, context: &Context, args: ApplyArgs) -> Result<ApplyReply, Error> {
        services::apply(self, context, args).await
    }

    async fn plan(&self, _: &Context, args: PlanArgs) -> Result<PlanReply, Error> {
        plans::plan(self, args).await
    }

    async fn watch(
        &self,
        _: &Context,
        args: WatchArgs,
        out: StreamSender<WatchItem>,
    ) -> Result<(), Error> {
        feeds::watch(self, args, out).await
    }

    async fn events(
        &self,
        _: &Context,
        args: EventsArgs,
        out: StreamSender<EventItem>,
    ) -> Result<(), Error> {
        feeds::events(self, args, out).await
    }

    async fn logs(
        &self,
        _: &Context,
        args: LogsArgs,
        out: StreamSender<LogLine>,
    ) -> Result<(), Error> {
        logs::logs(self, args, out).await
    }

    async fn restart(&self, context: &Context, args: RestartArgs) -> Result<RestartReply, Error> {
        instances::restart(self, context, args).await
    }

    async fn delete_service(
        &self,
        _: &Context,
        args: DeleteServiceArgs,
    ) -> Result<DeleteServiceReply, Error> {
        services::delete(self, args).await
    }

    async fn list_services(&self, _: &Context, _: Empty) -> Result<ListServicesReply, Error> {
        services::list(self).await
    }

    async fn nodes(&self, _: &Context, _: Empty) -> Result<NodesReply, Error> {
        nodes::nodes(self).await
    }

    async fn explain(&self, _: &Context, args: ExplainArgs) -> Result<ExplainReply, Error> {
        explain::explain(self, args).await
    }

    async fn assignments(
        &self,
        _: &Context,
        args: AssignmentsArgs,
        out: StreamSender<AssignmentsItem>,
    ) -> Result<(), Error> {
        agents::assignments(self, args, out).await
    }

    async fn report(&self, _: &Context, args: ReportArgs) -> Result<ReportReply, Error> {
        agents::report(self, args).await
    }

    async fn roll(&self, context: &Context, args: RollArgs) -> Result<RollReply, Error> {
        rollouts::roll(self, context, args).await
    }

    async fn rollout(&self, _: &Context, args: RolloutArgs) -> Result<RolloutReply, Error> {
        rollouts::rollout(self, args).await
    }

    async fn describe_node(
        &self,
        _: &Context,
        args: DescribeNodeArgs,
    ) -> Result<DescribeNodeReply, Error> {
        nodes::describe(self, args).await
    }

    async fn set_duty(&self, _: &Context, args: SetDutyArgs) -> Result<SetDutyReply, Error> {
        nodes::set_duty(self, args).await
    }

    async fn remove_node(
        &self,
        _: &Context,
        args: RemoveNodeArgs,
    ) -> Result<RemoveNodeReply, Error> {
        nodes::remove(self, args).await
    }

    async fn instance_tokens(
        &self,
        context: &Context,
        args: InstanceTokensArgs,
    ) -> Result<InstanceTokensReply, Error> {
        agents::instance_tokens(self, context, args).await
    }

    async fn place(&self, _: &Context, args: PlaceArgs) -> Result<PlaceReply, Error> {
        placement::place(self, args).await
    }

    async fn placements(
        &self,
        _: &Context,
        args: PlacementsArgs,
        out: StreamSender<PlacementsItem>,
    ) -> Result<(), Error> {
        placement::placements(self, args, out).await
    }

    async fn lead(
        &self,
        _: &Context,
        args: LeadArgs,
        out: StreamSender<LeadItem>,
    ) -> Result<(), Error> {
        leads::lead(self, args, out).await
    }

    async fn renew(&self, _: &Context, args: RenewArgs) -> Result<RenewReply, Error> {
        leads::renew(self, &args)
    }

    async fn usage(&self, _: &Context, args: UsageArgs) -> Result<UsageReply, Error> {
        instances::usage(self, args).await
    }
}
