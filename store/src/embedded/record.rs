//! How things are written in rows: little-endian, each with a checksum that also covers the
//! row's name, so that neither a flipped bit nor a row in the wrong place goes unnoticed.

use bytes::Bytes;

use super::index::Version;
use crate::{Change, Event, LeaseId, Revision};

const PUT: u8 = 1;
const DELETE: u8 = 2;
const CRC_BYTES: usize = 4;

/// One event as it is in a row. What it leaves out follows from the events before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Put {
        key: Bytes,
        value: Bytes,
        lease: Option<LeaseId>,
    },
    Delete {
        key: Bytes,
    },
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// Writes a change into `out`, which is emptied first.
pub(super) fn encode(change: &Change, out: &mut Vec<u8>) {
    out.clear();
    for event in &change.events {
        match event {
            Event::Put(item) => {
                out.push(PUT);
                put_bytes(out, &item.key);
                let lease = item.lease.map_or(0, |id| id.0);
                out.extend_from_slice(&lease.to_le_bytes());
                put_bytes(out, &item.value);
            }
            Event::Delete { key } => {
                out.push(DELETE);
                put_bytes(out, key);
            }
        }
    }
    let sum = crc(&[&change.revision.0.to_le_bytes(), out]);
    out.extend_from_slice(&sum.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("limits keep keys and values below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads the change of `revision`; says what is wrong with it otherwise.
pub(super) fn decode(revision: Revision, row: &[u8]) -> Result<Vec<Recorded>, &'static str> {
    let Some((body, sum)) = row.split_last_chunk::<CRC_BYTES>() else {
        return Err("it is shorter than its checksum");
    };
    if u32::from_le_bytes(*sum) != crc(&[&revision.0.to_le_bytes(), body]) {
        return Err("its checksum does not match");
    }
    let mut rest = Reader(body);
    let mut events = Vec::new();
    while !rest.0.is_empty() {
        events.push(rest.event().ok_or("it is malformed")?);
    }
    if events.is_empty() {
        return Err("it changes nothing");
    }
    Ok(events)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = usize::try_from(u32::from_le_bytes(self.take()?)).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Bytes::copy_from_slice(head))
    }

    fn event(&mut self) -> Option<Recorded> {
        match self.take::<1>()? {
            [PUT] => {
                let key = self.bytes()?;
                let lease = u64::from_le_bytes(self.take()?);
                Some(Recorded::Put {
                    key,
                    lease: (lease != 0).then_some(LeaseId(lease)),
                    value: self.bytes()?,
                })
            }
            [DELETE] => Some(Recorded::Delete { key: self.bytes()? }),
            _ => None,
        }
    }
}

/// The checksum of a base row: how a key was at the compacted revision.
pub(super) fn base_crc(key: &[u8], version: &Version) -> u32 {
    crc(&[
        &(key.len() as u64).to_le_bytes(),
        key,
        &version.modified.0.to_le_bytes(),
        &version.created.0.to_le_bytes(),
        &version.version.to_le_bytes(),
        &version.lease.map_or(0, |id| id.0).to_le_bytes(),
        version.value.as_deref().unwrap_or_default(),
    ])
}

/// The checksum of a lease's row.
pub(super) fn lease_crc(id: LeaseId, ttl_ms: u64) -> u32 {
    crc(&[&id.0.to_le_bytes(), &ttl_ms.to_le_bytes()])
}

/// How many rows a table has, and all their checksums in one: a row that vanished shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) crcs: u64,
}

impl Tally {
    pub(super) fn add(&mut self, crc: u32) {
        self.rows += 1;
        self.crcs = self.crcs.wrapping_add(u64::from(crc));
    }

    pub(super) fn remove(&mut self, crc: u32) {
        assert!(self.rows > 0, "only a counted row is removed");
        self.rows -= 1;
        self.crcs = self.crcs.wrapping_sub(u64::from(crc));
    }
}

/// What is true of the tables as a whole; the one row of table `state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The base rows are as of this revision; the changes begin after it.
    pub(super) compacted: Revision,
    /// There were changes at least up to here when this was written.
    pub(super) head: Revision,
    /// Of the base rows.
    pub(super) base: Tally,
    /// Of the leases.
    pub(super) leases: Tally,
    /// The lease that is granted next.
    pub(super) next_lease: u64,
}

impl State {
    fn words(&self) -> [u64; 7] {
        [
            self.compacted.0,
            self.head.0,
            self.base.rows,
            self.base.crcs,
            self.leases.rows,
            self.leases.crcs,
            self.next_lease,
        ]
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out: Vec<u8> = self.words().iter().flat_map(|w| w.to_le_bytes()).collect();
        let sum = crc(&[&out]);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, &'static str> {
        let Some((body, sum)) = row.split_last_chunk::<CRC_BYTES>() else {
            return Err("it is shorter than its checksum");
        };
        if u32::from_le_bytes(*sum) != crc(&[body]) {
            return Err("its checksum does not match");
        }
        let mut rest = Reader(body);
        let mut word = || rest.take().map(u64::from_le_bytes).ok_or("it is too short");
        Ok(Self {
            compacted: Revision(word()?),
            head: Revision(word()?),
            base: Tally {
                rows: word()?,
                crcs: word()?,
            },
            leases: Tally {
                rows: word()?,
                crcs: word()?,
            },
            next_lease: word()?,
        })
    }
}
