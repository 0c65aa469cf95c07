//! What runs: stages, each a chain of nodes that need no exchange between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Connector, Node, Operator, Plan};

/// The stages of a plan and what flows between them. A *task* is one subtask of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// In the order of the plan.
    pub stages: Vec<Stage>,
    /// Ordered by target, then port.
    pub edges: Vec<Edge>,
}

/// Nodes that run in one thread, each feeding the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The id of its first node.
    pub id: String,
    /// The ids of its nodes.
    pub nodes: Vec<String>,
    /// In how many subtasks.
    pub parallelism: u32,
}

/// Rows from one stage to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The id of the stage that gives.
    pub from: String,
    /// The id of the stage that takes.
    pub to: String,
    /// Which input of the taker's first node.
    pub port: u32,
    /// Which subtask takes a row.
    pub routing: Routing,
}

/// Which subtask takes a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// The one of the same number.
    Forward,
    /// One after the other, a batch each.
    Spread,
    /// The owner of the hash of these columns.
    Hash(Vec<String>),
    /// The first.
    Single,
}

impl Plan {
    /// The stages. They depend on nothing but the plan, so every worker finds the same.
    pub fn graph(&self) -> Graph {
        let nodes: Vec<(&Node, u32)> = self
            .nodes
            .iter()
            .map(|node| (node, subtasks(node)))
            .collect();
        let mut readers: BTreeMap<&str, usize> = BTreeMap::new();
        for input in self.nodes.iter().flat_map(|node| &node.inputs) {
            *readers.entry(input).or_default() += 1;
        }
        let mut graph = Graph {
            stages: Vec::new(),
            edges: Vec::new(),
        };
        let mut home: BTreeMap<&str, usize> = BTreeMap::new();
        for (node, parallelism) in nodes {
            let chained = match &node.inputs[..] {
                [input] if readers[input.as_str()] == 1 && !keyed(&node.operator) => {
                    home.get(input.as_str()).copied()
                }
                _ => None,
            };
            let stage = match chained.filter(|at| graph.stages[*at].parallelism == parallelism) {
                Some(at) => {
                    graph.stages[at].nodes.push(node.id.clone());
                    at
                }
                None => graph.open(node, parallelism, &home),
            };
            home.insert(&node.id, stage);
        }
        graph
    }

    /// The same plan with other parallelisms, by stage.
    pub fn rescaled(&self, parallelism: &BTreeMap<String, u32>) -> Plan {
        let mut plan = self.clone();
        for stage in self.graph().stages {
            let Some(count) = parallelism.get(&stage.id) else {
                continue;
            };
            for node in plan
                .nodes
                .iter_mut()
                .filter(|node| stage.nodes.contains(&node.id))
            {
                node.parallelism = *count;
            }
        }
        plan
    }
}

impl Graph {
    fn open(&mut self, node: &Node, parallelism: u32, home: &BTreeMap<&str, usize>) -> usize {
        for (port, input) in node.inputs.iter().enumerate() {
            let from = &self.stages[home[input.as_str()]];
            let routing = match routing(&node.operator, port) {
                Some([]) => Routing::Single,
                Some(keys) => Routing::Hash(keys.to_vec()),
                None if from.parallelism == parallelism => Routing::Forward,
                None => Routing::Spread,
            };
            let (from, to) = (from.id.clone(), node.id.clone());
            self.edges.push(Edge {
                from,
                to,
                port: port as u32,
                routing,
            });
        }
        let nodes = vec![node.id.clone()];
        self.stages.push(Stage {
            id: node.id.clone(),
            nodes,
            parallelism,
        });
        self.stages.len() - 1
    }

    /// The stage of this id.
    pub fn stage(&self, id: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == id)
    }
}

/// The keys by which rows come together at this input, if they must.
fn routing(operator: &Operator, port: usize) -> Option<&[String]> {
    match operator {
        Operator::Window(window) => Some(&window.keys),
        Operator::Top(top) => Some(&top.keys),
        Operator::Join(join) => Some(if port == 0 { &join.left } else { &join.right }),
        _ => None,
    }
}

fn keyed(operator: &Operator) -> bool {
    routing(operator, 0).is_some()
}

/// No more subtasks than have something to do.
fn subtasks(node: &Node) -> u32 {
    let most = match &node.operator {
        Operator::Source(source) => match &source.connector {
            Connector::Files { paths } if paths.iter().all(|path| path.extension().is_some()) => {
                paths.len() as u32
            }
            Connector::Log { partitions, .. } => *partitions,
            Connector::Tcp { .. } => 1,
            _ => u32::MAX,
        },
        operator if routing(operator, 0).is_some_and(|keys| keys.is_empty()) => 1,
        _ => u32::MAX,
    };
    node.parallelism.min(most).max(1)
}
