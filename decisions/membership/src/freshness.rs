//! What a client may still believe when it has lost the server.

/// How far an answer that was once right can be trusted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The watch that feeds it is connected.
    Live,
    /// The watch is lost. Use the answer, and say how old it is.
    Stale {
        /// How old, in milliseconds.
        age_ms: u64,
    },
}

impl Freshness {
    /// Judges an answer. `lost_at_ms`: when the watch was lost, if it is lost. There is no age at
    /// which an answer becomes empty: a server that may be gone is better than none.
    #[must_use]
    pub fn of(lost_at_ms: Option<u64>, now_ms: u64) -> Self {
        lost_at_ms.map_or(Self::Live, |lost| Self::Stale {
            age_ms: now_ms.saturating_sub(lost),
        })
    }
}
