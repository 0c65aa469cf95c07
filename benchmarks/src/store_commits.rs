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

use crate::Failure;
use crate::report::{Section, table};
use crate::units::{median, rate, to_f64};

const VALUE_BYTES: usize = 100;
const WRITERS: &[usize] = &[1, 64];

/// Measures the floor and the store in turn, because a disk is not as fast one minute as the next.
///
/// # Errors
/// If the store or the scratch folder cannot be made, or a commit fails.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let (rounds, lasting) = if quick { (3, 200) } else { (7, 700) };
    let lasting = Duration::from_millis(lasting);
    // Beside this program: a folder for temporary files may be memory, where durable costs nothing.
    let program = std::env::current_exe()?;
    let beside = program.parent().ok_or("this program is in no folder")?;
    let scratch = tempfile::tempdir_in(beside)?;
    let store = EmbeddedStore::open(scratch.path().join("store"), Options::default())?;
    let store = Arc::new(store);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rows = Vec::new();
    for &writers in WRITERS {
        eprintln!("store: {writers} writers");
        let (mut ours, mut appends, mut in_places) = (Vec::new(), Vec::new(), Vec::new());
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            appends.push(load::floor(scratch.path(), VALUE_BYTES, lasting)?.per_second());
            let in_place = in_place(scratch.path(), lasting)?;
            let puts = load::puts(Arc::clone(&store), writers, VALUE_BYTES, lasting);
            let commits = runtime.block_on(puts)?.per_second();
            ours.push(commits);
            in_places.push(in_place);
            ratios.push(commits / in_place);
        }
        rows.push(vec![
            writers.to_string(),
            rate(median(ours)),
            rate(median(in_places)),
            rate(median(appends)),
            format!("{:.2}", median(ratios)),
        ]);
    }
    let header = ["writers", "commits/s", "floor", "ratio"];
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

/// Writes per second into a file that has its length, an `fdatasync` after each.
fn in_place(directory: &Path, lasting: Duration) -> io::Result<f64> {
    const FILE_BYTES: usize = 4 << 20;
    let path = directory.join("in-place");
    let file = File::create_new(&path)?;
    file.write_all_at(&vec![0; FILE_BYTES], 0)?;
    file.sync_all()?;
    let record = [b'v'; VALUE_BYTES];
    let begun = Instant::now();
    let mut writes = 0_u64;
    while begun.elapsed() < lasting {
        let slot = writes % (FILE_BYTES / VALUE_BYTES) as u64;
        file.write_all_at(&record, slot * VALUE_BYTES as u64)?;
        file.sync_data()?;
        writes += 1;
    }
    let elapsed = begun.elapsed();
    std::fs::remove_file(&path)?;
    Ok(to_f64(writes) / elapsed.as_secs_f64())
}
