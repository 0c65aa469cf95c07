//! What was acknowledged survives: kills, failed fsyncs, a full disk, a lost disk, power loss.

#[path = "support/child.rs"]
mod child;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use child::{Process, say};
use store::{CommitError, EmbeddedStore, Event, Keys, Options, Revision, Store, Watch};

const IN_A_MOUNT_NAMESPACE: &[&str] = &["unshare", "-m", "--propagation", "private"];

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(what)
}

fn open(directory: &Path) -> EmbeddedStore {
    EmbeddedStore::open(directory, Options::default()).expect("it opens")
}

/// All that a child says until it ends.
fn hear_all(wrapper: &[&str], role: &str, directory: &Path) -> Vec<String> {
    let mut process = Process::start(wrapper, role, directory);
    std::iter::from_fn(|| process.hear()).collect()
}

/// Not a promise: what the children of the tests below do.
#[test]
fn as_child() {
    let Some((role, directory)) = child::role() else {
        return;
    };
    match role.as_str() {
        "write" => run(write(open(&directory), 100)),
        "write much" => run(write(open(&directory), 40_000)),
        "write until it fails" => run(write_until_it_fails(&directory)),
        "fill the disk" => run(fill_the_disk(&directory)),
        "lose the disk" => run(lose_the_disk(&directory)),
        "lose power" => lose_power(&directory),
        other => panic!("no such role: {other}"),
    }
}

/// Four writers for ever, each with a key and a count; and compaction now and then.
async fn write(store: EmbeddedStore, bytes: usize) {
    let store = Arc::new(store);
    let writer = |writer: usize, store: Arc<EmbeddedStore>| async move {
        let key = format!("w/{writer}");
        let found = store.get(key.as_bytes()).await.expect("it is read");
        let mut count = found.map_or(0, |item| item.version);
        loop {
            count += 1;
            let value = format!("{count}:{}", "x".repeat(bytes));
            let revision = store.put(key.clone(), value).await.expect("it is put");
            say(&format!("ack {writer} {count} {revision}"));
            if count % 64 == 0 {
                let back = Revision(revision.0.saturating_sub(100));
                store.compact(back).await.expect("it is compacted");
            }
        }
    };
    for number in 1..4 {
        tokio::spawn(writer(number, Arc::clone(&store)));
    }
    writer(0, store).await;
}

/// What was acknowledged, of all lives of a store.
#[derive(Default)]
struct Acknowledged {
    /// Writer to its newest count.
    counts: BTreeMap<u64, u64>,
    /// Revision to who wrote it: no other write may ever have that revision.
    revisions: BTreeMap<u64, (u64, u64)>,
}

impl Acknowledged {
    fn hear(&mut self, words: &str) -> bool {
        let numbers: Vec<u64> = words
            .strip_prefix("ack ")
            .map(|rest| rest.split(' ').filter_map(|n| n.parse().ok()).collect())
            .unwrap_or_default();
        let [writer, count, revision] = numbers[..] else {
            return false;
        };
        let other = self.revisions.insert(revision, (writer, count));
        assert_eq!(other, None, "revision {revision} was given twice");
        self.counts.insert(writer, count);
        true
    }

    /// Compares with what is there: the newest values, and every kept change.
    async fn check(&self, store: &EmbeddedStore) {
        let status = store.status().await.expect("it is read");
        let newest = self.revisions.keys().next_back().copied().unwrap_or(0);
        assert!(
            status.revision.0 >= newest,
            "revision {newest} was acknowledged"
        );
        for (writer, count) in &self.counts {
            let found = store
                .get(format!("w/{writer}").as_bytes())
                .await
                .expect("it is read");
            let found = found.map_or(0, |item| item.version);
            assert!(
                found >= *count,
                "writer {writer}: {count} acknowledged, {found} there"
            );
        }
        let from = status.compacted.next();
        let mut watch = store
            .watch(Keys::prefix(""), from)
            .await
            .expect("it is kept");
        for revision in from.0..=status.revision.0 {
            let change = watch.next().await.expect("it is kept");
            assert_eq!(change.revision.0, revision, "no gap");
            let [Event::Put(item)] = change.events.as_slice() else {
                panic!("one put each: {change:?}");
            };
            if let Some((writer, count)) = self.revisions.get(&revision) {
                assert_eq!(item.key, format!("w/{writer}"));
                assert_eq!(item.version, *count);
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_and_no_revision_is_given_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Acknowledged::default();
    for round in 0..36_usize {
        let role = if round % 3 == 0 {
            "write much"
        } else {
            "write"
        };
        let mut writer = Process::start(&[], role, directory.path());
        // Ends at a different place each time, also during the very first commits.
        let enough = 1 + round * 37 % 190;
        let mut heard = 0;
        while heard < enough {
            let words = writer.hear().expect("it writes until it is killed");
            heard += usize::from(acknowledged.hear(&words));
        }
        writer.child.kill().expect("the child is ours");
        while let Some(words) = writer.hear() {
            acknowledged.hear(&words);
        }
        drop(writer);
        run(async {
            let store = open(directory.path());
            acknowledged.check(&store).await;
            if round % 2 == 0 {
                // A clean end in between; the other rounds leave the recovered log as it is.
                store.close().await;
            }
        });
    }
    assert!(
        acknowledged.revisions.len() > 1_000,
        "too little was written to show anything"
    );
}

async fn write_until_it_fails(directory: &Path) {
    let Ok(store) = EmbeddedStore::open(directory, Options::default()) else {
        say("not opened");
        return;
    };
    for count in 1..=60 {
        match store.put("w/0", "x").await {
            Ok(revision) => say(&format!("ack 0 {count} {revision}")),
            Err(error) => {
                assert!(matches!(error, CommitError::Failed(_)), "{error}");
                check_that_it_stopped(&store).await;
                say("failed");
                return;
            }
        }
    }
    say("no failure");
}

/// Everything says so, also what would work: memory and disk may differ by now.
async fn check_that_it_stopped(store: &EmbeddedStore) {
    let wait = tokio::time::timeout(Duration::from_secs(10), store.failed());
    let failure = wait.await.expect("the failure is told at once");
    assert!(failure.to_string().contains("start it again"), "{failure}");
    assert_eq!(
        store.put("w/0", "y").await,
        Err(CommitError::Failed(failure.clone()))
    );
    assert!(store.get(b"w/0").await.is_err());
    assert!(store.status().await.is_err());
    let lease = store.grant(Duration::from_secs(1)).await;
    assert!(lease.is_err());
    assert!(store.watch(Keys::prefix(""), Revision(1)).await.is_err());
}

#[test]
fn the_first_fsync_error_ends_every_acknowledgement() {
    if !tools::have("strace") {
        return;
    }
    let mut failed_later = 0;
    // The n-th sync of a thread fails, and only that one: the next would say that all is well.
    for nth in [1, 2, 3, 4, 7, 20, 45] {
        let directory = tempfile::tempdir().expect("a directory");
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
        let said = hear_all(&strace, "write until it fails", directory.path());
        let mut acknowledged = Acknowledged::default();
        for words in &said {
            acknowledged.hear(words);
        }
        let verdict = said.last().map(String::as_str);
        assert!(
            matches!(verdict, Some("failed" | "not opened")),
            "sync {nth}: {said:?}"
        );
        failed_later += usize::from(verdict == Some("failed") && said.len() > 2);
        run(async { acknowledged.check(&open(directory.path())).await });
    }
    assert!(
        failed_later >= 2,
        "the fault has to strike after acknowledged writes, too"
    );
    // And without the fault there is no failure.
    let directory = tempfile::tempdir().expect("a directory");
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync",
    ];
    let said = hear_all(&strace, "write until it fails", directory.path());
    assert_eq!(said.last().map(String::as_str), Some("no failure"));
}

fn in_a_mount_namespace(role: &str) {
    if !(tools::have("unshare") && tools::have("mkfs.ext4") && tools::may_mount()) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let said = hear_all(IN_A_MOUNT_NAMESPACE, role, directory.path());
    assert_eq!(
        said.last().map(String::as_str),
        Some("as promised"),
        "{said:?}"
    );
}

#[test]
fn a_full_disk_refuses_values_and_goes_on_with_reads_and_deletes() {
    in_a_mount_namespace("fill the disk");
}

async fn fill_the_disk(directory: &Path) {
    let place = directory.display();
    tools::sh(&format!("mount -t tmpfs -o size=32m tmpfs {place}"));
    let store = open(&directory.join("store"));
    let value = vec![7; 300_000];
    let mut count = 0;
    let error = loop {
        match store.put(format!("k/{count}"), value.clone()).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::NoSpace { .. }), "{error}");
    assert!(count > 10, "{count} fit");
    let found = store.get(b"k/3").await.expect("reads go on");
    assert_eq!(found.map(|item| item.value.len()), Some(value.len()));
    assert!(
        store.put("small", "x").await.is_err(),
        "space is kept for deletes"
    );
    for key in 0..count {
        store
            .delete(format!("k/{key}"))
            .await
            .expect("deletes go on");
    }
    let head = store.status().await.expect("reads go on").revision;
    store.compact(head).await.expect("compaction goes on");
    tools::sh(&format!("mount -o remount,size=64m {place}"));
    store.put("small", "x").await.expect("there is space again");
    store.close().await;
    let store = open(&directory.join("store"));
    assert_eq!(store.status().await.expect("it is read").keys, 1);
    say("as promised");
}

#[test]
fn a_disk_that_loses_writes_ends_every_acknowledgement() {
    in_a_mount_namespace("lose the disk");
}

/// A real error from a real file system: its device is a file on a disk that is full.
async fn lose_the_disk(directory: &Path) {
    let place = directory.display();
    tools::sh(&format!(
        "mount -t tmpfs -o size=24m tmpfs {place} && mkdir {place}/disk &&
         truncate -s 64M {place}/image && mkfs.ext4 -q -E nodiscard {place}/image &&
         mount -o loop,errors=continue {place}/image {place}/disk"
    ));
    let store = open(&directory.join("disk/store"));
    store.put("before", "x").await.expect("it is put");
    // It says that the disk is full, which is what is wanted.
    tools::sh(&format!("cat /dev/zero > {place}/hog 2>/dev/null; true"));
    let begun = Instant::now();
    let mut count = 0;
    let error = loop {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{count} writes went through"
        );
        match store.put(format!("k/{count}"), vec![7; 200_000]).await {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::Failed(_)), "{error}");
    check_that_it_stopped(&store).await;
    say("as promised");
}

#[test]
fn nothing_acknowledged_is_lost_by_a_power_loss() {
    in_a_mount_namespace("lose power");
}

/// What the image holds while the writer is stopped is what a disk would hold: the page cache of
/// the file system in it is not there.
fn lose_power(directory: &Path) {
    let place = directory.display();
    tools::sh(&format!(
        "mkdir {place}/disk {place}/after && truncate -s 96M {place}/image &&
         mkfs.ext4 -q {place}/image && mount -o loop,commit=3000 {place}/image {place}/disk"
    ));
    let mut acknowledged = Acknowledged::default();
    let store = directory.join("disk/store");
    let mut writer = Process::start(&[], "write much", &store);
    let pid = writer.child.id();
    for round in 0..8 {
        for _ in 0..=(round * 31 % 90) {
            acknowledged.hear(&writer.hear().expect("it writes"));
        }
        tools::sh(&format!(
            "kill -STOP {pid} && cp --sparse=always {place}/image {place}/crash;
             kill -CONT {pid} && mount -o loop {place}/crash {place}/after"
        ));
        run(async {
            acknowledged
                .check(&open(&directory.join("after/store")))
                .await
        });
        tools::sh(&format!("umount {place}/after"));
    }
    drop(writer);
    say("as promised");
}
