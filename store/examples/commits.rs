//! How many durable commits a second, beside what this disk can do at most.
//!
//! `cargo run --release -p store --example commits [DIRECTORY]`

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use store::{EmbeddedStore, Options, Store, load};

const VALUE_BYTES: usize = 100;
/// Floor and store take turns, because a disk is not as fast one minute as the next.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os()
        .nth(1)
        .map_or(PathBuf::from("."), PathBuf::from);
    let scratch = tempfile::tempdir_in(directory)?;
    let place = scratch.path().join("store");
    let store = Arc::new(EmbeddedStore::open(place, Options::default())?);
    println!(
        "{:>8} {:>12} {:>12} {:>7}",
        "writers", "commits/s", "floor/s", "ratio"
    );
    for writers in [1, 8, 64, 256] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let floor = load::floor(scratch.path(), VALUE_BYTES, ROUND)?.per_second();
            let ours = load::puts(Arc::clone(&store), writers, VALUE_BYTES, ROUND).await?;
            rounds.push((ours.per_second() / floor, ours.per_second(), floor));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, ours, floor) = rounds[ROUNDS / 2];
        println!("{writers:>8} {ours:>12.0} {floor:>12.0} {ratio:>7.2}");
    }
    println!("{:?}", store.status().await?);
    Ok(())
}
