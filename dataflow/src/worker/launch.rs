//! From an execution to running threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::run::{Local, Run};
use super::{Execution, Refusal};
use crate::columns::SchemaRef;
use crate::events::{Event, Listener};
use crate::exchange::{ChannelId, Hello, Inlet, Inlets, Link};
use crate::failure::{Domain, Failure, Halt, Hint};
use crate::inbox::Inbox;
use crate::manifest::TaskId;
use crate::operators::{self, State};
use crate::plan::{self, Edge, Graph, Operator, Routing, Stage};
use crate::sinks;
use crate::sources::{Place, Source};
use crate::storage::Storage;
use crate::task::{Chain, Ending, Outputs, Restored, Route, Snapshots, Target, Task};

/// All that is known before anything runs.
pub(crate) struct Blueprint {
    pub(crate) execution: Execution,
    graph: Graph,
    schemas: BTreeMap<String, SchemaRef>,
    homes: BTreeMap<TaskId, u32>,
}

/// One input channel of a task.
struct Channel {
    id: ChannelId,
    port: u32,
    from: TaskId,
}

impl Blueprint {
    /// The channels into a task, in the order that every worker finds.
    fn channels(&self, task: &TaskId) -> Vec<Channel> {
        let mut channels = Vec::new();
        for (index, edge) in self.graph.edges.iter().enumerate() {
            if edge.to != task.stage {
                continue;
            }
            for from in 0..self.parallelism(&edge.from) {
                if self.targets(edge, from).contains(&task.subtask) {
                    let id = ChannelId {
                        edge: index as u32,
                        from,
                        to: task.subtask,
                    };
                    let from = TaskId {
                        stage: edge.from.clone(),
                        subtask: from,
                    };
                    channels.push(Channel {
                        id,
                        port: edge.port,
                        from,
                    });
                }
            }
        }
        channels
    }

    fn parallelism(&self, stage: &str) -> u32 {
        self.graph.stage(stage).map_or(0, |stage| stage.parallelism)
    }

    /// The subtasks that a subtask sends to over an edge.
    fn targets(&self, edge: &Edge, from: u32) -> Vec<u32> {
        match edge.routing {
            Routing::Forward => vec![from],
            Routing::Single => vec![0],
            Routing::Spread | Routing::Hash(_) => (0..self.parallelism(&edge.to)).collect(),
        }
    }

    fn home(&self, task: &TaskId) -> u32 {
        self.homes
            .get(task)
            .copied()
            .unwrap_or(self.execution.worker)
    }

    fn is_local(&self, task: &TaskId) -> bool {
        self.home(task) == self.execution.worker
    }

    fn stage(&self, task: &TaskId) -> &Stage {
        self.graph.stage(&task.stage).expect("tasks are of stages")
    }

    fn schema(&self, node: &str) -> SchemaRef {
        self.schemas[node].clone()
    }

    /// The rows that leave a stage.
    fn output(&self, stage: &str) -> SchemaRef {
        let last = self.graph.stage(stage).and_then(|stage| stage.nodes.last());
        self.schema(last.map_or(stage, String::as_str))
    }
}

/// Checks an execution and makes room for its rows.
pub(super) fn prepare(execution: Execution, listener: Listener) -> Result<Arc<Run>, Refusal> {
    let schemas = plan::schemas(&execution.plan)?;
    let graph = execution.plan.graph();
    let homes: BTreeMap<TaskId, u32> = execution
        .assignments
        .iter()
        .map(|one| (one.task.clone(), one.worker))
        .collect();
    let tasks = graph.stages.iter().flat_map(|stage| {
        (0..stage.parallelism).map(|subtask| TaskId {
            stage: stage.id.clone(),
            subtask,
        })
    });
    let tasks: Vec<TaskId> = tasks.collect();
    for task in &tasks {
        let worker = homes
            .get(task)
            .ok_or_else(|| Refusal::Assignments(format!("{task} is assigned to no worker")))?;
        if !execution.workers.contains_key(worker) {
            return Err(Refusal::Assignments(format!(
                "{task} is on the unknown worker {worker}"
            )));
        }
    }
    if homes.len() != tasks.len() {
        return Err(Refusal::Assignments(
            "there are tasks that the plan has not".into(),
        ));
    }
    let blueprint = Blueprint {
        execution,
        graph,
        schemas,
        homes,
    };
    let (mut locals, mut inlets) = (BTreeMap::new(), Inlets::new());
    for task in tasks.into_iter().filter(|task| blueprint.is_local(task)) {
        let channels = blueprint.channels(&task);
        let inbox = Arc::new(Inbox::new(channels.len()));
        for (channel, of) in channels.into_iter().enumerate() {
            if !blueprint.is_local(&of.from) {
                let (inbox, schema) = (inbox.clone(), blueprint.output(&of.from.stage));
                let from_worker = blueprint.home(&of.from);
                inlets.insert(
                    of.id,
                    Inlet {
                        inbox,
                        channel,
                        schema,
                        from_worker,
                    },
                );
            }
        }
        let first = blueprint.execution.plan.node(&task.stage);
        let is_source = first.is_some_and(|node| matches!(node.operator, Operator::Source(_)));
        locals.insert(
            task,
            Local {
                inbox,
                counters: Arc::default(),
                is_source,
            },
        );
    }
    Ok(Arc::new(Run::new(blueprint, listener, locals, inlets)))
}

/// Dials the other workers and starts the tasks, each in its thread.
pub(super) fn launch(run: Arc<Run>) {
    let start = move || {
        let links = match dial(&run) {
            Ok(links) => links,
            Err(_) if !run.pause(Duration::ZERO) => return end(&run),
            Err(failure) => return give_up(&run, &failure),
        };
        for id in run.tasks.keys() {
            let (owner, task, links) = (run.clone(), id.clone(), links.clone());
            let spawned = thread::Builder::new()
                .name(task.to_string())
                .spawn(move || attend(&owner, &task, &links));
            if let Err(error) = spawned {
                let failure = Failure::io("failed to start a thread", &error);
                run.say(Event::Failed {
                    task: id.clone(),
                    failure,
                });
                leave(&run);
            }
        }
    };
    thread::spawn(start);
}

/// It was stopped before a task had begun.
fn end(run: &Run) {
    for task in run.tasks.keys() {
        run.say(Event::Finished { task: task.clone() });
    }
    run.alive.store(0, Ordering::Release);
}

fn give_up(run: &Run, failure: &Failure) {
    for task in run.tasks.keys() {
        run.say(Event::Failed {
            task: task.clone(),
            failure: failure.clone(),
        });
    }
    run.alive.store(0, Ordering::Release);
}

/// Connections to every worker that a task here sends to.
fn dial(run: &Run) -> Result<BTreeMap<u32, Arc<Link>>, Failure> {
    let blueprint = &run.blueprint;
    let execution = &blueprint.execution;
    let hello = Hello {
        job: run.job.clone(),
        generation: run.generation,
        token: run.token.clone(),
        worker: execution.worker,
    };
    let mut links = BTreeMap::new();
    for edge in &blueprint.graph.edges {
        for task in run.tasks.keys().filter(|task| task.stage == edge.from) {
            for subtask in blueprint.targets(edge, task.subtask) {
                let home = blueprint.home(&TaskId {
                    stage: edge.to.clone(),
                    subtask,
                });
                if home == execution.worker || links.contains_key(&home) {
                    continue;
                }
                let link = Link::dial(
                    execution.workers[&home],
                    &hello,
                    &|stream| run.accepted(stream),
                    &|wait| run.pause(wait),
                )
                .map_err(|error| Failure::io(format!("failed to reach worker {home}"), &error))?;
                run.dialled(&link);
                links.insert(home, link);
            }
        }
    }
    Ok(links)
}

/// The life of a task's thread.
fn attend(run: &Arc<Run>, id: &TaskId, links: &BTreeMap<u32, Arc<Link>>) {
    let work = || -> Result<(), Halt> {
        let mut task = build(run, id, links)?;
        run.say(Event::Started { task: id.clone() });
        if !run.gate() {
            return Err(Halt::Stopped);
        }
        if let Ending::Data = task.run()? {
            task.snapshots.hand_over(run);
        }
        Ok(())
    };
    let work = std::panic::AssertUnwindSafe(work);
    let ended = std::panic::catch_unwind(work).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        let message = format!("a task panicked: {}", said.unwrap_or_default());
        Err(Failure::new(Domain::Internal, Hint::WithBackoff, message).into())
    });
    match ended {
        Ok(()) => run.say(Event::Finished { task: id.clone() }),
        Err(Halt::Stopped) => {
            run.tasks[id].inbox.close();
            run.wait_for_stop();
            run.say(Event::Finished { task: id.clone() });
        }
        Err(Halt::Failed(failure)) => {
            run.tasks[id].inbox.close();
            run.say(Event::Failed {
                task: id.clone(),
                failure,
            });
        }
    }
    leave(run);
}

fn leave(run: &Run) {
    if run.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
        run.over();
    }
}

fn build(run: &Run, id: &TaskId, links: &BTreeMap<u32, Arc<Link>>) -> Result<Task, Halt> {
    let blueprint = &run.blueprint;
    let execution = &blueprint.execution;
    let stage = blueprint.stage(id);
    let local = &run.tasks[id];
    let storage = Storage::new(&execution.checkpoints);
    let restored = execution.restore.as_ref().map(|manifest| Restored {
        storage: &storage,
        manifest,
        subtask: id.subtask,
        parallelism: stage.parallelism,
    });
    let (mut chain, mut source, mut watermark) = (Vec::new(), None, None);
    for node in &stage.nodes {
        let states = restored
            .as_ref()
            .map_or(Ok(Vec::new()), |from| from.states(node))?;
        watermark = states
            .iter()
            .map(|state| state.watermark)
            .max()
            .flatten()
            .max(watermark);
        match &execution
            .plan
            .node(node)
            .expect("stages are of nodes")
            .operator
        {
            Operator::Source(of) => {
                let stored: Vec<&serde_json::Value> =
                    states.iter().map(|state| &state.value).collect();
                let place = Place {
                    node: node.clone(),
                    subtask: id.subtask,
                    parallelism: stage.parallelism,
                    bad: local.counters.bad.clone(),
                };
                source = Some((node.clone(), Source::open(of, &place, &stored)?));
            }
            _ => chain.push((node.clone(), operator(blueprint, id, node, states)?)),
        }
    }
    let outputs = outputs(run, id, links);
    let snapshots = Snapshots::new(
        id.clone(),
        storage.clone(),
        run.generation,
        run.listener.clone(),
    );
    Ok(Task {
        chain: Chain {
            operators: chain,
            outputs,
        },
        inbox: local.inbox.clone(),
        source,
        ports: blueprint
            .channels(id)
            .iter()
            .map(|channel| channel.port)
            .collect(),
        snapshots,
        counters: local.counters.clone(),
        watermark: watermark.filter(|time| *time != crate::columns::END_OF_TIME),
    })
}

fn operator(
    blueprint: &Blueprint,
    id: &TaskId,
    node: &str,
    states: Vec<State>,
) -> Result<Box<dyn operators::Operator>, Halt> {
    let execution = &blueprint.execution;
    let of = execution.plan.node(node).expect("stages are of nodes");
    let mut operator = match &of.operator {
        Operator::Sink { target } => {
            let owner = sinks::Owner {
                job: execution.job.clone(),
                generation: execution.generation,
                node: node.into(),
                subtask: id.subtask,
                parallelism: blueprint.stage(id).parallelism,
            };
            sinks::build(target, owner)
        }
        other => {
            let inputs: Vec<SchemaRef> = of.inputs.iter().map(|id| blueprint.schema(id)).collect();
            operators::build(other, &inputs, &blueprint.schema(node))?
        }
    };
    for state in states {
        operator.restore(state)?;
    }
    operator.open()?;
    Ok(operator)
}

fn outputs(run: &Run, id: &TaskId, links: &BTreeMap<u32, Arc<Link>>) -> Outputs {
    let blueprint = &run.blueprint;
    let mut routes = Vec::new();
    for (index, edge) in blueprint.graph.edges.iter().enumerate() {
        if edge.from != id.stage {
            continue;
        }
        let target = |subtask: u32| {
            let to = TaskId {
                stage: edge.to.clone(),
                subtask,
            };
            let own = ChannelId {
                edge: index as u32,
                from: id.subtask,
                to: subtask,
            };
            match run.tasks.get(&to) {
                Some(local) => {
                    let channels = blueprint.channels(&to);
                    let channel = channels.iter().position(|channel| channel.id == own);
                    Target::Local(
                        local.inbox.clone(),
                        channel.expect("a channel has two ends"),
                    )
                }
                None => Target::Remote(links[&blueprint.home(&to)].sender(own)),
            }
        };
        let targets = blueprint
            .targets(edge, id.subtask)
            .into_iter()
            .map(target)
            .collect();
        let next = id.subtask as usize;
        routes.push(Route {
            routing: edge.routing.clone(),
            targets,
            next,
        });
    }
    let counters = run.tasks[id].counters.clone();
    Outputs {
        routes,
        counters,
        scratch: Default::default(),
    }
}
