//! store: durable commits per second, beside what this disk can do at most.
//!
//! Two floors: appending makes the file grow, which is a second thing to make durable; writing in
//! place, into a file that has its length, is what a log with reserved space pays.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{EmbeddedStore, Options, load};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::report::{Section, table};
use crate::units::{median, rate, to_f64};

const VALUE_BYTES: usize = 100;
const WRITERS: &[usize] = &[1, 64];
/// Short, because a disk is not as fast one second as the next.
const ROUND: Duration = Duration::from_millis(150);

/// Measures the floors and the store in turn.
///
/// # Errors
/// If the store or the scratch folder cannot be made, or a commit fails.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let rounds = if quick { 5 } else { 31 };
    // Beside this program: a folder for temporary files may be memory, where durable costs nothing.
    let program = std::env::current_exe()?;
    let beside = program.parent().ok_or("this program is in no folder")?;
    let scratch = tempfile::tempdir_in(beside)?;
    let bench = Bench::new(scratch.path())?;
    let mut rows = Vec::new();
    for &writers in WRITERS {
        eprintln!("store: {writers} writers");
        let rounds: Vec<Round> = (0..rounds)
            .map(|_| bench.round(writers))
            .collect::<Result<_, _>>()?;
        let shown = |of: fn(&Round) -> f64| rate(median(rounds.iter().map(of).collect()));
        let ratio = median(
            rounds
                .iter()
                .map(|round| round.commits / round.in_place)
                .collect(),
        );
        rows.push(vec![
            writers.to_string(),
            shown(|round| round.commits),
            shown(|round| round.in_place),
            shown(|round| round.append),
            format!("{ratio:.2}"),
        ]);
    }
    let header = [
        "writers",
        "commits/s",
        "floor in place",
        "floor append",
        "commits to in place",
    ];
    let body = format!(
        "Puts of {VALUE_BYTES} bytes through the embedded store, each acknowledged when durable. \
         The floors are one thread that writes as many bytes and calls `fdatasync` each time, in \
         place or at the end of a growing file.\n\n{}\n",
        table(&header, rows)
    );
    Ok(Section {
        name: "store",
        body,
    })
}

/// Writes per second, measured one right after the other.
struct Round {
    commits: f64,
    in_place: f64,
    append: f64,
}

struct Bench<'a> {
    directory: &'a Path,
    store: Arc<EmbeddedStore>,
    file: File,
    runtime: Runtime,
}

impl<'a> Bench<'a> {
    fn new(directory: &'a Path) -> Result<Self, Failure> {
        let file = File::create_new(directory.join("in-place"))?;
        file.write_all_at(&vec![0; FILE_BYTES], 0)?;
        file.sync_all()?;
        let store = EmbeddedStore::open(directory.join("store"), Options::default())?;
        Ok(Self {
            directory,
            store: Arc::new(store),
            file,
            runtime: Runtime::new()?,
        })
    }

    fn round(&self, writers: usize) -> Result<Round, Failure> {
        let puts = load::puts(Arc::clone(&self.store), writers, VALUE_BYTES, ROUND);
        Ok(Round {
            in_place: in_place(&self.file)?,
            commits: self.runtime.block_on(puts)?.per_second(),
            append: load::floor(self.directory, VALUE_BYTES, ROUND)?.per_second(),
        })
    }
}

const FILE_BYTES: usize = 4 << 20;

/// Writes per second into a file that has its length, an `fdatasync` after each.
fn in_place(file: &File) -> io::Result<f64> {
    let record = [b'v'; VALUE_BYTES];
    let begun = Instant::now();
    let mut writes = 0_u64;
    while begun.elapsed() < ROUND {
        let slot = writes % (FILE_BYTES / VALUE_BYTES) as u64;
        file.write_all_at(&record, slot * VALUE_BYTES as u64)?;
        file.sync_data()?;
        writes += 1;
    }
    Ok(to_f64(writes) / begun.elapsed().as_secs_f64())
}
