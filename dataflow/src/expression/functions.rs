//! The functions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::kind::{meet, refuse};
use super::{TypeError, evaluate::cast};
use crate::columns::{
    Array, ArrayRef, ArrowError, Float64Array, Int64Array, StringArray, TimestampArray, Type, typed,
};

/// A function of a row's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// A member (by name) or item (by number) of JSON, as JSON.
    JsonGet,
    /// The same as text, without quotes.
    JsonText,
    /// The first that is not null.
    Coalesce,
    /// Upper case.
    Upper,
    /// Lower case.
    Lower,
    /// How many characters.
    Length,
    /// One behind the other; null counts as empty.
    Concat,
    /// Without sign; the least integer stays.
    Abs,
    /// A time rounded down to a multiple of so many microseconds.
    Floor,
}

impl Call {
    pub(super) fn kind(self, kinds: &[Type]) -> Result<Type, TypeError> {
        use Type::*;
        let known = match (self, kinds) {
            (Call::JsonGet, [Json | Text, Text | Int]) => Some(Json),
            (Call::JsonText, [Json | Text, Text | Int]) => Some(Text),
            (Call::Coalesce, [first, rest @ ..]) => rest
                .iter()
                .try_fold(first.clone(), |found, kind| meet(&found, kind)),
            (Call::Upper | Call::Lower, [Text]) => Some(Text),
            (Call::Length, [Text]) => Some(Int),
            (Call::Concat, [_, ..]) => Some(Text),
            (Call::Abs, [kind @ (Int | Float)]) => Some(kind.clone()),
            (Call::Floor, [Timestamp, Int]) => Some(Timestamp),
            _ => None,
        };
        known.ok_or_else(|| refuse(&format!("{self:?}").to_uppercase(), kinds))
    }

    pub(super) fn evaluate(
        self,
        arguments: &[ArrayRef],
        kind: &Type,
    ) -> Result<ArrayRef, ArrowError> {
        let first = &arguments[0];
        Ok(match self {
            Call::JsonGet | Call::JsonText => {
                Arc::new(member(first, &arguments[1], self == Call::JsonText))
            }
            Call::Coalesce => return coalesce(arguments, kind),
            Call::Upper => map_text(first, str::to_uppercase),
            Call::Lower => map_text(first, str::to_lowercase),
            Call::Length => {
                let text: &StringArray = typed(first);
                let lengths = text.iter().map(|text| Some(text?.chars().count() as i64));
                Arc::new(lengths.collect::<Int64Array>())
            }
            Call::Concat => Arc::new(concat(arguments)?),
            Call::Abs if *kind == Type::Float => Arc::new(
                typed::<Float64Array>(first).unary::<_, arrow_array::types::Float64Type>(f64::abs),
            ),
            Call::Abs => Arc::new(
                typed::<Int64Array>(first)
                    .unary::<_, arrow_array::types::Int64Type>(i64::wrapping_abs),
            ),
            Call::Floor => {
                let times: &TimestampArray = typed(first);
                let steps: &Int64Array = typed(&arguments[1]);
                let floor = |(time, step): (Option<i64>, Option<i64>)| {
                    let (time, step) = (time?, step.filter(|step| *step > 0)?);
                    Some(time - time.rem_euclid(step))
                };
                Arc::new(
                    times
                        .iter()
                        .zip(steps)
                        .map(floor)
                        .collect::<TimestampArray>(),
                )
            }
        })
    }
}

fn map_text(array: &ArrayRef, change: impl Fn(&str) -> String) -> ArrayRef {
    let text: &StringArray = typed(array);
    Arc::new(
        text.iter()
            .map(|text| text.map(&change))
            .collect::<StringArray>(),
    )
}

fn coalesce(arguments: &[ArrayRef], kind: &Type) -> Result<ArrayRef, ArrowError> {
    let like = |array: &ArrayRef| match array.data_type() == &kind.arrow() {
        true => Ok(array.clone()),
        false => cast(array, &Type::Int, kind),
    };
    let mut result = like(&arguments[arguments.len() - 1])?;
    for array in arguments.iter().rev().skip(1) {
        let array = like(array)?;
        let present = arrow_arith::boolean::is_not_null(&array)?;
        result = arrow_select::zip::zip(&present, &array, &result)?;
    }
    Ok(result)
}

fn concat(arguments: &[ArrayRef]) -> Result<StringArray, ArrowError> {
    let texts: Result<Vec<ArrayRef>, ArrowError> = arguments
        .iter()
        .map(|array| {
            let field = crate::columns::Field::new("", array.data_type().clone(), true);
            cast(array, &Type::of(&field), &Type::Text)
        })
        .collect();
    let texts = texts?;
    let row = |row: usize| {
        let parts = texts.iter().map(typed::<StringArray>);
        parts
            .filter(|part| part.is_valid(row))
            .map(|part| part.value(row))
            .collect::<String>()
    };
    Ok((0..texts[0].len()).map(|index| Some(row(index))).collect())
}

fn member(json: &ArrayRef, path: &ArrayRef, as_text: bool) -> StringArray {
    let json: &StringArray = typed(json);
    let find = |row: usize| -> Option<String> {
        let value: serde_json::Value =
            serde_json::from_str(json.is_valid(row).then(|| json.value(row))?).ok()?;
        let found = match path.as_any().downcast_ref::<Int64Array>() {
            Some(index) => value.get(usize::try_from(index.value(row)).ok()?)?,
            None => value.get(typed::<StringArray>(path).value(row))?,
        };
        match found {
            serde_json::Value::Null if as_text => None,
            serde_json::Value::String(text) if as_text => Some(text.clone()),
            other => Some(other.to_string()),
        }
    };
    (0..json.len()).map(find).collect()
}
