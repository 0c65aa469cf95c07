//! Aggregates of many groups at once: each keeps a vector, indexed by group.

mod count;
mod extreme;
mod items;
mod sum;

use crate::columns::{ArrayRef, Field, Type};
use crate::expression::TypeError;
use crate::plan::{Aggregate, Function};

/// What an aggregate function keeps for its groups.
///
/// Its *state* is columns with a row a group, which can be merged into any other accumulator of the
/// same function: so do panes of a sliding window become a window, sessions grow together, and
/// checkpoints come back at another parallelism.
pub(crate) trait Accumulator: Send {
    /// Makes room for so many groups.
    fn resize(&mut self, groups: usize);
    /// Takes a row for each group of `groups`; `values` is the argument, as long.
    fn update(&mut self, groups: &[u32], values: Option<&ArrayRef>);
    /// Takes a row of state for each group of `groups`.
    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]);
    /// The state of these groups.
    fn state(&self, groups: &[u32]) -> Vec<ArrayRef>;
    /// The results of these groups.
    fn finish(&self, groups: &[u32]) -> ArrayRef;
    /// Makes a group as if it had never seen a row.
    fn clear(&mut self, group: u32);
    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize;
}

/// The type of an aggregate over a column of this type.
pub(crate) fn kind(aggregate: &Aggregate, argument: Option<&Type>) -> Result<Type, TypeError> {
    use Type::*;
    match (aggregate.function, argument) {
        (Function::Count, _)
        | (Function::CountDistinct, Some(Int | Float | Text | Bool | Timestamp)) => Ok(Int),
        (Function::Sum, Some(kind @ (Int | Float))) => Ok(kind.clone()),
        (Function::Avg, Some(Int | Float)) => Ok(Float),
        (Function::Min | Function::Max, Some(kind @ (Int | Float | Text | Timestamp))) => {
            Ok(kind.clone())
        }
        (Function::ArrayAgg, Some(kind @ (Int | Float | Text | Bool | Timestamp))) => {
            Ok(List(Box::new(kind.clone())))
        }
        (function, argument) => Err(TypeError::Mismatch {
            what: format!("the argument of {function:?}"),
            found: argument.map_or("missing".into(), Type::name),
        }),
    }
}

/// An empty accumulator; `argument` is the type of the column it takes.
pub(crate) fn accumulator(function: Function, argument: Option<&Type>) -> Box<dyn Accumulator> {
    let kind = argument.cloned().unwrap_or(Type::Int);
    match (function, &kind) {
        (Function::Count, _) => Box::new(count::Count::default()),
        (Function::Sum, Type::Float) => Box::new(sum::Floats::default()),
        (Function::Sum, _) => Box::new(sum::Integers::default()),
        (Function::Avg, _) => Box::new(sum::Mean::default()),
        (Function::Min | Function::Max, _) => extreme::new(function == Function::Max, kind),
        (Function::CountDistinct, _) => Box::new(items::Distinct::new(kind)),
        (Function::ArrayAgg, _) => Box::new(items::All::new(kind)),
    }
}

/// The columns of an accumulator's state, each name made from `name`.
pub(crate) fn state_fields(function: Function, argument: Option<&Type>, name: &str) -> Vec<Field> {
    let kind = argument.cloned().unwrap_or(Type::Int);
    match function {
        Function::Count => vec![Type::Int.field(name)],
        Function::Sum | Function::Min | Function::Max => vec![kind.field(name)],
        Function::Avg => {
            vec![
                Type::Float.field(&format!("{name}:sum")),
                Type::Int.field(&format!("{name}:n")),
            ]
        }
        Function::CountDistinct | Function::ArrayAgg => {
            vec![Type::List(Box::new(kind)).field(name)]
        }
    }
}
