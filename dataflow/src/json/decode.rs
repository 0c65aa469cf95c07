//! From JSON to columns.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::time;
use crate::columns::{
    ArrayRef, ArrowError, Batch, Column, SchemaRef, TimestampArray, Type, schema_with_time,
};

/// Gathers lines into a batch. A row that cannot be read leaves no trace in it.
pub struct Decoder {
    columns: Vec<Column>,
    builders: Vec<Builder>,
    row: Vec<Slot>,
    times: Vec<i64>,
    event_time: Option<usize>,
    schema: SchemaRef,
}

/// One value on its way into a column.
#[derive(Clone, Debug, PartialEq)]
enum Slot {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

enum Builder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Decoder {
    /// For rows with these columns, of which one may be the event time. Lists are read as null.
    pub fn new(columns: &[Column], event_time: Option<&str>) -> Decoder {
        Decoder {
            builders: columns
                .iter()
                .map(|column| Builder::of(&column.kind))
                .collect(),
            row: vec![Slot::Null; columns.len()],
            times: Vec::new(),
            event_time: event_time.and_then(|name| columns.iter().position(|c| c.name == name)),
            schema: schema_with_time(columns.iter().map(|c| c.kind.field(&c.name)).collect()),
            columns: columns.to_vec(),
        }
    }

    /// Takes one line. `now` is the event time when no column is.
    ///
    /// # Errors
    /// Why it cannot be read; nothing of it is kept.
    pub fn push(&mut self, line: &[u8], now: i64) -> Result<(), String> {
        self.row.fill(Slot::Null);
        let mut reader = serde_json::Deserializer::from_slice(line);
        let seed = Row {
            columns: &self.columns,
            row: &mut self.row,
        };
        seed.deserialize(&mut reader)
            .map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        let time = match self.event_time.map(|index| (index, &self.row[index])) {
            None => now,
            Some((_, Slot::Int(time))) => *time,
            Some((index, _)) => {
                return Err(format!(
                    "the event time `{}` is null",
                    self.columns[index].name
                ));
            }
        };
        self.times.push(time);
        for (builder, slot) in self.builders.iter_mut().zip(&mut self.row) {
            builder.push(slot);
        }
        Ok(())
    }

    /// How many rows are gathered.
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// The rows gathered, and starts anew.
    ///
    /// # Errors
    /// None that a row could cause.
    pub fn finish(&mut self) -> Result<Batch, ArrowError> {
        let times = TimestampArray::from(std::mem::take(&mut self.times));
        let columns = self.builders.iter_mut().zip(&self.columns);
        let mut arrays: Vec<ArrayRef> = columns
            .map(|(builder, column)| match builder.finish() {
                Some(array) => array,
                None => arrow_array::new_null_array(&column.kind.arrow(), times.len()),
            })
            .collect();
        arrays.push(Arc::new(times));
        Batch::try_new(self.schema.clone(), arrays)
    }

    /// The schema of its batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Builder {
    fn of(kind: &Type) -> Builder {
        match kind {
            Type::Bool => Builder::Bool(BooleanBuilder::new()),
            Type::Float => Builder::Float(Float64Builder::new()),
            Type::Int => Builder::Int(Int64Builder::new()),
            Type::Timestamp => Builder::Timestamp(TimestampMicrosecondBuilder::new()),
            Type::Text | Type::Json | Type::List(_) => Builder::Text(StringBuilder::new()),
        }
    }

    fn push(&mut self, slot: &mut Slot) {
        match (self, slot) {
            (Builder::Bool(to), Slot::Bool(value)) => to.append_value(*value),
            (Builder::Bool(to), _) => to.append_null(),
            (Builder::Int(to), Slot::Int(value)) => to.append_value(*value),
            (Builder::Int(to), _) => to.append_null(),
            (Builder::Float(to), Slot::Float(value)) => to.append_value(*value),
            (Builder::Float(to), _) => to.append_null(),
            (Builder::Timestamp(to), Slot::Int(value)) => to.append_value(*value),
            (Builder::Timestamp(to), _) => to.append_null(),
            (Builder::Text(to), Slot::Text(value)) => to.append_value(value),
            (Builder::Text(to), _) => to.append_null(),
        }
    }

    fn finish(&mut self) -> Option<ArrayRef> {
        Some(match self {
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Int(builder) => Arc::new(builder.finish()),
            Builder::Float(builder) => Arc::new(builder.finish()),
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Timestamp(builder) => Arc::new(builder.finish()),
        })
    }
}

struct Row<'a> {
    columns: &'a [Column],
    row: &'a mut [Slot],
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(name) = map.next_key::<std::borrow::Cow<str>>()? {
            // Writers keep an order, so the next column is nearly always the one after the last.
            let found = match self.columns.get(expected) {
                Some(column) if column.name == name => Some(expected),
                _ => self.columns.iter().position(|column| column.name == name),
            };
            match found {
                Some(index) => {
                    self.row[index] = map.next_value_seed(Cell(&self.columns[index]))?;
                    expected = index + 1;
                }
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

struct Cell<'a>(&'a Column);

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Slot, D::Error> {
        match self.0.kind {
            Type::Json => {
                let value = <serde_json::Value as serde::Deserialize>::deserialize(reader)?;
                Ok(if value.is_null() {
                    Slot::Null
                } else {
                    Slot::Text(value.to_string())
                })
            }
            Type::List(_) => reader
                .deserialize_ignored_any(IgnoredAny)
                .map(|_| Slot::Null),
            _ => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} in `{}`", self.0.kind.name(), self.0.name)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Slot, E> {
        Ok(Slot::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Slot, E> {
        match self.0.kind {
            Type::Bool => Ok(Slot::Bool(value)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Slot, E> {
        match self.0.kind {
            Type::Int | Type::Timestamp => Ok(Slot::Int(value)),
            Type::Float => Ok(Slot::Float(value as f64)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Slot, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) if self.0.kind == Type::Float => Ok(Slot::Float(value as f64)),
            Err(_) => Err(E::invalid_value(
                serde::de::Unexpected::Unsigned(value),
                &self,
            )),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Slot, E> {
        match self.0.kind {
            Type::Float => Ok(Slot::Float(value)),
            _ => Err(E::invalid_type(serde::de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Slot, E> {
        match self.0.kind {
            Type::Text => Ok(Slot::Text(value.to_string())),
            Type::Timestamp => match time::parse(value) {
                Some(time) => Ok(Slot::Int(time)),
                None => Err(E::custom(format!(
                    "`{value}` in `{}` is no time",
                    self.0.name
                ))),
            },
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(value), &self)),
        }
    }
}
