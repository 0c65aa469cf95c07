//! Points on disk: a file for each hour, in which each batch is one checked record.
//!
//! `points/HOUR.log`: records of a length, a CRC-32, and a batch in JSON lines. A record that is
//! cut short or damaged ends its file: what came before it is read, what came after was never said.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::Labels;

const HOUR_MS: u64 = 3_600_000;
/// How many hours are kept: a week.
const HOURS_KEPT: u64 = 7 * 24;
/// The largest record that is read back, in bytes.
const RECORD_BYTES_MAX: u32 = 64 << 20;

/// What was said at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) at_ms: u64,
    /// Series that this file has not named before: they get the next numbers.
    pub(crate) named: Vec<(String, Labels)>,
    /// Which, and how much. What JSON has no number for is left out.
    pub(crate) values: Vec<(u32, f64)>,
}

/// The file that is written to.
pub(crate) struct Log {
    folder: PathBuf,
    hour: u64,
    file: Option<File>,
    names: std::collections::HashMap<(String, Labels), u32>,
}

impl Log {
    /// Opens the folder, tells `each` all that is in it, and goes on in a new file.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(crate) fn open(
        folder: &Path,
        now_ms: u64,
        mut each: impl FnMut(&str, &Labels, u64, f64),
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut files: Vec<(u64, PathBuf)> = fs::read_dir(folder)?
            .flatten()
            .filter_map(|entry| Some((hour_of(&entry.path())?, entry.path())))
            .collect();
        files.sort();
        let oldest = (now_ms / HOUR_MS).saturating_sub(HOURS_KEPT);
        for (hour, path) in &files {
            if *hour < oldest {
                fs::remove_file(path)?;
            } else {
                read_file(path, &mut each)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            hour: 0,
            file: None,
            names: std::collections::HashMap::new(),
        })
    }

    /// Writes what was said. When it returns, killing this process loses none of it.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn write(&mut self, at_ms: u64, points: &[(String, Labels, f64)]) -> io::Result<()> {
        let hour = at_ms / HOUR_MS;
        if self.file.is_none() || hour != self.hour {
            self.begin(hour)?;
        }
        let mut batch = Batch {
            at_ms,
            named: Vec::new(),
            values: Vec::with_capacity(points.len()),
        };
        for (name, labels, value) in points.iter().filter(|(_, _, value)| value.is_finite()) {
            let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            let key = (name.clone(), labels.clone());
            let number = *self.names.entry(key).or_insert_with_key(|key| {
                batch.named.push(key.clone());
                next
            });
            batch.values.push((number, *value));
        }
        let bytes = serde_json::to_vec(&batch)?;
        let mut record = Vec::with_capacity(bytes.len() + 8);
        record.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        record.extend_from_slice(&bytes);
        match &mut self.file {
            Some(file) => file.write_all(&record),
            None => Err(io::Error::other("no file is open")),
        }
    }

    /// Has the disk keep what was written, also over a power failure.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// A new file: another process's half of a record must not be gone on with.
    fn begin(&mut self, hour: u64) -> io::Result<()> {
        self.sync()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        for part in 0..100_000 {
            let path = self.folder.join(format!("{hour:010}-{part:05}.log"));
            match options.open(path) {
                Ok(file) => {
                    self.file = Some(file);
                    self.hour = hour;
                    self.names.clear();
                    self.remove_old(hour)?;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("too many files of one hour"))
    }

    fn remove_old(&self, hour: u64) -> io::Result<()> {
        for path in fs::read_dir(&self.folder)?
            .flatten()
            .map(|entry| entry.path())
        {
            if hour_of(&path).is_some_and(|old| old + HOURS_KEPT < hour) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn hour_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    name.split_once('-')?.0.parse().ok()
}

fn read_file(path: &Path, each: &mut impl FnMut(&str, &Labels, u64, f64)) -> io::Result<()> {
    let mut file = io::BufReader::new(File::open(path)?);
    let mut names: Vec<(String, Labels)> = Vec::new();
    while let Some(batch) = read_record(&mut file) {
        names.extend(batch.named);
        for (number, value) in batch.values {
            if let Some((name, labels)) = names.get(number as usize) {
                each(name, labels, batch.at_ms, value);
            }
        }
    }
    Ok(())
}

/// The next record; `None` at the end, and where it is damaged.
fn read_record(file: &mut impl io::Read) -> Option<Batch> {
    let mut head = [0; 8];
    file.read_exact(&mut head).ok()?;
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (length, crc) = (number(0), number(4));
    if length > RECORD_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(length.into()).read_to_end(&mut bytes).ok()?;
    if bytes.len() != length as usize || crc32fast::hash(&bytes) != crc {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(folder: &Path, now_ms: u64) -> Vec<(String, u64, f64)> {
        let mut all = Vec::new();
        let each = |name: &str, _: &Labels, at, value| all.push((name.to_owned(), at, value));
        Log::open(folder, now_ms, each).unwrap();
        all
    }

    fn points(names: &[&str], value: f64) -> Vec<(String, Labels, f64)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), Labels::new(), value))
            .collect()
    }

    #[test]
    fn what_was_written_is_read_and_a_cut_record_ends_its_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let now = 1_000 * HOUR_MS;
        for start in 0..2_u32 {
            let mut log = Log::open(folder.path(), now, |_, _, _, _| {}).unwrap();
            log.write(now + 1, &points(&["a", "b"], f64::from(start)))
                .unwrap();
            log.write(now + 2, &points(&["b", "c"], f64::NAN)).unwrap();
            log.write(now + 3, &points(&["c"], 9.0)).unwrap();
        }
        assert_eq!(all(folder.path(), now).len(), 6);
        let first = folder.path().join(format!("{:010}-00000.log", 1_000));
        let bytes = fs::read(&first).unwrap();
        for cut in 0..bytes.len() {
            fs::write(&first, &bytes[..cut]).unwrap();
            let read = all(folder.path(), now);
            assert!(
                (3..6).contains(&read.len()),
                "{} of a file cut at {cut}",
                read.len()
            );
        }
        let mut flipped = bytes.clone();
        flipped[20] ^= 1;
        fs::write(&first, &flipped).unwrap();
        assert_eq!(all(folder.path(), now).len(), 3);
    }

    #[test]
    fn a_week_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), 0, |_, _, _, _| {}).unwrap();
        for hour in [1_000, 1_001, 1_200] {
            log.write(hour * HOUR_MS, &points(&["a"], 1.0)).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
