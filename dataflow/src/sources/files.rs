//! Lines of files.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::rows::Rows;
use super::{Read, Reader};
use crate::failure::{Domain, Failure, Halt, Hint};

/// A line is no longer than this; what is, is a bad row.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The files, and those in the folders.
pub(super) fn found(paths: &[PathBuf]) -> Result<Vec<String>, Halt> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in fs::read_dir(path).map_err(|error| failed(path, &error))? {
            let entry = entry.map_err(|error| failed(path, &error))?.path();
            if entry
                .extension()
                .is_some_and(|e| e == "json" || e == "jsonl")
            {
                files.push(entry);
            }
        }
    }
    Ok(files
        .into_iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect())
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Failure::new(
            Domain::User,
            Hint::NoRetry,
            format!("{}: {error}", path.display()),
        ),
        _ => Failure::io(path.display(), error),
    }
}

/// How far a file is read.
enum Until {
    /// To its end; a last line needs no line feed.
    End,
    /// To this byte, whole lines only.
    Byte(u64),
    /// For ever, whole lines only.
    Never,
}

/// Reads the lines of one file. The position is the byte after the last line.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    position: u64,
    line: Vec<u8>,
    until: Until,
    rows: Rows,
}

impl Lines {
    pub(super) fn whole(path: &Path, from: u64, rows: Rows) -> Result<Lines, Halt> {
        Lines::open(path, from, rows, |_| Until::End)
    }

    pub(super) fn log(path: &Path, from: u64, bounded: bool, rows: Rows) -> Result<Lines, Halt> {
        Lines::open(path, from, rows, |len| {
            if bounded {
                Until::Byte(len)
            } else {
                Until::Never
            }
        })
    }

    fn open(
        path: &Path,
        from: u64,
        rows: Rows,
        until: impl Fn(u64) -> Until,
    ) -> Result<Lines, Halt> {
        let open = || {
            let mut file = File::open(path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(from))?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| failed(path, &error))?;
        if length < from {
            let message = format!("{}: it was {from} bytes long before", path.display());
            return Err(Failure::user(message).into());
        }
        Ok(Lines {
            path: path.to_path_buf(),
            reader: BufReader::with_capacity(256 * 1024, file),
            position: from,
            line: Vec::new(),
            until: until(length),
            rows,
        })
    }

    /// Whether the next line could be read.
    fn next(&mut self) -> Result<bool, Halt> {
        let failed = |error: &io::Error| Halt::from(Failure::io(self.path.display(), error));
        let part = self.line.len();
        let read = self
            .reader
            .read_until(b'\n', &mut self.line)
            .map_err(|e| failed(&e))?;
        let whole = self.line.last() == Some(&b'\n') || matches!(self.until, Until::End);
        if read == 0 && part == 0 || !whole {
            return Ok(false);
        }
        let line = std::mem::take(&mut self.line);
        let (path, at) = (&self.path, self.position);
        self.position += line.len() as u64;
        let shown: &[u8] = if line.len() > LINE_BYTES_MAX {
            b"(too long)"
        } else {
            &line
        };
        self.rows
            .push(shown, || format!("{} at byte {at}", path.display()))?;
        self.line = line;
        self.line.clear();
        Ok(true)
    }
}

impl Reader for Lines {
    fn read(&mut self, rows: usize) -> Result<Read, Halt> {
        let mut more = true;
        while self.rows.len() < rows && more {
            more = match self.until {
                Until::Byte(end) if self.position >= end => false,
                _ => self.next()?,
            };
        }
        if self.rows.len() > 0 {
            return Ok(Read::Batch(self.rows.finish()?));
        }
        Ok(if matches!(self.until, Until::Never) {
            Read::Quiet
        } else {
            Read::End
        })
    }

    fn position(&self) -> u64 {
        self.position
    }
}
