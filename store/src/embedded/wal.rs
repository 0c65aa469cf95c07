//! Looks at SQLite's write-ahead log before SQLite does. SQLite takes the first frame that does
//! not check out for the torn end of the log, and silently forgets everything after it. That is
//! right after a power loss, and wrong when a bit flipped in the middle: acknowledged commits
//! would vanish. So a log whose damage is not at its end is refused here.
//!
//! Format: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number's last bit says in which order the words of a checksum are read.
const MAGIC: u32 = 0x377f_0682;

/// What a log looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wal {
    /// Nothing in it that a commit depends on.
    Empty,
    /// Good frames, and perhaps a torn end.
    Frames,
    /// Damaged in a place that something acknowledged depends on.
    Damaged(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn over(mut self, bytes: &[u8], big_endian: bool) -> Self {
        let read = |four: &[u8]| {
            let four = [four[0], four[1], four[2], four[3]];
            if big_endian {
                u32::from_be_bytes(four)
            } else {
                u32::from_le_bytes(four)
            }
        };
        for eight in bytes.chunks_exact(8) {
            self.0 = self.0.wrapping_add(read(eight)).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(read(&eight[4..])).wrapping_add(self.0);
        }
        self
    }

    fn at(bytes: &[u8], offset: usize) -> Self {
        Self(word(bytes, offset), word(bytes, offset + 4))
    }
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    let four = &bytes[offset..offset + 4];
    u32::from_be_bytes([four[0], four[1], four[2], four[3]])
}

/// Reads the log at `path`, if there is one.
pub(super) fn inspect(path: &Path) -> std::io::Result<Wal> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(inspect_bytes(&bytes)),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Wal::Empty),
        Err(why) => Err(why),
    }
}

fn inspect_bytes(bytes: &[u8]) -> Wal {
    // A log that was begun but never synced is short, or all zeros at its start.
    if bytes.len() < HEADER_BYTES || bytes[..HEADER_BYTES].iter().all(|byte| *byte == 0) {
        return Wal::Empty;
    }
    let big_endian = word(bytes, 0) == MAGIC + 1;
    let seed = Sum(0, 0).over(&bytes[..24], big_endian);
    let page = usize::try_from(word(bytes, 8)).unwrap_or(0);
    if (word(bytes, 0) & !1) != MAGIC || seed != Sum::at(bytes, 24) || page < 512 {
        return Wal::Damaged("its header does not check out".to_owned());
    }
    Frames {
        bytes,
        salt: Sum::at(bytes, 16),
        size: FRAME_HEADER_BYTES + page,
        big_endian,
    }
    .inspect(seed)
}

struct Frames<'a> {
    bytes: &'a [u8],
    salt: Sum,
    size: usize,
    big_endian: bool,
}

impl<'a> Frames<'a> {
    fn frame(&self, number: usize) -> Option<&'a [u8]> {
        let start = HEADER_BYTES + number * self.size;
        self.bytes.get(start..start + self.size)
    }

    fn sum(&self, seed: Sum, frame: &[u8]) -> Sum {
        seed.over(&frame[..8], self.big_endian)
            .over(&frame[FRAME_HEADER_BYTES..], self.big_endian)
    }

    fn inspect(&self, mut seed: Sum) -> Wal {
        let mut good = 0;
        while let Some(frame) = self.frame(good) {
            let sum = self.sum(seed, frame);
            if Sum::at(frame, 8) != self.salt || sum != Sum::at(frame, 16) {
                return self.judge(good, seed);
            }
            seed = sum;
            good += 1;
        }
        if good == 0 { Wal::Empty } else { Wal::Frames }
    }

    /// The frame `bad` does not check out: is that the end of the log, or damage?
    fn judge(&self, bad: usize, seed: Sum) -> Wal {
        let offset = HEADER_BYTES + bad * self.size;
        let damaged = |why: &str| Wal::Damaged(format!("frame {bad} (offset {offset}) {why}"));
        if self.goes_on_after(bad) {
            return damaged("does not check out, and later commits follow it");
        }
        if self.is_one_bit_off(bad, seed) {
            return damaged("has one flipped bit");
        }
        if bad == 0 { Wal::Empty } else { Wal::Frames }
    }

    /// Whether a transaction was begun after the one that holds frame `bad`. SQLite begins none
    /// before the one before it is synced, so then `bad` was durable once, and is damaged now.
    /// Frames of an earlier use of the file have other salts.
    fn goes_on_after(&self, bad: usize) -> bool {
        let ours = |number: &usize| {
            self.frame(*number)
                .is_some_and(|frame| Sum::at(frame, 8) == self.salt)
        };
        let commits = |number: &usize| self.frame(*number).is_some_and(|frame| word(frame, 4) != 0);
        let count = (self.bytes.len() - HEADER_BYTES) / self.size;
        let mut rest = (bad..count).filter(|number| *number == bad || ours(number));
        let end = rest.by_ref().find(commits);
        end.is_some() && rest.next().is_some()
    }

    /// Whether flipping a single bit of frame `bad` mends it: a torn write never looks like that.
    fn is_one_bit_off(&self, bad: usize, seed: Sum) -> bool {
        let Some(frame) = self.frame(bad) else {
            return false;
        };
        let (salt, wanted) = (Sum::at(frame, 8), Sum::at(frame, 16));
        let sum = self.sum(seed, frame);
        if salt != self.salt {
            return sum == wanted && bits_apart(salt, self.salt) == 1;
        }
        if bits_apart(sum, wanted) == 1 {
            return true;
        }
        let mut frame = frame.to_vec();
        let summed = (0..8).chain(FRAME_HEADER_BYTES..self.size);
        for (byte, bit) in summed.flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            frame[byte] ^= 1 << bit;
            if self.sum(seed, &frame) == wanted {
                return true;
            }
            frame[byte] ^= 1 << bit;
        }
        false
    }
}

fn bits_apart(a: Sum, b: Sum) -> u32 {
    (a.0 ^ b.0).count_ones() + (a.1 ^ b.1).count_ones()
}
