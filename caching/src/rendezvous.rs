//! Which replica has a key: the one whose hash with the key is the greatest.
//!
//! Highest random weight hashing (Thaler and Ravishankar, 1998): no ring, no state, and a replica
//! that is gone moves only the keys it had, evenly over the others.

/// 64 bits of a key and a replica: FNV-1a over both, mixed so that all bits depend on all.
fn weight(key: &[u8], replica: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in replica.iter().chain([&0xff]).chain(key) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The finish of SplitMix64.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The index of the replica that has this key; `None` if there is no replica.
#[must_use]
pub fn owner<T: AsRef<str>>(key: &str, replicas: &[T]) -> Option<usize> {
    let weights = replicas.iter().enumerate().map(|(index, replica)| {
        let name = replica.as_ref();
        ((weight(key.as_bytes(), name.as_bytes()), name), index)
    });
    weights.max().map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_spread_evenly() {
        let replicas = ["caching.0", "caching.1", "caching.2"];
        let mut counts = [0; 3];
        for n in 0..30_000 {
            counts[owner(&format!("key {n}"), &replicas).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
        assert_eq!(owner::<&str>("a", &[]), None);
    }

    proptest! {
        #[test]
        fn a_replica_that_is_lost_moves_only_its_own_keys(
            names in prop::collection::btree_set("[a-z]{1,8}", 2..10),
            lost in any::<prop::sample::Index>(),
            keys in prop::collection::vec(".{0,20}", 1..50),
        ) {
            let all: Vec<String> = names.into_iter().collect();
            let lost = lost.index(all.len());
            let mut rest = all.clone();
            let gone = rest.remove(lost);
            for key in keys {
                let before = &all[owner(&key, &all).unwrap()];
                let after = &rest[owner(&key, &rest).unwrap()];
                prop_assert!(before == after || *before == gone);
            }
        }
    }
}
