//! Checkpoints on disk.
//!
//! A file is written under another name, synced, renamed, and its folder synced; its length and
//! checksum are in the manifest, so that a torn, cut or foreign file is found out before a row of
//! it is used. Files are named by generation and epoch: no two attempts share one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

use crate::columns::{ArrayRef, Batch, BooleanArray, DataType, Field, Schema, UInt64Array, typed};
use crate::failure::{Domain, Failure, Hint};
use crate::manifest::{Manifest, TableFile};
use crate::operators::Table;

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file that its manifest names is not there.
    #[error("the checkpoint's file {0} is missing")]
    Missing(PathBuf),
    /// A file is not what was written.
    #[error("the checkpoint's file {path} is corrupt: {detail}")]
    Corrupt {
        /// Which.
        path: PathBuf,
        /// How it was found out.
        detail: String,
    },
    /// The disk failed.
    #[error("failed to read the checkpoint's file {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        match &error {
            ReadError::Io { path, source } => {
                Failure::io(format!("failed to read {}", path.display()), source)
            }
            _ => Failure::new(Domain::External, Hint::OlderCheckpoint, error.to_string()),
        }
    }
}

/// The folder of a job's checkpoints.
#[derive(Clone, Debug)]
pub struct Storage {
    root: PathBuf,
}

impl Storage {
    /// In this folder, which is made when the first file is written.
    pub fn new(root: impl Into<PathBuf>) -> Storage {
        Storage { root: root.into() }
    }

    /// The name of the folder with the files that are new in a checkpoint, and its manifest.
    pub fn folder(generation: u64, epoch: u64) -> String {
        format!("{generation:06}-{epoch:07}")
    }

    /// Writes a manifest, after all its files; returns its name relative to the folder.
    ///
    /// # Errors
    /// The disk is full or fails; nothing is then seen of it.
    pub fn write_manifest(&self, manifest: &Manifest) -> io::Result<String> {
        let name = format!(
            "{}/manifest.json",
            Self::folder(manifest.generation, manifest.epoch)
        );
        let body = serde_json::to_vec(manifest)?;
        let mut bytes = format!("{:08x}\n", crc32fast::hash(&body)).into_bytes();
        bytes.extend(body);
        self.write(&name, &bytes)?;
        Ok(name)
    }

    /// Reads a manifest that [`Storage::write_manifest`] wrote.
    ///
    /// # Errors
    /// It is missing or corrupt.
    pub fn read_manifest(&self, generation: u64, epoch: u64) -> Result<Manifest, ReadError> {
        let path = self
            .root
            .join(Self::folder(generation, epoch))
            .join("manifest.json");
        let bytes = read(&path)?;
        let corrupt = |detail: &str| ReadError::Corrupt {
            path: path.clone(),
            detail: detail.into(),
        };
        let (sum, body) = bytes
            .split_at_checked(9)
            .ok_or_else(|| corrupt("it is too short"))?;
        let sum = std::str::from_utf8(&sum[..8])
            .ok()
            .and_then(|s| u32::from_str_radix(s, 16).ok());
        if sum != Some(crc32fast::hash(body)) {
            return Err(corrupt("its checksum is wrong"));
        }
        serde_json::from_slice(body).map_err(|error| corrupt(&error.to_string()))
    }

    /// Writes a file so that it is there whole or not at all, also after a loss of power.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        let part = path.with_extension("part");
        let written = (|| {
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        })();
        if let Err(error) = written {
            _ = fs::remove_file(&part);
            return Err(error);
        }
        sync_folder(folder)
    }

    /// Writes rows of state; `name` is unique in the epoch.
    pub(crate) fn write_table(
        &self,
        at: (u64, u64),
        name: &str,
        table: &Table,
        rows: &Batch,
    ) -> io::Result<TableFile> {
        let bytes = encode(rows, &table.hashes).map_err(io::Error::other)?;
        let file = format!("{}/{name}.arrow", Self::folder(at.0, at.1));
        self.write(&file, &bytes)?;
        Ok(TableFile {
            table: table.name.clone(),
            file,
            bytes: bytes.len() as u64,
            checksum: crc32fast::hash(&bytes),
            rows: rows.num_rows() as u64,
            hash_min: table.hashes.iter().copied().min().unwrap_or(0),
            hash_max: table.hashes.iter().copied().max().unwrap_or(0),
        })
    }

    /// Reads the rows whose hash lies in `range`; nothing is read when the file has none.
    ///
    /// # Errors
    /// The file is missing, corrupt, or the disk fails.
    pub(crate) fn read_table(
        &self,
        file: &TableFile,
        range: (u64, u64),
    ) -> Result<Option<Table>, ReadError> {
        if file.rows == 0 || file.hash_max < range.0 || file.hash_min > range.1 {
            return Ok(None);
        }
        let path = self.root.join(&file.file);
        let bytes = read(&path)?;
        let corrupt = |detail: String| ReadError::Corrupt {
            path: path.clone(),
            detail,
        };
        if bytes.len() as u64 != file.bytes {
            return Err(corrupt(format!(
                "it has {} bytes, not {}",
                bytes.len(),
                file.bytes
            )));
        }
        if crc32fast::hash(&bytes) != file.checksum {
            return Err(corrupt("its checksum is wrong".into()));
        }
        let (rows, hashes) = decode(&bytes, range).map_err(|error| corrupt(error.to_string()))?;
        Ok(Some(Table {
            name: file.table.clone(),
            rows: Some(rows),
            hashes,
        }))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ReadError::Missing(path.to_path_buf()),
        _ => ReadError::Io {
            path: path.to_path_buf(),
            source,
        },
    })
}

/// Makes renames in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The rows with their hashes as last column, as an Arrow stream.
fn encode(rows: &Batch, hashes: &[u64]) -> Result<Vec<u8>, crate::columns::ArrowError> {
    let mut fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .map(|f| (**f).clone())
        .collect();
    fields.push(Field::new("_hash", DataType::UInt64, false));
    let schema = Arc::new(Schema::new(fields));
    let hashes: ArrayRef = Arc::new(UInt64Array::from(hashes.to_vec()));
    let columns = rows.columns().iter().cloned().chain([hashes]).collect();
    let batch = Batch::try_new(schema.clone(), columns)?;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(4096), &schema)?;
    writer.write(&batch)?;
    writer.into_inner()
}

fn decode(
    bytes: &[u8],
    range: (u64, u64),
) -> Result<(Batch, Vec<u64>), crate::columns::ArrowError> {
    let mut parts = Vec::new();
    let reader = StreamReader::try_new(bytes, None)?;
    let schema = reader.schema();
    for batch in reader {
        let batch = batch?;
        let hashes: &UInt64Array = typed(batch.column(batch.num_columns() - 1));
        let own: BooleanArray = hashes
            .values()
            .iter()
            .map(|h| Some(range.0 <= *h && *h <= range.1))
            .collect();
        parts.push(arrow_select::filter::filter_record_batch(&batch, &own)?);
    }
    let whole = crate::columns::concat(&schema, &parts)?;
    let last = whole.num_columns() - 1;
    let hashes = typed::<UInt64Array>(whole.column(last)).values().to_vec();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(whole.num_rows()));
    let fields: Vec<_> = schema.fields().iter().take(last).cloned().collect();
    let columns = whole.columns()[..last].to_vec();
    Ok((
        Batch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?,
        hashes,
    ))
}
