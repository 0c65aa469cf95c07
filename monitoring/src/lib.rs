//! What the fleet's instances count, over time; and alerts when it is not as it should be.
//!
//! # The shape
//! Every few seconds everything that discovery knows is asked for its `METRICS`. What it says is
//! kept as *series*: a name, labels (`service` and `instance` among them), and points in time. The
//! newest quarter of an hour is kept as it came, six hours by the minute and a week by ten minutes,
//! each with least, greatest, sum and count. There is a bound on the number of series; what does
//! not fit is counted and left out.
//!
//! A *rule* compares what a query gives with a threshold, or asks that there is anything at all.
//! When it is broken for long enough an *alert* fires and is told to a webhook, once more when it
//! is over. Who can push but not be asked may `report` samples, and a job that should run now and
//! then sends a `heartbeat`: its absence is what a rule looks for.
//!
//! Points are written to disk as they come, and read back at the next start: killing this service
//! loses nothing but the scrapes it does not make. A power failure may lose the last five seconds.
//! Rules are durable before they are acknowledged.
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
mod wire;

pub use wire::{
    AlertInfo, AlertState, AlertsReply, Condition, DeleteRuleArgs, Function, HealthArgs,
    HealthReply, HeartbeatArgs, InstanceHealth, Match, Matcher, NamesArgs, NamesReply, Point,
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
