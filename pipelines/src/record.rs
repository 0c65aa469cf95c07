//! A job as it is wished: its plan, and what the operator wants of it.

use std::collections::BTreeMap;

use dataflow::plan::{Connector, Graph, Operator, Plan, SinkTarget, schemas};
use pipelines::limits::{
    CHECKPOINT_INTERVAL_MS_MAX, CHECKPOINT_INTERVAL_MS_MIN, NAME_BYTES_MAX, PARALLELISM_MAX,
    PLAN_BYTES_MAX,
};
use pipelines::{SubmitArgs, reason};
use rpc::Error;
use serde::{Deserialize, Serialize};
use streaming::{Edge, Exchange, OperatorId, Program, Wish};

/// A job as it is wished, and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// As submitted.
    pub(crate) plan: Plan,
    /// Parallelisms that differ from the plan's, by stage.
    pub(crate) overrides: BTreeMap<String, u32>,
    pub(crate) wish: Wish,
}

fn bad_plan(why: impl std::fmt::Display) -> Error {
    Error::invalid(reason::BAD_PLAN, format!("the plan cannot run: {why}"))
}

impl Record {
    /// Reads what is submitted.
    pub(crate) fn new(args: SubmitArgs) -> Result<Self, Error> {
        check_name(&args.name)?;
        if args.plan.len() > PLAN_BYTES_MAX {
            let bytes = args.plan.len();
            let message = format!("the plan has {bytes} bytes; {PLAN_BYTES_MAX} are possible");
            return Err(Error::invalid(reason::BAD_PLAN, message));
        }
        let plan = Plan::from_text(&args.plan).map_err(bad_plan)?;
        let mut wish = Wish::new(program(&plan));
        if let Some(interval_ms) = args.checkpoint_interval_ms {
            let possible = CHECKPOINT_INTERVAL_MS_MIN..=CHECKPOINT_INTERVAL_MS_MAX;
            if !possible.contains(&interval_ms) {
                let message = format!("a checkpoint every {interval_ms} ms is not possible");
                return Err(Error::invalid(reason::BAD_SETTING, message)
                    .with_hint("50 ms to one day are possible"));
            }
            wish.checkpoint_interval_ms = interval_ms;
        }
        wish.ttl_ms = args.ttl_ms;
        wish.env = args.env;
        wish.program.check().map_err(bad_plan)?;
        Ok(Self {
            name: args.name,
            plan,
            overrides: BTreeMap::new(),
            wish,
        })
    }

    /// The plan that runs: as submitted, with the overrides.
    pub(crate) fn running_plan(&self) -> Plan {
        self.plan.rescaled(&self.overrides)
    }

    /// Other parallelisms; `*` stands for all stages that are not named.
    pub(crate) fn rescale(&mut self, wanted: &BTreeMap<String, u32>) -> Result<(), Error> {
        let stages: Vec<String> = self.plan.graph().stages.into_iter().map(|s| s.id).collect();
        for (stage, count) in wanted {
            if !(1..=PARALLELISM_MAX).contains(count) {
                let message = format!("a parallelism of {count} is not possible");
                return Err(Error::invalid(reason::BAD_SETTING, message)
                    .with_hint(format!("1 to {PARALLELISM_MAX} are possible")));
            }
            if stage != "*" && !stages.contains(stage) {
                let near = stages.iter().max_by_key(|known| {
                    let likeness = strsim::jaro_winkler(known, stage) * 1_000.0;
                    likeness as u32
                });
                let near = near.map_or("", String::as_str);
                let message = format!("{} has no stage {stage}", self.name);
                let hint = format!("did you mean {near}? Its stages: {}", stages.join(", "));
                return Err(Error::invalid(reason::UNKNOWN_STAGE, message).with_hint(hint));
            }
        }
        for stage in stages {
            let count = wanted.get(&stage).or_else(|| wanted.get("*"));
            self.overrides.extend(count.map(|count| (stage, *count)));
        }
        let plan = self.running_plan();
        schemas(&plan).map_err(bad_plan)?;
        self.wish.program = program(&plan);
        self.wish.program.check().map_err(bad_plan)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        let message = format!("{name:?} is no name of a job");
        let hint = format!("1 to {NAME_BYTES_MAX} of a-z, 0-9 and -");
        return Err(Error::invalid(reason::BAD_NAME, message).with_hint(hint));
    }
    Ok(())
}

/// The plan's stages as the state machine sees them, in the order of its graph.
pub(crate) fn program(plan: &Plan) -> Program {
    let graph = plan.graph();
    let id = |stage: &str| {
        let at = graph.stages.iter().position(|known| known.id == stage);
        OperatorId(at.unwrap_or_default() as u32)
    };
    let edge = |edge: &dataflow::plan::Edge| Edge {
        from: id(&edge.from),
        to: id(&edge.to),
        exchange: match edge.routing {
            dataflow::plan::Routing::Forward => Exchange::Forward,
            _ => Exchange::Shuffle,
        },
    };
    let operators = (0..graph.stages.len()).map(|at| operator(plan, &graph, at));
    Program {
        operators: operators.collect(),
        edges: graph.edges.iter().map(edge).collect(),
    }
}

fn operator(plan: &Plan, graph: &Graph, at: usize) -> streaming::Operator {
    let stage = &graph.stages[at];
    let has = |what: fn(&Operator) -> bool| {
        let mut nodes = stage.nodes.iter().filter_map(|node| plan.node(node));
        nodes.any(|node| what(&node.operator))
    };
    streaming::Operator {
        id: OperatorId(at as u32),
        name: stage.id.clone(),
        parallelism: stage.parallelism,
        source: has(|operator| matches!(operator, Operator::Source(_))),
        shows: has(|operator| {
            let Operator::Sink { target } = operator else {
                return false;
            };
            matches!(target, SinkTarget::Files { .. })
        }),
    }
}

/// Whether a plan reads something that cannot be read again after a crash.
pub(crate) fn forgets(plan: &Plan) -> bool {
    let tcp = |operator: &Operator| match operator {
        Operator::Source(source) => matches!(source.connector, Connector::Tcp { .. }),
        _ => false,
    };
    plan.nodes.iter().any(|node| tcp(&node.operator))
}
