//! From keys to numbers: each different key of a table gets the next number, its *group*, so that
//! what is kept for keys can be kept in plain vectors.

mod integers;
mod rows;

use crate::columns::{ArrayRef, ArrowError, DataType, Field};
use integers::Integers;
use rows::Rows;

/// The groups of a table.
pub(crate) enum Keys {
    /// There are no key columns: there is one group.
    None(bool),
    /// One column of integers, the fast way.
    Integers(Integers),
    /// Any columns, as bytes.
    Rows(Box<Rows>),
}

impl Keys {
    /// An empty table for keys of these columns.
    pub(crate) fn new(fields: &[Field]) -> Result<Keys, ArrowError> {
        Ok(match fields {
            [] => Keys::None(false),
            [one] if one.data_type() == &DataType::Int64 => Keys::Integers(Integers::default()),
            _ => Keys::Rows(Box::new(Rows::new(fields)?)),
        })
    }

    /// The group of each row, new ones where a key is new. `hashes` are those of [`crate::hash`].
    pub(crate) fn groups(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        groups: &mut Vec<u32>,
    ) -> Result<(), ArrowError> {
        groups.clear();
        match self {
            Keys::None(any) => {
                *any |= !hashes.is_empty();
                groups.resize(hashes.len(), 0);
            }
            Keys::Integers(keys) => keys.groups(&columns[0], hashes, groups),
            Keys::Rows(keys) => keys.groups(columns, hashes, groups)?,
        }
        Ok(())
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Keys::None(any) => usize::from(*any),
            Keys::Integers(keys) => keys.len(),
            Keys::Rows(keys) => keys.len(),
        }
    }

    /// The key columns of these groups.
    pub(crate) fn columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        match self {
            Keys::None(_) => Ok(Vec::new()),
            Keys::Integers(keys) => Ok(vec![keys.column(groups)]),
            Keys::Rows(keys) => keys.columns(groups),
        }
    }

    /// The hash of each of these groups.
    pub(crate) fn hashes(&self, groups: &[u32]) -> Vec<u64> {
        match self {
            Keys::None(_) => vec![0; groups.len()],
            Keys::Integers(keys) => keys.hashes(groups),
            Keys::Rows(keys) => keys.hashes(groups),
        }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Keys::None(_) => 0,
            Keys::Integers(keys) => keys.bytes(),
            Keys::Rows(keys) => keys.bytes(),
        }
    }
}
