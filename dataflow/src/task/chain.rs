//! Operators that feed each other within a task.

use std::sync::atomic::Ordering::Relaxed;

use super::Outputs;
use crate::columns::Batch;
use crate::events::Counters;
use crate::failure::Halt;
use crate::operators::{Operator, Output, State};

/// A task's operators with their nodes' ids, and what is behind them.
pub(crate) struct Chain {
    pub(crate) operators: Vec<(String, Box<dyn Operator>)>,
    pub(crate) outputs: Outputs,
}

/// The operators behind one of the chain.
struct Rest<'a> {
    operators: &'a mut [(String, Box<dyn Operator>)],
    outputs: &'a mut Outputs,
}

impl Output for Rest<'_> {
    fn emit(&mut self, batch: Batch) -> Result<(), Halt> {
        match self.operators.split_first_mut() {
            None => self.outputs.emit(batch),
            Some(((_, first), rest)) => first.batch(
                0,
                batch,
                &mut Rest {
                    operators: rest,
                    outputs: self.outputs,
                },
            ),
        }
    }
}

impl Chain {
    pub(crate) fn rows(&mut self, port: u32, batch: Batch) -> Result<(), Halt> {
        let Chain { operators, outputs } = self;
        match operators.split_first_mut() {
            None => outputs.emit(batch),
            Some(((_, first), rest)) => first.batch(
                port,
                batch,
                &mut Rest {
                    operators: rest,
                    outputs,
                },
            ),
        }
    }

    /// Tells each operator, the first one first, so that what it gives out is before the watermark.
    pub(crate) fn watermark(&mut self, time: i64) -> Result<(), Halt> {
        let Chain { operators, outputs } = self;
        let mut operators = &mut operators[..];
        while let Some(((_, first), rest)) = operators.split_first_mut() {
            first.watermark(
                time,
                &mut Rest {
                    operators: rest,
                    outputs,
                },
            )?;
            operators = rest;
        }
        outputs.watermark(time)
    }

    pub(crate) fn snapshot(&mut self, epoch: u64, base: u64) -> Result<Vec<(String, State)>, Halt> {
        let of = |(node, operator): &mut (String, Box<dyn Operator>)| {
            Ok((node.clone(), operator.snapshot(epoch, base)?))
        };
        self.operators.iter_mut().map(of).collect()
    }

    pub(crate) fn needs_commit(&self) -> bool {
        self.operators
            .iter()
            .any(|(_, operator)| operator.needs_commit())
    }

    pub(crate) fn commit(&mut self, epoch: u64) -> Result<(), Halt> {
        self.operators
            .iter_mut()
            .try_for_each(|(_, operator)| operator.commit(epoch))
    }

    pub(crate) fn end(&mut self) -> Result<(), Halt> {
        self.operators
            .iter_mut()
            .try_for_each(|(_, operator)| operator.end())
    }

    pub(crate) fn discard(&mut self) {
        self.operators
            .iter_mut()
            .for_each(|(_, operator)| operator.discard());
    }

    pub(crate) fn measure(&self, counters: &Counters) {
        let late = self
            .operators
            .iter()
            .map(|(_, operator)| operator.late())
            .sum();
        let bytes = self
            .operators
            .iter()
            .map(|(_, operator)| operator.state_bytes() as u64)
            .sum();
        counters.late.store(late, Relaxed);
        counters.state_bytes.store(bytes, Relaxed);
    }
}
