//! Opaque tokens, known by their digests.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};

use super::authority::Holder;
use super::key::hex;

/// What every opaque token begins with: easy to find where it should not be.
pub(super) const OPAQUE: &str = "orrery_";
/// Random bytes in an opaque token.
const RANDOM_BYTES: usize = 32;

/// The SHA-256 of a token: enough to recognise it, and no help to make it. A token has 256 random
/// bits, so that a slow hash would add nothing.
pub type Digest = [u8; 32];

/// The digest of a token.
#[must_use]
pub fn digest(token: &[u8]) -> Digest {
    Sha256::digest(token).into()
}

/// A new opaque token.
///
/// # Errors
/// The system has no randomness to give.
pub fn spell() -> Result<String, std::io::Error> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(format!("{OPAQUE}{}", hex(&bytes)))
}

/// The opaque tokens that are known, and who holds them.
#[derive(Debug, Default)]
pub struct TokenTable(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    holders: HashMap<Digest, Arc<Holder>>,
    told: bool,
}

impl TokenTable {
    /// Forgets everything and knows this instead.
    pub fn replace(&self, all: impl IntoIterator<Item = (Digest, Holder)>) {
        let all = all.into_iter().map(|(digest, h)| (digest, Arc::new(h)));
        let holders = all.collect();
        *self.0.write() = Known {
            holders,
            told: true,
        };
    }

    /// Knows one more, or knows it better.
    pub fn put(&self, digest: Digest, holder: Holder) {
        self.0.write().holders.insert(digest, Arc::new(holder));
    }

    /// Forgets one.
    pub fn remove(&self, digest: &Digest) {
        self.0.write().holders.remove(digest);
    }

    /// Who holds the token.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<Arc<Holder>> {
        self.0.read().holders.get(digest).cloned()
    }

    /// Whether anybody has ever filled it. Before that, a token that is not in it may be good.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.0.read().told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelled_token_is_random_and_greppable() {
        let (one, other) = (spell().unwrap(), spell().unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with(OPAQUE) && one.len() == OPAQUE.len() + 64);
        assert_ne!(digest(one.as_bytes()), digest(other.as_bytes()));
    }
}
