//! Keys of any columns, as bytes of Arrow's row format.

use arrow_row::{RowConverter, SortField};
use hashbrown::HashTable;

use crate::columns::{ArrayRef, ArrowError, Field, one_zero};

/// See [`super::Keys`].
pub(crate) struct Rows {
    converter: RowConverter,
    /// Groups by hash.
    table: HashTable<u32>,
    hashes: Vec<u64>,
    bytes: Vec<u8>,
    /// Where each group's bytes end.
    ends: Vec<usize>,
}

impl Rows {
    pub(super) fn new(fields: &[Field]) -> Result<Rows, ArrowError> {
        let fields = fields
            .iter()
            .map(|field| SortField::new(field.data_type().clone()));
        Ok(Rows {
            converter: RowConverter::new(fields.collect())?,
            table: HashTable::new(),
            hashes: Vec::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
        })
    }

    pub(super) fn groups(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        groups: &mut Vec<u32>,
    ) -> Result<(), ArrowError> {
        let columns: Vec<ArrayRef> = columns.iter().map(one_zero).collect();
        let rows = self.converter.convert_columns(&columns)?;
        for (row, hash) in rows.iter().zip(hashes) {
            let data = row.as_ref();
            let known = self.table.find(*hash, |group| {
                self.hashes[*group as usize] == *hash && self.key(*group) == data
            });
            groups.push(match known {
                Some(group) => *group,
                None => self.insert(data, *hash),
            });
        }
        Ok(())
    }

    fn key(&self, group: u32) -> &[u8] {
        let start = group
            .checked_sub(1)
            .map_or(0, |before| self.ends[before as usize]);
        &self.bytes[start..self.ends[group as usize]]
    }

    fn insert(&mut self, data: &[u8], hash: u64) -> u32 {
        let group = self.ends.len() as u32;
        self.bytes.extend_from_slice(data);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table
            .insert_unique(hash, group, |group| hashes[*group as usize]);
        group
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let parser = self.converter.parser();
        self.converter
            .convert_rows(groups.iter().map(|group| parser.parse(self.key(*group))))
    }

    pub(super) fn hashes(&self, groups: &[u32]) -> Vec<u64> {
        groups
            .iter()
            .map(|group| self.hashes[*group as usize])
            .collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 20
    }
}
