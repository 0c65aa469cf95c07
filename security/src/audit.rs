//! The audit log's chain: each entry has the hash of the one before.

use chassis::trust::RecordedCall;
use security::AuditEntry;

/// Entries that are kept; older ones are dropped. They live in memory too: about 300 bytes each.
pub(crate) const KEPT: u64 = 100_000;

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the last entry; 0 if there is none.
    pub(crate) number: u64,
    /// The hash of the last entry.
    pub(crate) hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            number: 0,
            hash: "0".repeat(64),
        }
    }
}

impl Head {
    /// The next entry; the chain ends with it.
    pub(crate) fn append(&mut self, call: RecordedCall) -> AuditEntry {
        let number = self.number + 1;
        let hash = AuditEntry::hash_of(&self.hash, number, &call);
        *self = Self {
            number,
            hash: hash.clone(),
        };
        AuditEntry { number, call, hash }
    }

    /// Goes on with an entry that was read.
    pub(crate) fn follow(&mut self, entry: &AuditEntry) {
        *self = Self {
            number: entry.number,
            hash: entry.hash.clone(),
        };
    }
}
