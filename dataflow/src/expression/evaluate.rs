//! Evaluation, a column at a time.

use std::sync::Arc;

use arrow_arith::{boolean, numeric};
use arrow_array::{Datum, new_null_array};
use arrow_ord::cmp;

use super::{Binary, Expression, Literal, kind};
use crate::columns::{
    Array, ArrayRef, ArrowError, Batch, BooleanArray, DataType, Float64Array, Int64Array,
    StringArray, TimestampArray, Type, typed,
};
use crate::json;

/// A column, or one value for all rows.
enum Value {
    Column(ArrayRef),
    Constant(ArrayRef),
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Value::Column(array) => (array, false),
            Value::Constant(array) => (array, true),
        }
    }
}

impl Value {
    fn map(
        self,
        change: impl FnOnce(&ArrayRef) -> Result<ArrayRef, ArrowError>,
    ) -> Result<Value, ArrowError> {
        match self {
            Value::Column(array) => Ok(Value::Column(change(&array)?)),
            Value::Constant(array) => Ok(Value::Constant(change(&array)?)),
        }
    }

    fn array(self, rows: usize) -> Result<ArrayRef, ArrowError> {
        match self {
            Value::Column(array) => Ok(array),
            Value::Constant(one) => {
                let zeros = crate::columns::UInt32Array::from(vec![0; rows]);
                arrow_select::take::take(&one, &zeros, None)
            }
        }
    }

    fn kind(&self) -> &DataType {
        match self {
            Value::Column(array) | Value::Constant(array) => array.data_type(),
        }
    }
}

impl Expression {
    /// Its value for each row of `batch`.
    ///
    /// # Errors
    /// The plan was not checked against this batch's schema.
    pub fn evaluate(&self, batch: &Batch) -> Result<ArrayRef, ArrowError> {
        self.value(batch)?.array(batch.num_rows())
    }

    fn value(&self, batch: &Batch) -> Result<Value, ArrowError> {
        match self {
            Expression::Column(name) => batch
                .column_by_name(name)
                .map(|column| Value::Column(column.clone()))
                .ok_or_else(|| ArrowError::SchemaError(format!("no column {name}"))),
            Expression::Literal(literal) => Ok(Value::Constant(literal.array())),
            Expression::Binary(left, operator, right) => {
                binary(left.value(batch)?, *operator, right.value(batch)?)
            }
            Expression::Not(of) => of
                .value(batch)?
                .map(|array| Ok(Arc::new(boolean::not(typed(array))?))),
            Expression::IsNull(of) => of
                .value(batch)?
                .map(|array| Ok(Arc::new(boolean::is_null(array)?))),
            Expression::Case { when, otherwise } => self.case(when, otherwise.as_deref(), batch),
            Expression::Cast(of, to) => {
                let from = of.kind(&batch.schema()).unwrap_or(Type::Text);
                of.value(batch)?.map(|array| cast(array, &from, to))
            }
            Expression::Call(call, arguments) => {
                let kind = self.kind(&batch.schema()).unwrap_or(Type::Text);
                let arguments: Result<Vec<_>, _> = arguments
                    .iter()
                    .map(|argument| argument.evaluate(batch))
                    .collect();
                call.evaluate(&arguments?, &kind).map(Value::Column)
            }
        }
    }

    /// From the last condition to the first, so that the first one that is true wins.
    fn case(
        &self,
        when: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        batch: &Batch,
    ) -> Result<Value, ArrowError> {
        let kind = self.kind(&batch.schema()).unwrap_or(Type::Text);
        let of = |value: &Expression| -> Result<ArrayRef, ArrowError> {
            let from = value.kind(&batch.schema()).unwrap_or(Type::Text);
            cast(&value.evaluate(batch)?, &from, &kind)
        };
        let mut result = match otherwise {
            Some(value) => of(value)?,
            None => new_null_array(&kind.arrow(), batch.num_rows()),
        };
        for (condition, value) in when.iter().rev() {
            let condition = condition.evaluate(batch)?;
            result = arrow_select::zip::zip(typed(&condition), &of(value)?, &result)?;
        }
        Ok(Value::Column(result))
    }
}

impl Literal {
    fn array(&self) -> ArrayRef {
        match self {
            Literal::Null(kind) => new_null_array(&kind.arrow(), 1),
            Literal::Bool(value) => Arc::new(BooleanArray::from(vec![*value])),
            Literal::Int(value) => Arc::new(Int64Array::from(vec![*value])),
            Literal::Float(value) => Arc::new(Float64Array::from(vec![*value])),
            Literal::Text(value) => Arc::new(StringArray::from(vec![value.as_str()])),
            Literal::Timestamp(value) => Arc::new(TimestampArray::from(vec![*value])),
        }
    }
}

fn binary(left: Value, operator: Binary, right: Value) -> Result<Value, ArrowError> {
    let constant = matches!((&left, &right), (Value::Constant(_), Value::Constant(_)));
    let times = matches!(left.kind(), DataType::Timestamp(..))
        || matches!(right.kind(), DataType::Timestamp(..));
    let to = if left.kind() == right.kind() {
        left.kind().clone()
    } else if times {
        Type::Timestamp.arrow()
    } else {
        DataType::Float64
    };
    let array = if matches!(operator, Binary::And | Binary::Or) {
        logic(left, operator, right)?
    } else if operator.compares() {
        compare(&like(left, &to)?, operator, &like(right, &to)?)?
    } else if times {
        let result = arithmetic(
            like(left, &DataType::Int64)?,
            operator,
            like(right, &DataType::Int64)?,
        )?;
        match operator == Binary::Subtract && to == Type::Timestamp.arrow() {
            true => result,
            false => arrow_cast::cast(&result, &to)?,
        }
    } else {
        arithmetic(like(left, &to)?, operator, like(right, &to)?)?
    };
    Ok(if constant {
        Value::Constant(array)
    } else {
        Value::Column(array)
    })
}

fn like(value: Value, to: &DataType) -> Result<Value, ArrowError> {
    match value.kind() == to {
        true => Ok(value),
        false => value.map(|array| arrow_cast::cast(array, to)),
    }
}

fn logic(left: Value, operator: Binary, right: Value) -> Result<ArrayRef, ArrowError> {
    let rows = left.get().0.len().max(right.get().0.len());
    let (left, right) = (left.array(rows)?, right.array(rows)?);
    Ok(Arc::new(match operator {
        Binary::And => boolean::and_kleene(typed(&left), typed(&right))?,
        _ => boolean::or_kleene(typed(&left), typed(&right))?,
    }))
}

fn compare(left: &Value, operator: Binary, right: &Value) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(match operator {
        Binary::Eq => cmp::eq(left, right)?,
        Binary::NotEq => cmp::neq(left, right)?,
        Binary::Less => cmp::lt(left, right)?,
        Binary::LessEq => cmp::lt_eq(left, right)?,
        Binary::Greater => cmp::gt(left, right)?,
        _ => cmp::gt_eq(left, right)?,
    }))
}

fn arithmetic(left: Value, operator: Binary, right: Value) -> Result<ArrayRef, ArrowError> {
    match operator {
        Binary::Add => numeric::add_wrapping(&left, &right),
        Binary::Subtract => numeric::sub_wrapping(&left, &right),
        Binary::Multiply => numeric::mul_wrapping(&left, &right),
        _ if left.kind() == &DataType::Int64 => divide(left, operator, right),
        Binary::Divide => numeric::div(&left, &right),
        _ => numeric::rem(&left, &right),
    }
}

/// Arrow fails on a division by zero and on the least number by -1; here the first is null and the
/// second wraps.
fn divide(left: Value, operator: Binary, right: Value) -> Result<ArrayRef, ArrowError> {
    let rows = match (&left, &right) {
        (Value::Column(array), _) | (_, Value::Column(array)) => array.len(),
        _ => 1,
    };
    let of = |a: i64, b: i64| match operator {
        Binary::Divide => a.wrapping_div(b),
        _ => a.wrapping_rem(b),
    };
    if let Value::Constant(by) = &right {
        let by: &Int64Array = typed(by);
        if by.is_valid(0) && by.value(0) != 0 {
            let by = by.value(0);
            let array = left.array(rows)?;
            let values: &Int64Array = typed(&array);
            return Ok(Arc::new(
                values.unary::<_, arrow_array::types::Int64Type>(|a| of(a, by)),
            ));
        }
    }
    let (left, right) = (left.array(rows)?, right.array(rows)?);
    let (left, right): (&Int64Array, &Int64Array) = (typed(&left), typed(&right));
    let pairs = left.iter().zip(right);
    Ok(Arc::new(
        pairs
            .map(|(a, b)| Some(of(a?, b.filter(|b| *b != 0)?)))
            .collect::<Int64Array>(),
    ))
}

/// `array` as `to`; null where that cannot be.
pub(crate) fn cast(array: &ArrayRef, from: &Type, to: &Type) -> Result<ArrayRef, ArrowError> {
    match (from, to) {
        (from, to) if from == to => Ok(array.clone()),
        (Type::Text, Type::Timestamp) => {
            let text: &StringArray = typed(array);
            let times = text.iter().map(|text| json::timestamp(text?));
            Ok(Arc::new(times.collect::<TimestampArray>()))
        }
        (Type::Json, Type::Text) | (Type::Text, Type::Json) => Ok(array.clone()),
        (_, Type::Text | Type::Json) => Ok(Arc::new(json::texts(array, from, *to == Type::Json))),
        _ => arrow_cast::cast(array, &to.arrow()),
    }
}

impl Expression {
    /// This as `to`, for a sink or a union: only what loses nothing but precision.
    pub fn coerced(self, from: &Type, to: &Type) -> Expression {
        match kind::meet(from, to) {
            Some(_) if from == to => self,
            _ => Expression::Cast(Box::new(self), to.clone()),
        }
    }
}
