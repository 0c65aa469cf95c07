//! Which version a call is for.

use std::collections::BTreeMap;

/// Weights by version, in thousandths; what is missing from a thousand goes to every version alike.
pub type Split = BTreeMap<String, u32>;

/// The version for a number that was drawn, or made from a key: the same number gives the same
/// version for as long as the split and the versions are the same. A version that nobody serves
/// leaves its share to the others. `None`: any will do.
#[must_use]
pub fn choose<'a>(split: &'a Split, served: &[&str], number: u64) -> Option<&'a str> {
    let served: Vec<(&String, &u32)> = split
        .iter()
        .filter(|(version, _)| served.contains(&version.as_str()))
        .collect();
    let named: u64 = split.values().map(|weight| u64::from(*weight)).sum();
    let total: u64 = served.iter().map(|(_, weight)| u64::from(**weight)).sum();
    let rest = 1_000_u64.saturating_sub(named);
    let mut left = number.checked_rem(total + rest)?;
    for (version, weight) in served {
        if left < u64::from(*weight) {
            return Some(version);
        }
        left -= u64::from(*weight);
    }
    None
}

/// A number from a key, so that the same key always goes to the same version. FNV-1a.
#[must_use]
pub fn number_of(key: &str) -> u64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}
