//! Where rows go: operators that give nothing out.

mod files;
pub mod memory;
mod plain;

use crate::operators::Operator;
use crate::plan::SinkTarget;

/// Who a sink is.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) job: String,
    pub(crate) generation: u64,
    pub(crate) node: String,
    pub(crate) subtask: u32,
    pub(crate) parallelism: u32,
}

/// The sink for this target.
pub(crate) fn build(target: &SinkTarget, owner: Owner) -> Box<dyn Operator> {
    match target {
        SinkTarget::Files { path } => Box::new(files::Files::new(path.clone(), owner)),
        SinkTarget::Stdout => Box::new(plain::Stdout::default()),
        SinkTarget::Memory { name } => Box::new(memory::Memory::new(name.clone())),
        SinkTarget::Blackhole => Box::new(plain::Blackhole),
    }
}
