//! Starting one instance, so that an agent that dies in between leaves nothing unknown.

use std::sync::{Arc, Mutex};

use model::Failure;
use reconciliation::{Assignment, Desired};
use supervision::{Running, Runtime};
use tokio::sync::Semaphore;

use super::artifacts::Artifacts;
use super::launch::{self, Surroundings};
use super::lock;
use super::table::Table;

/// Starts under way at a time; more would only wait for each other.
const STARTS_MAX: usize = 16;

/// What a start needs.
pub(super) struct Starter {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) artifacts: Arc<Artifacts>,
    pub(super) table: Arc<Mutex<Table>>,
    pub(super) surroundings: Surroundings,
    pub(super) turns: Semaphore,
}

impl Starter {
    pub(super) fn turns() -> Semaphore {
        Semaphore::new(STARTS_MAX)
    }

    /// Intent on disk, process, identity on disk, in this order.
    pub(super) async fn start(&self, assignment: &Assignment) -> Result<Running, Failure> {
        let instance = &assignment.instance;
        let Desired::Run(spec) = &assignment.desired else {
            return Err(retryable("it is not wanted any more".to_owned()));
        };
        let resolved = self.artifacts.resolve(&spec.artifact).await;
        let program = resolved.map_err(|e| launch::not_built(&e))?;
        let _turn = self.turns.acquire().await;
        launch::check_port(self.surroundings.address(instance.port))?;
        let id = instance.id.clone();
        let launch = self
            .surroundings
            .launch(id.clone(), spec, instance.port, program)
            .await?;
        let written = lock(&self.table).starting(&id, spec.grace_period_ms);
        written.map_err(|e| retryable(format!("the agent's journal cannot be written: {e}")))?;
        let running = match self.runtime.spawn(launch).await {
            Ok(running) => running,
            Err(e) => return Err(launch::not_spawned(&e)),
        };
        if let Err(error) = lock(&self.table).runs(&id, running.identity()) {
            // An agent that comes back finds the process by its environment.
            tracing::warn!(instance = %id, %error, "the journal cannot be written");
        }
        Ok(running)
    }
}

fn retryable(why: String) -> Failure {
    Failure::NotStarted {
        why,
        retryable: true,
    }
}
