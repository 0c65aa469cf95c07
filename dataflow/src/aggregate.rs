//! Aggregates of many groups at once: each keeps a vector, indexed by group.

mod count;
mod extreme;
mod items;
mod sum;

use crate::columns::{ArrayRef, Field, Float64Type, Int64Type, Type};
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
        (Function::Sum, Type::Float) => Box::new(sum::Sum::<Float64Type>::default()),
        (Function::Sum, _) => Box::new(sum::Sum::<Int64Type>::default()),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::columns::{Array, Float64Array, Int64Array, TimestampArray};

    /// What becomes of these values in groups 0, 1, 0, 1; group 2 gets none.
    fn done(function: Function, kind: &Type, values: ArrayRef) -> ArrayRef {
        let mut accumulator = accumulator(function, Some(kind));
        accumulator.resize(3);
        accumulator.update(&[0, 1, 0, 1], Some(&values));
        let mut merged = super::accumulator(function, Some(kind));
        merged.resize(3);
        merged.merge(&[0, 1, 2], &accumulator.state(&[0, 1, 2]));
        merged.finish(&[0, 1, 2])
    }

    #[test]
    fn sums_and_extremes_leave_out_nulls_and_are_null_without_values() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(-1), Some(7)]));
        let real: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None, Some(2.0), None]));
        let times: ArrayRef = Arc::new(TimestampArray::from(vec![5, 6, 4, 9]));
        for (function, expected) in [
            (Function::Sum, [Some(2), Some(7), None]),
            (Function::Min, [Some(-1), Some(7), None]),
            (Function::Max, [Some(3), Some(7), None]),
        ] {
            let found = done(function, &Type::Int, Arc::clone(&whole));
            let expected: ArrayRef = Arc::new(Int64Array::from(expected.to_vec()));
            assert_eq!(&found, &expected, "{function:?}");
        }
        for (function, expected) in [
            (Function::Sum, [Some(2.5), None, None]),
            (Function::Min, [Some(0.5), None, None]),
            (Function::Max, [Some(2.0), None, None]),
        ] {
            let found = done(function, &Type::Float, Arc::clone(&real));
            let expected: ArrayRef = Arc::new(Float64Array::from(expected.to_vec()));
            assert_eq!(&found, &expected, "{function:?}");
        }
        let latest = done(Function::Max, &Type::Timestamp, times);
        let expected: ArrayRef = Arc::new(TimestampArray::from(vec![Some(5), Some(9), None]));
        assert_eq!(latest.data_type(), &Type::Timestamp.arrow());
        assert_eq!(&latest, &expected);
    }
}
