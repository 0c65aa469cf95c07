//! From columns to JSON.

use std::io::Write as _;

use super::time;
use crate::columns::{
    Array, ArrayRef, Batch, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, TIME,
    TimestampArray, Type, typed,
};

/// Appends each row as an object and a line feed; event time is left out, nulls are `null`.
pub fn write_lines(batch: &Batch, out: &mut Vec<u8>) {
    let schema = batch.schema();
    let columns: Vec<(Vec<u8>, Column)> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| field.name() != TIME)
        .map(|(field, array)| {
            let mut name = Vec::new();
            quote(field.name(), &mut name);
            name.push(b':');
            (name, Column::of(array, &Type::of(field)))
        })
        .collect();
    for row in 0..batch.num_rows() {
        out.push(b'{');
        for (index, (name, column)) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
            column.write(row, out);
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Each value as text; with `quoted`, as JSON.
pub(crate) fn texts(array: &ArrayRef, from: &Type, quoted: bool) -> StringArray {
    let column = Column::of(array, from);
    let mut out = Vec::new();
    let text = |row: usize| {
        if column.is_null(row) {
            return None;
        }
        out.clear();
        column.write(row, &mut out);
        let bare = !quoted && matches!(from, Type::Timestamp);
        let text = if bare {
            &out[1..out.len() - 1]
        } else {
            &out[..]
        };
        Some(String::from_utf8_lossy(text).into_owned())
    };
    (0..array.len()).map(text).collect()
}

/// A column with its type known, so that no row asks again.
enum Column<'a> {
    Bool(&'a BooleanArray),
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Json(&'a StringArray),
    Timestamp(&'a TimestampArray),
    List(&'a ListArray, Type),
}

impl<'a> Column<'a> {
    fn of(array: &'a ArrayRef, kind: &Type) -> Column<'a> {
        match kind {
            Type::Bool => Column::Bool(typed(array)),
            Type::Int => Column::Int(typed(array)),
            Type::Float => Column::Float(typed(array)),
            Type::Text => Column::Text(typed(array)),
            Type::Json => Column::Json(typed(array)),
            Type::Timestamp => Column::Timestamp(typed(array)),
            Type::List(item) => Column::List(typed(array), (**item).clone()),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Bool(array) => array.is_null(row),
            Column::Int(array) => array.is_null(row),
            Column::Float(array) => array.is_null(row),
            Column::Text(array) | Column::Json(array) => array.is_null(row),
            Column::Timestamp(array) => array.is_null(row),
            Column::List(array, _) => array.is_null(row),
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match self {
            Column::Bool(array) => {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
            }
            Column::Int(array) => _ = write!(out, "{}", array.value(row)),
            Column::Float(array) if !array.value(row).is_finite() => out.extend(b"null"),
            Column::Float(array) => _ = serde_json::to_writer(out, &array.value(row)),
            Column::Text(array) => quote(array.value(row), out),
            Column::Json(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Column::Timestamp(array) => {
                out.push(b'"');
                time::write(array.value(row), out);
                out.push(b'"');
            }
            Column::List(array, item) => {
                let items = array.value(row);
                let column = Column::of(&items, item);
                out.push(b'[');
                for index in 0..items.len() {
                    if index > 0 {
                        out.push(b',');
                    }
                    column.write(index, out);
                }
                out.push(b']');
            }
        }
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    let plain = text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        return out.push(b'"');
    }
    _ = serde_json::to_writer(out, text);
}
