//! Keys with their aggregates: what panes and sessions are made of.

use std::sync::Arc;

use crate::aggregate::{Accumulator, accumulator, state_fields};
use crate::columns::{ArrayRef, Batch, Field, Schema, SchemaRef, Type};
use crate::expression::column_kind;
use crate::failure::Halt;
use crate::hash;
use crate::keys::Keys;
use crate::plan::{Function, Window};

/// What a window computes, with everything looked up.
pub(crate) struct Shape {
    keys: Vec<String>,
    key_fields: Vec<Field>,
    functions: Vec<(Function, Option<Type>)>,
    arguments: Vec<Option<usize>>,
    key_indices: Vec<usize>,
    /// How many columns of state each function has.
    widths: Vec<usize>,
    /// Key columns, then state columns.
    pub(crate) state: Vec<Field>,
}

/// The rows of a batch as a window needs them.
pub(crate) struct Rows {
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) hashes: Vec<u64>,
    pub(crate) arguments: Vec<Option<ArrayRef>>,
}

impl Shape {
    pub(crate) fn new(window: &Window, input: &Schema) -> Result<Shape, Halt> {
        let kind = |name: &String| column_kind(name, input).map_err(super::rows::internal);
        let mut key_fields = Vec::new();
        for key in &window.keys {
            key_fields.push(kind(key)?.field(key));
        }
        let (mut functions, mut arguments, mut widths) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = key_fields.clone();
        for one in &window.aggregates {
            let argument = one.argument.as_ref().map(&kind).transpose()?;
            let name = format!("{}#{}", one.name, functions.len());
            let fields = state_fields(one.function, argument.as_ref(), &name);
            widths.push(fields.len());
            state.extend(fields);
            functions.push((one.function, argument));
            arguments.push(
                one.argument
                    .as_ref()
                    .map(|name| input.index_of(name))
                    .transpose()?,
            );
        }
        let indices: Result<Vec<usize>, _> =
            window.keys.iter().map(|k| input.index_of(k)).collect();
        let keys = window.keys.clone();
        let key_indices = indices?;
        Ok(Shape {
            keys,
            key_fields,
            functions,
            arguments,
            key_indices,
            widths,
            state,
        })
    }

    /// Looks up what is needed of a batch.
    pub(crate) fn rows(&self, batch: &Batch) -> Rows {
        let keys: Vec<ArrayRef> = self
            .key_indices
            .iter()
            .map(|index| batch.column(*index).clone())
            .collect();
        let mut hashes = Vec::new();
        hash::rows(&keys, batch.num_rows(), &mut hashes);
        let argument = |index: &Option<usize>| index.map(|index| batch.column(index).clone());
        Rows {
            keys,
            hashes,
            arguments: self.arguments.iter().map(argument).collect(),
        }
    }

    pub(crate) fn groups(&self) -> Result<Groups, Halt> {
        Ok(Groups {
            keys: Keys::new(&self.key_fields)?,
            values: self.accumulators(),
        })
    }

    pub(crate) fn keys(&self) -> Result<Keys, Halt> {
        Ok(Keys::new(&self.key_fields)?)
    }

    pub(crate) fn accumulators(&self) -> Vec<Box<dyn Accumulator>> {
        self.functions
            .iter()
            .map(|(f, argument)| accumulator(*f, argument.as_ref()))
            .collect()
    }

    /// How many columns the key has.
    pub(crate) fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// The schema of state with these columns before it.
    pub(crate) fn state_schema(&self, before: Vec<Field>) -> SchemaRef {
        Arc::new(Schema::new(
            before
                .into_iter()
                .chain(self.state.clone())
                .collect::<Vec<_>>(),
        ))
    }

    /// Gives each accumulator its columns of `state`, in which keys are not.
    pub(crate) fn merge(
        &self,
        values: &mut [Box<dyn Accumulator>],
        groups: &[u32],
        mut state: &[ArrayRef],
    ) {
        for (value, width) in values.iter_mut().zip(&self.widths) {
            let (own, rest) = state.split_at(*width);
            value.merge(groups, own);
            state = rest;
        }
    }
}

/// Keys and what is known of each.
pub(crate) struct Groups {
    pub(crate) keys: Keys,
    pub(crate) values: Vec<Box<dyn Accumulator>>,
}

impl Groups {
    /// Takes rows. `scratch` is for the caller to keep, so that nothing is allocated for a batch.
    pub(crate) fn update(&mut self, rows: &Rows, scratch: &mut Vec<u32>) -> Result<(), Halt> {
        self.keys.groups(&rows.keys, &rows.hashes, scratch)?;
        for (value, argument) in self.values.iter_mut().zip(&rows.arguments) {
            value.resize(self.keys.len());
            value.update(scratch, argument.as_ref());
        }
        Ok(())
    }

    /// Takes state: key columns, then state columns.
    pub(crate) fn merge(
        &mut self,
        shape: &Shape,
        columns: &[ArrayRef],
        hashes: &[u64],
        scratch: &mut Vec<u32>,
    ) -> Result<(), Halt> {
        let (keys, state) = columns.split_at(shape.key_count());
        self.keys.groups(keys, hashes, scratch)?;
        self.values
            .iter_mut()
            .for_each(|value| value.resize(self.keys.len()));
        shape.merge(&mut self.values, scratch, state);
        Ok(())
    }

    /// All groups.
    pub(crate) fn all(&self) -> Vec<u32> {
        (0..self.keys.len() as u32).collect()
    }

    /// Key columns, then state columns.
    pub(crate) fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>, Halt> {
        let mut columns = self.keys.columns(groups)?;
        columns.extend(self.values.iter().flat_map(|value| value.state(groups)));
        Ok(columns)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.iter().map(|value| value.bytes()).sum::<usize>()
    }
}
