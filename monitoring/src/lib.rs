//! What the fleet's instances count, over time; and alerts when it is not as it should be.
//!
//! # The shape
//! Every few seconds everything that discovery knows is asked for its `METRICS`, each instance in
//! its own time, so that a slow one delays nobody. What it says is kept as *series*: a name, labels
//! (`service`, `instance` and `version` among them), and points in time. The newest hour is kept as
//! it came, a day by the minute and two weeks by ten minutes, each with last, least, greatest, sum
//! and count. Series and bytes are bounded: a new series that does not fit is counted and left
//! out, and when there are too many bytes the oldest points go.
//!
//! When an instance is gone, or no longer answers, its series end: what it said last is not taken
//! for how things are now. A counter that begins while somebody looks began at zero.
//!
//! A *rule* compares what a query gives with a threshold, or asks that there is anything at all.
//! When it is broken for long enough an *alert* fires and is told to a webhook, once more when it
//! is over, in this order and at least once each. Who can push but not be asked may `report`
//! samples, and a job that should run now and then sends a `heartbeat`: its absence is what a rule
//! looks for.
//!
//! # What survives what
//! Rules and alerts, and what is still to be told, are durable before they are acknowledged or
//! acted upon. Points, reported ones too, are written to a file before they are acknowledged, and
//! that file reaches the disk once in an interval: killing this service loses none of them, a power
//! failure those of the last interval (five seconds).
//!
//! ```no_run
//! # async fn example() -> Result<(), rpc::Error> {
//! use monitoring::{Function, MonitoringClient, QueryArgs};
//!
//! let client = MonitoringClient::new(rpc::Channel::to("127.0.0.1:10800".parse().unwrap()));
//! let rate = QueryArgs::now("rpc_calls_total", Function::Rate)
//!     .equal("service", "echo")
//!     .by(&["instance"]);
//! for series in client.query(&rate).await?.series {
//!     println!("{:?} {:?}", series.labels, series.points.last());
//! }
//! # Ok(())
//! # }
//! ```

pub mod limits;
pub mod reason;
mod stats;
mod wire;

pub use stats::{CallStats, ServiceStats};
pub use wire::{
    AlertInfo, AlertState, AlertsReply, Condition, DeleteRuleArgs, Function, HealthArgs,
    HealthReply, HeartbeatArgs, InstanceHealth, Kind, Match, Matcher, NamesArgs, NamesReply, Point,
    QueryArgs, QueryReply, ReportArgs, ReportReply, Rule, Sample, SeriesReply,
};

/// The name under which discovery knows it.
pub const SYSTEM_NAME: &str = "monitoring";
/// Where it listens unless it is told otherwise.
pub const SYSTEM_ADDRESS: &str = "127.0.0.1:10800";

rpc::service! {
    /// What instances count, over time.
    trait Monitoring, client MonitoringClient, dispatch MonitoringDispatch, name SYSTEM_NAME;
    /// Adds samples that nobody has to be asked for.
    write 1001 REPORT_PROCEDURE report(ReportArgs) -> ReportReply;
    /// A job is alive: `heartbeat_ms{job=...}` is now.
    idempotent 1002 HEARTBEAT_PROCEDURE heartbeat(HeartbeatArgs) -> rpc::Empty;
    /// Series over time.
    read 1003 QUERY_PROCEDURE query(QueryArgs) -> QueryReply;
    /// Who answers, and how well in the last minute.
    read 1004 HEALTH_PROCEDURE health(HealthArgs) -> HealthReply;
    /// All rules, and what is wrong now or was until lately.
    read 1005 ALERTS_PROCEDURE alerts(rpc::Empty) -> AlertsReply;
    /// Makes or changes a rule.
    idempotent 1006 SET_RULE_PROCEDURE set_rule(Rule) -> rpc::Empty;
    /// Removes a rule, and its alerts.
    idempotent 1007 DELETE_RULE_PROCEDURE delete_rule(DeleteRuleArgs) -> rpc::Empty;
    /// Alerts as they are, and each time one changes its state.
    read_stream 1008 WATCH_ALERTS_PROCEDURE watch_alerts(rpc::Empty) -> AlertInfo;
    /// The names of series there are, and what values a label has.
    read 1009 NAMES_PROCEDURE names(NamesArgs) -> NamesReply;
}
