//! A store that was changed behind our back is served as it was, or refused; never otherwise.

#[path = "support/child.rs"]
mod child;

use std::path::{Path, PathBuf};
use std::time::Duration;

use child::{Process, say};
use store::{EmbeddedStore, Op, OpenError, Options, Range, RangeAnswer, Revision, Store, Txn};

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(what)
}

fn open(directory: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(directory, Options::default())
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// Something of everything: values of all sizes, deletes, a lease, compacted and kept history.
async fn fill(store: &EmbeddedStore) {
    let lease = store
        .grant(Duration::from_secs(3600))
        .await
        .expect("it is granted");
    for index in 0..120 {
        let value = vec![b'v'; 1 << (index % 13)];
        store
            .put(format!("k/{}", index % 40), value)
            .await
            .expect("it is put");
    }
    let leased = Op::put_leased("leased", "x", lease.id);
    store
        .commit(Txn::of(vec![leased]))
        .await
        .expect("it is put");
    store.delete("k/7").await.expect("it is deleted");
    store.compact(Revision(60)).await.expect("it is compacted");
}

/// All that can be read: the present, and every kept revision.
async fn all(store: &EmbeddedStore) -> Vec<RangeAnswer> {
    let status = store.status().await.expect("it is read");
    let mut answers = Vec::new();
    for at in status.compacted.0..=status.revision.0 {
        let then = Range::prefix("").at(Revision(at));
        answers.push(store.range(then).await.expect("it is read"));
    }
    answers
}

/// A cleanly closed store: one file that holds everything.
fn closed() -> (tempfile::TempDir, PathBuf, Vec<RangeAnswer>) {
    let directory = tempfile::tempdir().expect("a directory");
    let answers = run(async {
        let store = open(directory.path()).expect("it opens");
        fill(&store).await;
        let answers = all(&store).await;
        store.close().await;
        answers
    });
    let file = directory.path().join("store.sqlite");
    (directory, file, answers)
}

fn assert_same_or_refused(directory: &Path, wanted: &[RangeAnswer], what: &str) -> bool {
    match open(directory) {
        Ok(store) => {
            assert!(
                run(all(&store)) == wanted,
                "{what}: served, and not the same"
            );
            // And it can be written: damage in what is free does not spread.
            run(store.put("after", "x")).expect("it is put");
            drop(store);
            let again = open(directory).unwrap_or_else(|error| panic!("{what}: {error}"));
            let found = run(again.get(b"after")).expect("it is read");
            assert!(found.is_some(), "{what}: what was put afterwards is gone");
            false
        }
        Err(OpenError::Damaged { what: why, .. }) => {
            assert!(!why.is_empty());
            true
        }
        Err(OpenError::Version { .. }) => true,
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn a_flipped_bit_in_the_database_is_found_or_did_not_matter() {
    let (directory, file, wanted) = closed();
    let sound = std::fs::read(&file).expect("it is read");
    let mut numbers = Numbers(1);
    let mut refused = 0;
    for _ in 0..400 {
        let (byte, bit) = (numbers.below(sound.len()), numbers.below(8));
        let mut changed = sound.clone();
        changed[byte] ^= 1 << bit;
        std::fs::write(&file, &changed).expect("it is written");
        let what = format!("bit {bit} of byte {byte}");
        refused += usize::from(assert_same_or_refused(directory.path(), &wanted, &what));
        remove_log(directory.path());
    }
    assert!(
        refused > 100,
        "most of the file matters, {refused} of 400 were refused"
    );
    std::fs::write(&file, &sound).expect("it is written");
    assert!(!assert_same_or_refused(
        directory.path(),
        &wanted,
        "the sound file"
    ));
}

fn remove_log(directory: &Path) {
    for name in ["store.sqlite-wal", "store.sqlite-shm"] {
        let _ = std::fs::remove_file(directory.join(name));
    }
}

#[test]
fn a_flipped_bit_in_the_head_of_each_page_is_found_or_did_not_matter() {
    let (directory, file, wanted) = closed();
    let sound = std::fs::read(&file).expect("it is read");
    // Where SQLite keeps its own books: the file's header, and how many rows a page has.
    let heads = (0..sound.len()).filter(|byte| *byte < 100 || byte % 4096 < 12);
    for byte in heads {
        let mut changed = sound.clone();
        changed[byte] ^= 1 << (byte % 8);
        std::fs::write(&file, &changed).expect("it is written");
        assert_same_or_refused(directory.path(), &wanted, &format!("byte {byte}"));
        remove_log(directory.path());
    }
}

#[test]
fn a_database_that_was_cut_is_refused() {
    let (directory, file, wanted) = closed();
    let sound = std::fs::read(&file).expect("it is read");
    let mut numbers = Numbers(2);
    let cuts = (0..60).map(|_| numbers.below(sound.len()));
    for length in [0, 1, 100, 4096, sound.len() - 1].into_iter().chain(cuts) {
        std::fs::write(&file, &sound[..length]).expect("it is written");
        let what = format!("cut at {length}");
        assert!(
            assert_same_or_refused(directory.path(), &wanted, &what),
            "{what}"
        );
    }
}

#[test]
fn a_refusal_says_what_is_wrong_where_and_what_to_do() {
    let (directory, file, _) = closed();
    std::fs::write(&file, b"").expect("it is written");
    let words = open(directory.path())
        .err()
        .expect("it is refused")
        .to_string();
    for part in [
        "store.sqlite",
        "damaged",
        "restore",
        directory.path().to_str().expect("text"),
    ] {
        assert!(words.contains(part), "{part:?} in {words:?}");
    }
    std::fs::write(&file, vec![7; 9000]).expect("it is written");
    assert!(open(directory.path()).is_err(), "not a database at all");
}

/// Not a promise: the child of the tests below, which leaves its log behind.
#[test]
fn as_child() {
    let Some((_, directory)) = child::role() else {
        return;
    };
    run(async {
        let store = open(&directory).expect("it opens");
        for index in 0..60 {
            let value = vec![b'v'; 1 << (index % 13)];
            store
                .put(format!("k/{}", index % 10), value)
                .await
                .expect("it is put");
        }
        say("written");
        std::future::pending::<()>().await;
    });
}

/// A store that was killed: its newest commits are in SQLite's log only.
fn killed() -> (tempfile::TempDir, Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = Process::start(&[], "write", directory.path());
    assert_eq!(writer.hear().as_deref(), Some("written"));
    writer.child.kill().expect("the child is ours");
    drop(writer);
    let read = |name: &str| std::fs::read(directory.path().join(name)).expect("it is read");
    let (database, log) = (read("store.sqlite"), read("store.sqlite-wal"));
    assert!(log.len() > 60 * 4096, "the commits are in the log");
    (directory, database, log)
}

fn lay_out(directory: &Path, database: &[u8], log: &[u8]) {
    remove_log(directory);
    std::fs::write(directory.join("store.sqlite"), database).expect("it is written");
    std::fs::write(directory.join("store.sqlite-wal"), log).expect("it is written");
}

fn head(store: &EmbeddedStore) -> u64 {
    run(store.status()).expect("it is read").revision.0
}

#[test]
fn a_flipped_bit_in_the_log_is_refused_and_takes_no_commit_with_it() {
    let (directory, database, log) = killed();
    let mut numbers = Numbers(3);
    for round in 0..300 {
        // The log's header, the heads of frames, and anywhere.
        let byte = match round {
            0..32 => round,
            32..92 => 32 + (round - 32) * 4120 + numbers.below(24),
            _ => numbers.below(log.len()),
        };
        let mut changed = log.clone();
        changed[byte] ^= 1 << numbers.below(8);
        lay_out(directory.path(), &database, &changed);
        match open(directory.path()) {
            Err(OpenError::Damaged { file, .. }) => assert!(file.ends_with("-wal"), "{file}"),
            Err(other) => panic!("byte {byte}: {other}"),
            Ok(store) => assert_eq!(head(&store), 60, "byte {byte}: commits were dropped"),
        }
    }
    lay_out(directory.path(), &database, &log);
    assert_eq!(
        head(&open(directory.path()).expect("the sound log opens")),
        60
    );
}

#[test]
fn a_log_that_ends_anywhere_gives_all_commits_before_that() {
    let (directory, database, log) = killed();
    let mut numbers = Numbers(4);
    let mut cuts: Vec<usize> = (0..80).map(|_| numbers.below(log.len())).collect();
    cuts.extend([0, 1, 31, 32, 33, 56, log.len()]);
    cuts.sort_unstable();
    let mut newest = 0;
    for length in cuts {
        lay_out(directory.path(), &database, &log[..length]);
        let store = open(directory.path()).unwrap_or_else(|error| panic!("{length}: {error}"));
        let found = head(&store);
        assert!(found >= newest, "more of the log never gives less");
        newest = found;
    }
    assert_eq!(newest, 60);
}
