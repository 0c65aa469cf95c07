//! A log of lines in files, one for each partition, that can be read again from any place.
//!
//! Only whole lines are read, so that a writer may append while a pipeline follows.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file of a partition.
pub(super) fn file(folder: &Path, partition: &str) -> PathBuf {
    folder.join(format!("{partition}.log"))
}

/// Makes the files of a log, where they are not there.
///
/// # Errors
/// The disk's.
pub fn create(folder: &Path, partitions: u32) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for partition in 0..partitions {
        let file = file(folder, &partition.to_string());
        OpenOptions::new().create(true).append(true).open(file)?;
    }
    Ok(())
}

/// Appends lines to a partition and makes them durable. A line has no line feed of its own.
///
/// # Errors
/// The disk's; a part of the lines may then be there.
pub fn append<'a>(
    folder: &Path,
    partition: u32,
    lines: impl IntoIterator<Item = &'a str>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    let file = file(folder, &partition.to_string());
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(&bytes)?;
    file.sync_data()
}
