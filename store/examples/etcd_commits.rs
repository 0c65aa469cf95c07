//! How many durable commits a second through etcd, beside the embedded engine on the same disk.
//!
//! `cargo run --release -p store --features etcd --example etcd_commits -- HOST:PORT DIRECTORY`,
//! with an etcd at that address whose data lies on the disk of that directory.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use store::{EmbeddedStore, EtcdOptions, EtcdStore, Options, Store, load};

const VALUE_BYTES: usize = 100;
/// They take turns, because a disk is not as fast one minute as the next.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(endpoint), Some(directory)) = (words.next(), words.next()) else {
        return Err("name an etcd, as in 127.0.0.1:2379, and a directory on its disk".into());
    };
    let options = EtcdOptions::new(vec![endpoint], format!("/bench/{}/", std::process::id()));
    let etcd = Arc::new(EtcdStore::connect(options).await?);
    let scratch = tempfile::tempdir_in(directory)?;
    let place = scratch.path().join("store");
    let embedded = Arc::new(EmbeddedStore::open(place, Options::default())?);
    println!(
        "{:>8} {:>12} {:>12} {:>7}",
        "writers", "etcd/s", "embedded/s", "ratio"
    );
    for writers in [1, 8, 64, 256] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let there = load::puts(Arc::clone(&etcd), writers, VALUE_BYTES, ROUND).await?;
            let here = load::puts(Arc::clone(&embedded), writers, VALUE_BYTES, ROUND).await?;
            let (there, here) = (there.per_second(), here.per_second());
            rounds.push((there / here, there, here));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, there, here) = rounds[ROUNDS / 2];
        println!("{writers:>8} {there:>12.0} {here:>12.0} {ratio:>7.3}");
    }
    println!("{:?}", etcd.status().await?);
    Ok(())
}
