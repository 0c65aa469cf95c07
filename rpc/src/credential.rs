//! What a caller shows to say who it is.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::Metadata;

/// The name under which a caller's token travels in a call's metadata. An empty value says that the
/// caller has none, and keeps the process's own from being put in its place.
pub const AUTHORIZATION: &str = "authorization";

/// The credential of calls that bring none of their own.
static INSTALLED: OnceLock<Credential> = OnceLock::new();

/// A token that goes with calls. Clones are one credential: a token that is replaced is replaced
/// for every channel that has it, from the next call on.
#[derive(Clone)]
pub struct Credential(Arc<ArcSwap<Metadata>>);

impl std::fmt::Debug for Credential {
    /// Says nothing: what is logged is not a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

impl Credential {
    /// A credential with this token.
    #[must_use]
    pub fn new(token: impl Into<Bytes>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(carrying(token.into()))))
    }

    /// Shows this token from now on.
    pub fn replace(&self, token: impl Into<Bytes>) {
        self.0.store(Arc::new(carrying(token.into())));
    }

    /// Makes it the credential of every channel of this process that has none of its own. The
    /// first that is installed stays; returns whether it was this one.
    pub fn install(&self) -> bool {
        INSTALLED.set(self.clone()).is_ok()
    }

    pub(crate) fn installed() -> Option<&'static Self> {
        INSTALLED.get()
    }

    /// What travels with a call that says `given` itself: a token that it brings is not replaced.
    pub(crate) fn beside<'a>(&self, given: &'a Metadata) -> Sent<'a> {
        if given.get(AUTHORIZATION).is_some() {
            return Sent::Given(given);
        }
        let own = self.0.load_full();
        if given.is_empty() {
            return Sent::Own(own);
        }
        let mut both = given.clone();
        for (name, value) in own.iter() {
            both.set(name, value.clone());
        }
        Sent::Both(both)
    }
}

fn carrying(token: Bytes) -> Metadata {
    let mut metadata = Metadata::new();
    metadata.set(AUTHORIZATION, token);
    metadata
}

/// The metadata of one call.
pub(crate) enum Sent<'a> {
    Given(&'a Metadata),
    Own(Arc<Metadata>),
    Both(Metadata),
}

impl std::ops::Deref for Sent<'_> {
    type Target = Metadata;

    fn deref(&self) -> &Metadata {
        match self {
            Self::Given(given) => given,
            Self::Own(own) => own,
            Self::Both(both) => both,
        }
    }
}
