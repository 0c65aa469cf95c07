//! Columns: the one place that says what of Arrow is used, and the closed set of types.
//!
//! A [`Batch`] is an Arrow record batch whose last column is [`TIME`]: the event time of each row,
//! microseconds since 1970, never null. Six types are enough for SQL over JSON: whoever has fewer
//! types has fewer cases to get wrong.

use std::sync::Arc;

pub use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp as Number, ArrowPrimitiveType as Primitive, BooleanArray,
    Float64Array, Int64Array, ListArray, PrimitiveArray, RecordBatch as Batch, StringArray,
    TimestampMicrosecondArray as TimestampArray, UInt32Array, UInt64Array,
    types::{Float64Type, Int64Type, TimestampMicrosecondType as TimestampType},
};
pub use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use serde::{Deserialize, Serialize};

/// The name of the event-time column, always the last one of a batch.
pub const TIME: &str = "_time";

/// The event time after which nothing comes: the watermark at the end of data.
pub const END_OF_TIME: i64 = i64::MAX;

/// What a column holds. Every column but [`TIME`] may hold nulls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Bool,
    /// A signed number of 64 bits.
    Int,
    /// A double.
    Float,
    /// UTF-8.
    Text,
    /// Microseconds since 1970, UTC.
    Timestamp,
    /// Any JSON, as its text.
    Json,
    /// Several of the same.
    List(Box<Type>),
}

impl Type {
    /// How Arrow holds it. JSON is text that its field marks.
    pub fn arrow(&self) -> DataType {
        match self {
            Type::Bool => DataType::Boolean,
            Type::Int => DataType::Int64,
            Type::Float => DataType::Float64,
            Type::Text | Type::Json => DataType::Utf8,
            Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Type::List(item) => DataType::List(Arc::new(item.field("item"))),
        }
    }

    /// A nullable column of this type.
    pub fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.arrow(), true);
        match self {
            Type::Json => {
                let mark = std::collections::HashMap::from([("json".to_string(), "1".to_string())]);
                field.with_metadata(mark)
            }
            _ => field,
        }
    }

    /// The type of a column that this crate made.
    pub fn of(field: &Field) -> Type {
        match field.data_type() {
            DataType::Boolean => Type::Bool,
            DataType::Float64 => Type::Float,
            DataType::Utf8 if field.metadata().contains_key("json") => Type::Json,
            DataType::Utf8 => Type::Text,
            DataType::Timestamp(..) => Type::Timestamp,
            DataType::List(item) => Type::List(Box::new(Type::of(item))),
            _ => Type::Int,
        }
    }

    /// Its name in SQL and in messages.
    pub fn name(&self) -> String {
        match self {
            Type::Bool => "BOOLEAN".into(),
            Type::Int => "BIGINT".into(),
            Type::Float => "DOUBLE".into(),
            Type::Text => "TEXT".into(),
            Type::Timestamp => "TIMESTAMP".into(),
            Type::Json => "JSON".into(),
            Type::List(item) => format!("{}[]", item.name()),
        }
    }
}

/// A column's name and type, as plans write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name; may not begin with an underscore.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Type,
}

/// A schema of these fields with the event time behind them.
pub fn schema_with_time(fields: Vec<Field>) -> SchemaRef {
    let time = Field::new(TIME, Type::Timestamp.arrow(), false);
    Arc::new(Schema::new(
        fields.into_iter().chain([time]).collect::<Vec<_>>(),
    ))
}

/// The event times of a batch.
///
/// # Panics
/// If the batch was not made by this crate: its last column is no timestamp.
pub fn times(batch: &Batch) -> &[i64] {
    timestamps(batch.column(batch.num_columns() - 1))
}

/// The microseconds of a timestamp column, nulls as whatever lies under them.
///
/// # Panics
/// If it is none; plans are typed before they run.
pub fn timestamps(column: &ArrayRef) -> &[i64] {
    column
        .as_any()
        .downcast_ref::<TimestampArray>()
        .expect("a timestamp column")
        .values()
}

/// A column as the Rust type that its plan says it has.
///
/// # Panics
/// If it has another; plans are typed before they run.
pub fn typed<T: 'static>(column: &ArrayRef) -> &T {
    column
        .as_any()
        .downcast_ref::<T>()
        .expect("a column of the type its plan gave it")
}

/// A column of keys: doubles with one zero, as minus zero equals zero.
pub(crate) fn one_zero(column: &ArrayRef) -> ArrayRef {
    match column.as_any().downcast_ref::<Float64Array>() {
        Some(doubles) => Arc::new(doubles.unary::<_, Float64Type>(|value| value + 0.0)),
        None => column.clone(),
    }
}

/// The rows of `batch` at `rows`, in that order.
pub fn take(batch: &Batch, rows: &[u32]) -> Result<Batch, ArrowError> {
    arrow_select::take::take_record_batch(batch, &UInt32Array::from(rows.to_vec()))
}

/// Batches of one schema as one.
pub fn concat(schema: &SchemaRef, batches: &[Batch]) -> Result<Batch, ArrowError> {
    arrow_select::concat::concat_batches(schema, batches)
}

/// About how many bytes a batch holds in memory.
pub fn bytes(batch: &Batch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| column.get_buffer_memory_size())
        .sum()
}
