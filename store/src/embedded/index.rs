//! What is in memory: every key with its kept versions, and every kept change in order. Only what
//! is durable ever gets in here, so a read cannot see what a crash could take back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Change, Event, KeyValue, Keys, LeaseId, Range, RangeAnswer, ReadError, Revision};

/// How a key was from `modified` on; without a value it was deleted then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) modified: Revision,
    pub(super) created: Revision,
    pub(super) version: u64,
    pub(super) lease: Option<LeaseId>,
    pub(super) value: Option<Bytes>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Bytes, Vec<Version>>,
    /// Dense: the change at place `i` has revision `compacted + 1 + i`.
    changes: VecDeque<Arc<Change>>,
    change_bytes: usize,
    live: u64,
    compacted: Revision,
}

impl Index {
    /// An index that begins after `compacted`; its keys then come by [`Index::insert_base`].
    pub(super) fn new(compacted: Revision) -> Self {
        Self {
            compacted,
            ..Self::default()
        }
    }

    /// How a key was at the revision the index begins with.
    pub(super) fn insert_base(&mut self, key: Bytes, version: Version) {
        self.live += 1;
        self.keys.insert(key, vec![version]);
    }

    pub(super) fn head(&self) -> Revision {
        Revision(self.compacted.0 + self.changes.len() as u64)
    }

    pub(super) fn compacted(&self) -> Revision {
        self.compacted
    }

    pub(super) fn live(&self) -> u64 {
        self.live
    }

    pub(super) fn change_bytes(&self) -> usize {
        self.change_bytes
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<KeyValue> {
        let (key, versions) = self.keys.get_key_value(key)?;
        item(key, versions.last()?)
    }

    /// The lease the key is attached to now.
    pub(super) fn lease_of(&self, key: &[u8]) -> Option<LeaseId> {
        self.keys.get(key)?.last()?.lease
    }

    /// The keys that are attached to a lease now.
    pub(super) fn leased(&self) -> impl Iterator<Item = (&Bytes, LeaseId)> {
        let lease = |versions: &Vec<Version>| versions.last().and_then(|last| last.lease);
        self.keys
            .iter()
            .filter_map(move |(key, versions)| Some((key, lease(versions)?)))
    }

    pub(super) fn range(&self, range: &Range) -> Result<RangeAnswer, ReadError> {
        let newest = self.head();
        let at = range.at.unwrap_or(newest);
        if at > newest {
            return Err(ReadError::Future { wanted: at, newest });
        }
        if at < self.compacted {
            return Err(ReadError::Compacted {
                wanted: at,
                at: self.compacted,
            });
        }
        let mut answer = RangeAnswer {
            items: Vec::new(),
            more: false,
            revision: at,
        };
        for (key, versions) in self.from(range.start()) {
            if !range.keys.contains(key) {
                break;
            }
            let Some(found) = as_of(versions, at).and_then(|version| item(key, version)) else {
                continue;
            };
            if range.limit != 0 && answer.items.len() == range.limit {
                answer.more = true;
                break;
            }
            answer.items.push(found);
        }
        Ok(answer)
    }

    fn from(&self, start: &Bytes) -> impl Iterator<Item = (&Bytes, &Vec<Version>)> {
        let bounds = (Bound::Included(start), Bound::<&Bytes>::Unbounded);
        self.keys.range::<Bytes, _>(bounds)
    }

    /// Takes in the change after the newest.
    pub(super) fn apply(&mut self, change: Arc<Change>) {
        assert_eq!(change.revision, self.head().next(), "changes are dense");
        for event in &change.events {
            self.change_bytes += weight(event);
            let (key, version) = match event {
                Event::Put(item) => (&item.key, version_of(item)),
                Event::Delete { key } => (key, tombstone(change.revision)),
            };
            let versions = self.keys.entry(key.clone()).or_default();
            let was = versions.last().is_some_and(|last| last.value.is_some());
            let is = version.value.is_some();
            assert!(was || is, "a deleted key existed");
            self.live = self.live + u64::from(is) - u64::from(was);
            versions.push(version);
        }
        self.changes.push_back(change);
    }

    /// Up to `count` changes from revision `from` on; none when that is in the future.
    ///
    /// Panics when `from` is compacted: ask [`Index::compacted`] first, under the same lock.
    pub(super) fn changes(&self, from: Revision, count: usize) -> impl Iterator<Item = &Change> {
        assert!(from > self.compacted, "a compacted change is not there");
        let skip = usize::try_from(from.0 - self.compacted.0 - 1).unwrap_or(usize::MAX);
        let start = skip.min(self.changes.len());
        let end = start.saturating_add(count).min(self.changes.len());
        self.changes.range(start..end).map(Arc::as_ref)
    }

    /// The keys that a compaction to `to` touches, each with how it was at the old and how it is
    /// at the new compacted revision (`None`: not there).
    pub(super) fn compaction(&self, to: Revision) -> Vec<Rebase<'_>> {
        let count = usize::try_from(to.0.saturating_sub(self.compacted.0)).unwrap_or(usize::MAX);
        let touched: BTreeSet<&Bytes> = self
            .changes(self.compacted.next(), count)
            .flat_map(|change| change.events.iter().map(Event::key))
            .collect();
        let live = |version: &&Version| version.value.is_some();
        touched
            .into_iter()
            .map(|key| {
                let versions = self.keys.get(key).map_or(&[][..], Vec::as_slice);
                Rebase {
                    key,
                    old: as_of(versions, self.compacted).filter(live),
                    new: as_of(versions, to).filter(live),
                }
            })
            .collect()
    }

    /// Forgets what was before `to`, and the changes up to it.
    pub(super) fn compact(&mut self, to: Revision) {
        assert!(to <= self.head(), "only the past is compacted");
        while self.compacted < to {
            let Some(change) = self.changes.pop_front() else {
                break;
            };
            self.compacted = change.revision;
            for event in &change.events {
                self.change_bytes -= weight(event);
                self.trim(event.key(), change.revision);
            }
        }
    }

    /// Keeps of a key what is needed to say how it is at `to` and later.
    fn trim(&mut self, key: &Bytes, to: Revision) {
        let Some(versions) = self.keys.get_mut(key) else {
            return;
        };
        let later = versions.partition_point(|version| version.modified <= to);
        let kept_from = match later.checked_sub(1) {
            Some(newest) if versions[newest].value.is_some() => newest,
            _ => later,
        };
        versions.drain(..kept_from);
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }
}

/// What a compaction does to one key's base row.
pub(super) struct Rebase<'a> {
    pub(super) key: &'a Bytes,
    pub(super) old: Option<&'a Version>,
    pub(super) new: Option<&'a Version>,
}

/// What a change costs in memory beside its bytes, roughly: allocations and the index entry.
const EVENT_OVERHEAD_BYTES: usize = 256;

fn weight(event: &Event) -> usize {
    let bytes = match event {
        Event::Put(item) => item.key.len() + item.value.len(),
        Event::Delete { key } => key.len(),
    };
    bytes + EVENT_OVERHEAD_BYTES
}

fn version_of(item: &KeyValue) -> Version {
    Version {
        modified: item.modified,
        created: item.created,
        version: item.version,
        lease: item.lease,
        value: Some(item.value.clone()),
    }
}

fn tombstone(revision: Revision) -> Version {
    Version {
        modified: revision,
        created: Revision(0),
        version: 0,
        lease: None,
        value: None,
    }
}

/// The newest version that is not newer than `at`.
fn as_of(versions: &[Version], at: Revision) -> Option<&Version> {
    let later = versions.partition_point(|version| version.modified <= at);
    versions.get(later.checked_sub(1)?)
}

fn item(key: &Bytes, version: &Version) -> Option<KeyValue> {
    Some(KeyValue {
        key: key.clone(),
        value: version.value.clone()?,
        created: version.created,
        modified: version.modified,
        version: version.version,
        lease: version.lease,
    })
}

/// The keys of a range, without those before where its page starts.
impl Range {
    fn start(&self) -> &Bytes {
        let start = self.keys.start();
        self.skip_to.as_ref().map_or(start, |skip| skip.max(start))
    }
}

/// Whether any of the change's events is about one of `keys`.
pub(super) fn concerns(change: &Change, keys: &Keys) -> bool {
    change.events.iter().any(|event| keys.contains(event.key()))
}
