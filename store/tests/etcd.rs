//! The engine over etcd keeps every promise of the trait, over a real etcd; and what only a server
//! that can be away has to show.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use store::conformance::{self, Fixture};
use store::{
    CommitError, Compare, EmbeddedStore, EtcdOptions, EtcdStore, Keys, Op, Options, Range,
    ReadError, Store, Txn, Watch, WatchError,
};
use tempfile::TempDir;

store::conformance_tests!(Etcd::new());

/// A start of etcd and its election take a second; a busy machine needs more.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// An etcd of this test's own, ended with it.
struct Etcd {
    directory: TempDir,
    clients: SocketAddr,
    peers: SocketAddr,
    /// Its name among its members.
    name: String,
    /// All members, with their names.
    cluster: String,
    arguments: Vec<String>,
    process: Mutex<Option<Child>>,
}

impl Etcd {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[&str]) -> Self {
        let (clients, peers) = addresses();
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Self {
            directory: TempDir::new().expect("a directory for the test"),
            clients,
            peers,
            name: "test".to_owned(),
            cluster: format!("test=http://{peers}"),
            arguments: arguments.collect(),
            process: Mutex::new(None),
        }
    }

    /// Three that make one cluster.
    fn three() -> [Self; 3] {
        let mut members = [Self::new(), Self::new(), Self::new()];
        let named = |(at, member): (usize, &Self)| format!("m{at}=http://{}", member.peers);
        let cluster: Vec<String> = members.iter().enumerate().map(named).collect();
        for (at, member) in members.iter_mut().enumerate() {
            member.name = format!("m{at}");
            member.cluster = cluster.join(",");
        }
        members
    }

    fn start(&self) {
        let (clients, peers) = (
            format!("http://{}", self.clients),
            format!("http://{}", self.peers),
        );
        // Whatever ends this test ends its etcd.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "etcd", "--name", &self.name])
            .args(["--listen-client-urls", &clients])
            .args(["--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers])
            .args(["--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &self.cluster])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500"])
            .args(["--logger", "zap", "--log-level", "error"])
            .args(&self.arguments)
            .arg("--data-dir")
            .arg(self.directory.path().join("etcd"))
            .stdout(Stdio::null())
            .spawn()
            .expect("etcd starts: apt-get install etcd-server");
        *self.process.lock().expect("no test panics meanwhile") = Some(child);
    }

    fn kill(&self) {
        let process = self
            .process
            .lock()
            .expect("no test panics meanwhile")
            .take();
        if let Some(mut process) = process {
            process.kill().expect("it is killed");
            process.wait().expect("it ends");
        }
    }

    fn options(&self, prefix: &'static str) -> EtcdOptions {
        EtcdOptions::new(vec![self.clients.to_string()], prefix)
    }

    /// The store under `prefix`, as soon as etcd answers.
    async fn connect(&self, prefix: &'static str) -> EtcdStore {
        let begun = Instant::now();
        loop {
            match EtcdStore::connect(self.options(prefix)).await {
                Ok(store) => return store,
                Err(error) => assert!(begun.elapsed() < START_PATIENCE, "{error}"),
            }
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Etcd cannot be asked which port it got. All of 127/8 is this machine, so a test takes an
/// address that has its process's number in it, and no other test can have the same.
fn addresses() -> (SocketAddr, SocketAddr) {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 64 | (high & 63), middle, low.max(1));
    let port = NEXT.fetch_add(2, Ordering::Relaxed);
    let at = |port| SocketAddr::new(host.into(), port);
    (at(port), at(port + 1))
}

impl Fixture for Etcd {
    type Store = EtcdStore;

    async fn open(&self) -> EtcdStore {
        self.start();
        self.connect("/orrery/test/").await
    }

    async fn restart(&self, store: EtcdStore) -> EtcdStore {
        drop(store);
        self.kill();
        self.start();
        self.connect("/orrery/test/").await
    }

    fn free_path(&self) -> PathBuf {
        self.directory.path().join("backup.sqlite")
    }
}

#[test]
fn stores_of_one_cluster_do_not_see_each_other() {
    conformance::run(async {
        let etcd = Etcd::new();
        etcd.start();
        let (one, other) = (etcd.connect("/a/").await, etcd.connect("/b/").await);
        let revision = one.put("key", "one").await.expect("the put is taken");
        let next = other.put("key", "other").await.expect("the put is taken");
        assert!(next > revision, "one sequence of revisions");
        let found = one.get(b"key").await.expect("the key is read");
        assert_eq!(found.expect("it is there").value, "one");
        let all = other.range(Range::prefix("")).await;
        assert_eq!(all.expect("the range is read").items.len(), 1);
        let mut watch = one
            .watch(Keys::prefix(""), revision.next())
            .await
            .expect("the watch begins");
        one.put("later", "x").await.expect("the put is taken");
        let change = watch.next().await.expect("the watch goes on");
        assert_eq!(change.events[0].key(), "later", "nothing of the other");
    });
}

#[test]
fn a_cluster_that_is_away_is_said_to_be_and_nothing_is_lost_when_it_comes_back() {
    conformance::run(async {
        let etcd = Etcd::new();
        etcd.start();
        let mut options = etcd.options("/orrery/");
        etcd.connect("/orrery/").await;
        options.patience = Duration::from_millis(500);
        let store = EtcdStore::connect(options).await.expect("it answers");
        let first = store.put("a", "1").await.expect("the put is taken");
        let mut watch = store
            .watch(Keys::prefix(""), first)
            .await
            .expect("the watch begins");
        watch.next().await.expect("what is there is told");

        etcd.kill();
        let ended = watch.next().await;
        assert!(
            matches!(ended, Err(WatchError::Unavailable { .. })),
            "{ended:?}"
        );
        let read = store.get(b"a").await;
        assert!(
            matches!(read, Err(ReadError::Unavailable { .. })),
            "{read:?}"
        );
        let commit = store.put("a", "2").await;
        assert!(
            matches!(commit, Err(CommitError::Unknown { .. })),
            "{commit:?}"
        );

        etcd.start();
        let begun = Instant::now();
        let found = loop {
            match store.get(b"a").await {
                Ok(found) => break found.expect("it was acknowledged"),
                Err(error) => assert!(begun.elapsed() < START_PATIENCE, "{error}"),
            }
        };
        assert_eq!((found.value.as_ref(), found.modified), (&b"1"[..], first));
        let from = watch.position();
        let again = store.put("a", "3").await.expect("the same handle writes");
        let mut watch = store
            .watch(Keys::prefix(""), from)
            .await
            .expect("the watch goes on");
        let change = watch.next().await.expect("the watch goes on");
        assert_eq!(change.revision, again, "no gap, nothing twice");
    });
}

#[test]
fn a_full_cluster_refuses_writes_and_goes_on_reading() {
    conformance::run(async {
        let etcd = Etcd::with(&["--quota-backend-bytes", "2000000"]);
        etcd.start();
        let store = etcd.connect("/orrery/").await;
        store.put("a", "1").await.expect("the put is taken");
        let refused = loop {
            if let Err(error) = store.put("big", vec![7; 500_000]).await {
                break error;
            }
        };
        assert!(matches!(refused, CommitError::NoSpace { .. }), "{refused}");
        let found = store.get(b"a").await.expect("reads go on");
        assert_eq!(found.expect("it is there").value, "1");
    });
}

#[test]
fn nobody_there_is_an_error_that_names_the_place() {
    conformance::run(async {
        let etcd = Etcd::new();
        let mut options = etcd.options("/orrery/");
        options.patience = Duration::from_millis(300);
        let refused = EtcdStore::connect(options).await.err();
        let text = refused.expect("nobody listens there").to_string();
        assert!(text.contains(&etcd.clients.to_string()), "{text}");
        let nowhere = EtcdOptions::new(vec![etcd.clients.to_string()], "");
        let refused = EtcdStore::connect(nowhere).await.err();
        let text = refused.expect("every key of the cluster is no store");
        assert!(text.to_string().contains("prefix"), "{text}");
    });
}

#[test]
fn state_moves_from_one_machine_to_etcd_and_back() {
    conformance::run(async {
        let etcd = Etcd::new();
        etcd.start();
        let there = etcd.connect("/orrery/").await;
        let open = |name: &str| {
            let folder = etcd.directory.path().join(name);
            EmbeddedStore::open(folder, Options::default()).expect("it opens")
        };
        let (here, back) = (open("here"), open("back"));
        for index in 0..700 {
            let key = format!("k/{index:04}");
            here.put(key, vec![1; 4_000]).await.expect("it is taken");
        }
        let lease = here.grant(Duration::from_secs(60)).await.expect("granted");
        let leased = Txn::of(vec![Op::put_leased("leased", "x", lease.id)]);
        here.commit(leased).await.expect("it is taken");

        let copied = store::copy(&here, &there).await.expect("it is copied");
        assert_eq!(copied.keys, 701);
        store::copy(&there, &back).await.expect("it is copied back");
        let all = |answer: store::RangeAnswer| {
            let pairs = answer.items.into_iter();
            pairs.map(|item| (item.key, item.value)).collect::<Vec<_>>()
        };
        let before = all(here.range(Range::prefix("")).await.expect("it is read"));
        let after = all(back.range(Range::prefix("")).await.expect("it is read"));
        assert_eq!(before, after);
        let leased = back.get(b"leased").await.expect("it is read");
        let lease = leased.expect("it is there").lease.expect("it has a lease");
        let kept = back.keep_alive(lease).await.expect("the lease lives");
        assert_eq!(kept.ttl, Duration::from_secs(60));
        let again = store::copy(&here, &there).await;
        let text = again.expect_err("it is not empty").to_string();
        assert!(text.contains("name an empty one"), "{text}");
    });
}

/// Raises a counter by one, for as long as it takes, and leaves a record of it that can be made
/// only once: what whoever has a `CommitError::Unknown` has to do.
async fn raise(store: &EtcdStore, acknowledged: u64) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < START_PATIENCE, "stuck at {acknowledged}");
        let Ok(found) = store.get(b"count").await else {
            continue;
        };
        let count = found.map_or(0, |item| {
            String::from_utf8_lossy(&item.value)
                .parse()
                .expect("a number")
        });
        if count == acknowledged + 1 {
            return;
        }
        assert_eq!(count, acknowledged, "what was acknowledged is there, once");
        let next = (count + 1).to_string();
        let record = format!("record/{next}");
        let compare = match count {
            0 => Compare::absent("count"),
            _ => Compare::value("count", count.to_string()),
        };
        let txn = Txn::of(vec![Op::put("count", next), Op::put(record, "once")]).when(compare);
        if store.commit(txn).await.is_ok_and(|done| done.succeeded) {
            return;
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_done_twice_when_each_of_three_members_is_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the test");
    runtime.block_on(async {
        let members = Etcd::three();
        for member in &members {
            member.start();
        }
        let endpoints = members.iter().map(|member| member.clients.to_string());
        let mut options = EtcdOptions::new(endpoints.collect(), "/orrery/");
        options.patience = Duration::from_secs(1);
        let begun = Instant::now();
        let store = loop {
            match EtcdStore::connect(options.clone()).await {
                Ok(store) => break store,
                Err(error) => assert!(begun.elapsed() < START_PATIENCE, "{error}"),
            }
        };
        let mut acknowledged = 0;
        // Whoever leads at first leads until its turn, so that at least one leader is killed.
        for member in &members {
            for down in [false, true] {
                if down {
                    member.kill();
                }
                for _ in 0..25 {
                    raise(&store, acknowledged).await;
                    acknowledged += 1;
                }
            }
            member.start();
        }
        let records = store.range(Range::prefix("record/")).await;
        let records = records.expect("the range is read").items;
        assert_eq!(records.len(), 150);
        assert!(records.iter().all(|item| item.version == 1), "each once");
    });
}

#[test]
fn a_watch_at_a_member_that_lost_its_leader_ends_instead_of_going_silent() {
    conformance::run(async {
        let members = Etcd::three();
        for member in &members {
            member.start();
        }
        let store = members[0].connect("/orrery/").await;
        let revision = store.put("a", "1").await.expect("the put is taken");
        let mut watch = store
            .watch(Keys::prefix(""), revision)
            .await
            .expect("the watch begins");
        watch.next().await.expect("what is there is told");
        members[1].kill();
        members[2].kill();
        let ended = watch.next().await;
        assert!(
            matches!(ended, Err(WatchError::Unavailable { .. })),
            "{ended:?}"
        );
    });
}
