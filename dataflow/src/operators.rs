//! Operators: batches in, batches out, one thread.
//!
//! An operator knows nothing of threads, exchange or barriers. Whoever drives it gives it rows and
//! the watermark in order, and asks for its state between two rows.

mod groups;
mod join;
mod rows;
mod session;
mod stateless;
mod top;
mod window;

use crate::columns::{Batch, SchemaRef};
use crate::failure::Halt;
use crate::plan::{self, Span};

pub(crate) use rows::internal;
pub(crate) use stateless::columns;
use stateless::{Filter, Project, Union, Unnest};

/// Where an operator's rows go.
pub(crate) trait Output {
    /// Takes rows; may wait until there is room.
    fn emit(&mut self, batch: Batch) -> Result<(), Halt>;
}

impl Output for Vec<Batch> {
    fn emit(&mut self, batch: Batch) -> Result<(), Halt> {
        self.push(batch);
        Ok(())
    }
}

/// One operator of one subtask.
pub(crate) trait Operator: Send {
    /// Gets ready, after all restoring and before the first row.
    fn open(&mut self) -> Result<(), Halt> {
        Ok(())
    }

    /// Takes rows of the input `port`.
    fn batch(&mut self, port: u32, batch: Batch, out: &mut dyn Output) -> Result<(), Halt>;

    /// No row before `time` is expected any more; never goes back.
    fn watermark(&mut self, _time: i64, _out: &mut dyn Output) -> Result<(), Halt> {
        Ok(())
    }

    /// Everything that a restored operator needs to go on from here. Tables that are as they were
    /// at `base`, the last epoch that is known to be complete, come without rows.
    fn snapshot(&mut self, _epoch: u64, _base: u64) -> Result<State, Halt> {
        Ok(State::default())
    }

    /// Takes the state of one subtask of an earlier run, of its rows only those that this one owns.
    fn restore(&mut self, _state: State) -> Result<(), Halt> {
        Ok(())
    }

    /// The epoch is complete everywhere: what it wrote may be seen. May come more than once.
    fn commit(&mut self, _epoch: u64) -> Result<(), Halt> {
        Ok(())
    }

    /// Whether something waits for a commit.
    fn needs_commit(&self) -> bool {
        false
    }

    /// It stops before its data ends: what belongs to no epoch will come again.
    fn discard(&mut self) {}

    /// All data has come and the last watermark has been.
    fn end(&mut self) -> Result<(), Halt> {
        Ok(())
    }

    /// Rows that came too late, and were dropped.
    fn late(&self) -> u64 {
        0
    }

    /// About how many bytes of state it holds.
    fn state_bytes(&self) -> usize {
        0
    }
}

/// The state of an operator.
#[derive(Default)]
pub(crate) struct State {
    /// The watermark it has seen; set by whoever drives it.
    pub(crate) watermark: Option<i64>,
    /// Rows, in tables that change apart from each other.
    pub(crate) tables: Vec<Table>,
    /// What is no rows: positions, file names. Each subtask has its own.
    pub(crate) value: serde_json::Value,
    /// Whether `value` is for this subtask; the rows are in any case.
    pub(crate) own: bool,
}

/// Rows of state.
pub(crate) struct Table {
    /// Its name among the operator's tables.
    pub(crate) name: String,
    /// Its rows; none when it is as it was at an epoch that is complete.
    pub(crate) rows: Option<Batch>,
    /// The hash of each row's key.
    pub(crate) hashes: Vec<u64>,
}

/// An operator for a node that is neither source nor sink.
pub(crate) fn build(
    operator: &plan::Operator,
    inputs: &[SchemaRef],
    output: &SchemaRef,
) -> Result<Box<dyn Operator>, Halt> {
    let output = output.clone();
    Ok(match operator {
        plan::Operator::Filter { predicate } => Box::new(Filter(predicate.clone())),
        plan::Operator::Project { columns } => Box::new(Project {
            columns: columns.clone(),
            output,
        }),
        plan::Operator::Unnest { column } => Box::new(Unnest {
            column: column.clone(),
            output,
        }),
        plan::Operator::Window(window) => match window.span {
            Span::Session { gap } => {
                Box::new(session::Session::new(window, gap, &inputs[0], output)?)
            }
            _ => Box::new(window::Window::new(window, &inputs[0], output)?),
        },
        plan::Operator::Join(join) => Box::new(join::Join::new(join, inputs, output)?),
        plan::Operator::Top(top) => Box::new(top::Top::new(top, inputs[0].clone(), output)?),
        _ => Box::new(Union),
    })
}

/// The start of the step that `time` lies in.
pub(crate) fn floor(time: i64, step: i64) -> i64 {
    time.checked_sub(time.rem_euclid(step)).unwrap_or(i64::MIN)
}

/// In which epoch's checkpoint a table lies as it is now; in none when 0.
#[derive(Default)]
pub(crate) struct Stored(u64);

impl Stored {
    /// The table is not what was stored any more.
    pub(crate) fn changed(&mut self) {
        self.0 = 0;
    }

    /// Whether `epoch` must store it, because no complete epoch, the last being `base`, has it.
    /// What an epoch has stored that failed does not count: its files may be gone.
    pub(crate) fn is_due(&mut self, epoch: u64, base: u64) -> bool {
        let due = self.0 == 0 || self.0 > base;
        if due {
            self.0 = epoch;
        }
        due
    }
}
