//! Hashes of keys.
//!
//! They say which subtask owns a key and are written into checkpoints, so they are our own and must
//! never change: a multiplication of 64 by 64 bits, folded (the idea of wyhash).

use crate::columns::{
    Array, ArrayRef, BooleanArray, DataType, Float64Array, Int64Array, StringArray, TimestampArray,
    typed,
};

const FIRST: u64 = 0x9E37_79B9_7F4A_7C15;
const SECOND: u64 = 0xD1B5_4A32_D192_ED03;
const NULL: u64 = 0x6A09_E667_F3BC_C909;

#[inline(always)]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The hash of a number.
#[inline(always)]
pub fn number(value: u64) -> u64 {
    fold(value ^ FIRST, SECOND)
}

/// The hash of bytes.
pub fn bytes(value: &[u8]) -> u64 {
    let mut state = value.len() as u64 ^ FIRST;
    let mut chunks = value.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        state = fold(state ^ word, SECOND);
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(state ^ u64::from_le_bytes(last), FIRST)
}

/// The hash of each row over `columns`; of no column it is the same for all rows.
pub fn rows(columns: &[ArrayRef], count: usize, hashes: &mut Vec<u64>) {
    hashes.clear();
    if columns.is_empty() {
        hashes.resize(count, 0);
    }
    for (index, column) in columns.iter().enumerate() {
        one_column(column, index == 0, hashes);
    }
}

fn one_column(column: &ArrayRef, first: bool, hashes: &mut Vec<u64>) {
    match column.data_type() {
        DataType::Int64 => {
            let array: &Int64Array = typed(column);
            mix(
                array.values().iter().map(|v| number(*v as u64)),
                column,
                first,
                hashes,
            );
        }
        DataType::Timestamp(..) => {
            let array: &TimestampArray = typed(column);
            mix(
                array.values().iter().map(|v| number(*v as u64)),
                column,
                first,
                hashes,
            );
        }
        DataType::Float64 => {
            let array: &Float64Array = typed(column);
            // Minus zero equals zero.
            let bits = |v: &f64| number(if *v == 0.0 { 0 } else { v.to_bits() });
            mix(array.values().iter().map(bits), column, first, hashes);
        }
        DataType::Boolean => {
            let array: &BooleanArray = typed(column);
            let of = |row| number(u64::from(array.value(row)));
            mix((0..array.len()).map(of), column, first, hashes);
        }
        DataType::Utf8 => {
            let array: &StringArray = typed(column);
            mix(
                (0..array.len()).map(|row| bytes(array.value(row).as_bytes())),
                column,
                first,
                hashes,
            );
        }
        _ => mix((0..column.len()).map(|_| NULL), column, first, hashes),
    }
}

#[inline(always)]
fn mix(values: impl Iterator<Item = u64>, column: &ArrayRef, first: bool, hashes: &mut Vec<u64>) {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    match (first, nulls) {
        (true, None) => hashes.extend(values),
        (true, Some(nulls)) => hashes.extend(
            values
                .enumerate()
                .map(|(row, hash)| if nulls.is_null(row) { NULL } else { hash }),
        ),
        (false, nulls) => {
            for (row, (state, hash)) in hashes.iter_mut().zip(values).enumerate() {
                let null = nulls.is_some_and(|nulls| nulls.is_null(row));
                *state = fold(*state ^ if null { NULL } else { hash }, FIRST);
            }
        }
    }
}

/// Which of `count` subtasks owns a hash: the space of hashes in equal ranges.
#[inline(always)]
pub fn owner(hash: u64, count: u32) -> u32 {
    ((u128::from(hash) * u128::from(count)) >> 64) as u32
}

/// The least and the greatest hash that subtask `index` of `count` owns.
pub fn range(index: u32, count: u32) -> (u64, u64) {
    let start =
        |index: u32| -> u128 { (u128::from(index) << 64).div_ceil(u128::from(count.max(1))) };
    (start(index) as u64, (start(index + 1) - 1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stay_what_checkpoints_hold() {
        assert_eq!(number(42), 0x3E94_5F48_4F4D_8B23);
        assert_eq!(bytes(b"pickup"), 0x049A_5D91_6E04_2562);
    }

    proptest::proptest! {
        #[test]
        fn each_hash_lies_in_the_range_of_its_owner(hash: u64, count in 1u32..300) {
            let (low, high) = range(owner(hash, count), count);
            proptest::prop_assert!(low <= hash && hash <= high);
        }

        #[test]
        fn ranges_touch_without_a_gap(count in 2u32..300) {
            for index in 1..count {
                proptest::prop_assert_eq!(range(index - 1, count).1 + 1, range(index, count).0);
            }
            proptest::prop_assert_eq!(range(count - 1, count).1, u64::MAX);
        }
    }
}
