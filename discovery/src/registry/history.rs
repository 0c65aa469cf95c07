//! The last changes, in their order.

use std::collections::VecDeque;

use super::Change;

/// Revisions have no gaps: the n-th change has revision n.
#[derive(Debug)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    revision: u64,
    length_max: usize,
}

impl History {
    pub(crate) fn new(length_max: usize) -> Self {
        Self {
            changes: VecDeque::new(),
            revision: 0,
            length_max,
        }
    }

    /// The revision of the last change; 0 before the first.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision that the next change will have.
    pub(crate) fn next(&self) -> u64 {
        self.revision + 1
    }

    pub(crate) fn push(&mut self, change: Change) {
        self.changes.push_back(change);
        self.revision += 1;
        if self.changes.len() > self.length_max {
            self.changes.pop_front();
        }
    }

    /// All changes after a revision, with theirs; `None` if they are not all known any more, or the
    /// revision is none that was given out.
    pub(crate) fn after(&self, revision: u64) -> Option<impl Iterator<Item = (u64, &Change)>> {
        let wanted = usize::try_from(self.revision.checked_sub(revision)?).ok()?;
        let skipped = self.changes.len().checked_sub(wanted)?;
        Some((revision + 1..).zip(self.changes.iter().skip(skipped)))
    }
}

#[cfg(test)]
mod tests {
    use discovery::Cause;

    use super::*;

    fn change(epoch: u64) -> Change {
        Change::Removed {
            key: (String::new(), String::new()),
            epoch,
            cause: Cause::Expired,
        }
    }

    fn epochs(history: &History, after: u64) -> Option<Vec<(u64, u64)>> {
        let changes = history.after(after)?;
        Some(
            changes
                .map(|(revision, change)| match change {
                    Change::Removed { epoch, .. } => (revision, *epoch),
                    Change::Registered(_) => unreachable!("only removals are pushed here"),
                })
                .collect(),
        )
    }

    #[test]
    fn all_changes_after_a_revision_come_without_gaps_or_not_at_all() {
        let mut history = History::new(3);
        assert_eq!(epochs(&history, 0), Some(vec![]));
        (1..=5).for_each(|epoch| history.push(change(epoch)));
        assert_eq!(history.revision(), 5);
        assert_eq!(epochs(&history, 5), Some(vec![]));
        assert_eq!(epochs(&history, 2), Some(vec![(3, 3), (4, 4), (5, 5)]));
        assert_eq!(epochs(&history, 1), None, "revision 2 has been forgotten");
        assert_eq!(epochs(&history, 6), None, "revision 6 was never given out");
    }

    #[test]
    fn a_history_of_nothing_still_counts() {
        let mut history = History::new(0);
        history.push(change(1));
        assert_eq!((history.revision(), epochs(&history, 1)), (1, Some(vec![])));
        assert_eq!(epochs(&history, 0), None);
    }
}
