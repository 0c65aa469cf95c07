//! The verbs, one file each, all alike: the arguments, what is asked, how the answer is shown.

mod apply;
mod audit;
mod call;
mod completions;
mod config;
mod delete;
mod describe;
mod events;
mod explain;
mod init;
mod logs;
mod man;
mod node;
mod nodes;
mod passes;
mod pipelines;
mod plan;
mod ps;
mod release;
mod restart;
mod role;
mod scale;
mod secrets;
mod spec;
mod state;
mod status;
mod stop;
mod token;
mod top;
mod ui;
mod wait;

use clap::Subcommand;
use client::scheduling::{InstanceState, ServiceInfo};

use crate::failure::Failure;
use crate::output::{Cell, Tone};
use crate::session::Session;

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Status(status::Status),
    Ps(ps::Ps),
    Scale(scale::Scale),
    Stop(stop::Stop),
    Restart(restart::Restart),
    Init(init::Init),
    Apply(apply::Apply),
    Plan(plan::Plan),
    Delete(delete::Delete),
    Spec(spec::Spec),
    Logs(logs::Logs),
    Events(events::Events),
    Explain(explain::Explain),
    Wait(wait::Wait),
    Top(top::Top),
    Ui(ui::Ui),
    Nodes(nodes::Nodes),
    Node(node::Node),
    Release(release::Release),
    Config(config::Config),
    Passes(passes::Passes),
    #[command(alias = "pipeline")]
    Pipelines(Box<pipelines::Pipelines>),
    Token(token::Token),
    Role(role::Role),
    #[command(alias = "secret")]
    Secrets(secrets::Secrets),
    Audit(audit::Audit),
    State(state::State),
    Call(call::Call),
    Describe(describe::Describe),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Verb {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Status(verb) => verb.run(session).await,
            Self::Ps(verb) => verb.run(session).await,
            Self::Scale(verb) => verb.run(session).await,
            Self::Stop(verb) => verb.run(session).await,
            Self::Restart(verb) => verb.run(session).await,
            Self::Init(verb) => verb.run(session),
            Self::Apply(verb) => verb.run(session).await,
            Self::Plan(verb) => verb.run(session).await,
            Self::Delete(verb) => verb.run(session).await,
            Self::Spec(verb) => verb.run(session).await,
            Self::Logs(verb) => verb.run(session).await,
            Self::Events(verb) => verb.run(session).await,
            Self::Explain(verb) => verb.run(session).await,
            Self::Wait(verb) => verb.run(session).await,
            Self::Top(verb) => verb.run(session).await,
            Self::Ui(verb) => verb.run(session).await,
            Self::Nodes(verb) => verb.run(session).await,
            Self::Node(verb) => verb.run(session).await,
            Self::Release(verb) => verb.run(session).await,
            Self::Config(verb) => verb.run(session).await,
            Self::Passes(verb) => verb.run(session).await,
            Self::Pipelines(verb) => verb.run(session).await,
            Self::Token(verb) => verb.run(session).await,
            Self::Role(verb) => verb.run(session).await,
            Self::Secrets(verb) => verb.run(session).await,
            Self::Audit(verb) => verb.run(session).await,
            Self::State(verb) => verb.run(session),
            Self::Call(verb) => verb.run(session).await,
            Self::Describe(verb) => verb.run(session).await,
            Self::Completions(verb) => verb.run(session),
            Self::Man(verb) => verb.run(session),
        }
    }
}

/// The state of an instance as a cell.
fn state_cell(state: InstanceState) -> Cell {
    use InstanceState as S;
    let tone = match state {
        S::Healthy => Tone::Good,
        S::Pending | S::Scheduled | S::Starting | S::Stopping => Tone::Watch,
        S::Unhealthy | S::Failed | S::Lost => Tone::Bad,
        S::Stopped => Tone::Dim,
    };
    Cell::new(state.as_str()).tone(tone)
}

/// How many replicas are healthy, of how many, as a cell.
fn healthy_cell(service: &ServiceInfo) -> Cell {
    let tone = match (service.healthy, service.replicas) {
        (healthy, wished) if healthy == wished => Tone::Good,
        (0, _) => Tone::Bad,
        _ => Tone::Watch,
    };
    Cell::number(format!("{}/{}", service.healthy, service.replicas)).tone(tone)
}

/// `1 instance`, `3 instances`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
