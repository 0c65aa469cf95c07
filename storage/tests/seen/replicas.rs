//! Three replicas on one folder: one leads, the others forward, and a dead leader is followed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Process};
use parking_lot::Mutex;
use rpc::{Access, CallOptions, Empty};
use storage::{
    GET_PROCEDURE, GetArgs, GetReply, Keys, LEADER_METADATA, PutArgs, Role, ScanArgs,
    StorageClient, StorageEvent, WatchArgs,
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::common::{client, start};

struct Three {
    processes: Vec<Process>,
    folder: TempDir,
}

fn three() -> Three {
    let folder = tempfile::tempdir().unwrap();
    let processes = (0..3).map(|_| start(&folder)).collect();
    Three { processes, folder }
}

impl Three {
    async fn leaders(&self) -> Vec<usize> {
        self.leaders_of(&[0, 1, 2]).await
    }

    /// Which of these lead.
    async fn leaders_of(&self, some: &[usize]) -> Vec<usize> {
        let mut leaders = Vec::new();
        for index in some {
            let asked = client(&self.processes[*index]).status(&Empty {}).await;
            if asked.unwrap().role == Role::Leader {
                leaders.push(*index);
            }
        }
        leaders
    }

    /// Ends the leader, and starts a new replica in its place.
    fn replace(&mut self, leader: usize, end: fn(&mut Process)) {
        end(&mut self.processes[leader]);
        self.processes[leader] = start(&self.folder);
    }
}

#[tokio::test]
async fn exactly_one_leads_and_the_others_say_who() {
    let three = three();
    assert_eq!(three.leaders().await, [0]);
    let leader = three.processes[0].address().to_string();
    client(&three.processes[1])
        .put(&PutArgs::new("a", "1"))
        .await
        .unwrap();
    let args = GetArgs::new("a");
    for (process, forwarded) in [
        (0, None),
        (1, Some(leader.as_str())),
        (2, Some(leader.as_str())),
    ] {
        let channel = three.processes[process].channel();
        let options = CallOptions::default();
        let reply = channel
            .call_with_metadata::<_, GetReply>(GET_PROCEDURE, Access::Read, &args, &options)
            .await
            .unwrap();
        assert_eq!(reply.value.item.unwrap().value.as_ref(), b"1");
        assert_eq!(reply.metadata.text(LEADER_METADATA), forwarded);
    }
    let status = client(&three.processes[2]).status(&Empty {}).await.unwrap();
    assert_eq!((status.role, status.leader), (Role::Follower, leader));
}

#[tokio::test]
async fn when_the_leader_dies_another_leads_at_once_and_reads_do_not_notice() {
    let mut three = three();
    let reader = client(&three.processes[1]);
    reader.put(&PutArgs::new("a", "1")).await.unwrap();
    let mut took = Vec::new();
    for generation in 2..=6 {
        let leaders = three.leaders().await;
        assert_eq!(leaders.len(), 1, "{leaders:?}");
        three.processes[leaders[0]].kill();
        let killed = Instant::now();
        let survivor = (leaders[0] + 1) % 3;
        let got = client(&three.processes[survivor])
            .get(&GetArgs::new("a"))
            .await
            .unwrap();
        took.push(killed.elapsed());
        assert_eq!(got.item.unwrap().value.as_ref(), b"1");
        three.processes[leaders[0]] = start(&three.folder);
        let status = client(&three.processes[survivor])
            .status(&Empty {})
            .await
            .unwrap();
        assert_eq!(status.generation, generation);
    }
    took.sort();
    eprintln!("a read after the leader's death takes {took:?}");
    assert!(took[2] < Duration::from_millis(500), "{took:?}");
}

/// Puts key after key through one replica; remembers what was acknowledged.
async fn write(through: StorageClient, name: usize, acknowledged: Arc<Mutex<BTreeSet<String>>>) {
    for n in 0_u64.. {
        let key = format!("w/{name}/{n:06}");
        // A write whose leader died is an error to the caller; the next one goes to the new leader.
        match through.put(&PutArgs::new(key.clone(), "x")).await {
            Ok(_) => {
                acknowledged.lock().insert(key);
            }
            Err(error) if error.reason == "cannot-connect" => return,
            Err(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_through_any_replica_is_lost_with_the_leader() {
    let mut three = three();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let mut writers = Vec::new();
    for name in 0..3 {
        let through = client(&three.processes[name]);
        writers.push(tokio::spawn(write(
            through,
            name,
            Arc::clone(&acknowledged),
        )));
    }
    for round in 0..10 {
        let before = acknowledged.lock().len();
        let deadline = Instant::now() + PATIENCE;
        while acknowledged.lock().len() < before + 50 {
            assert!(Instant::now() < deadline, "writes do not go on");
            tokio::time::sleep(Duration::from_millis(1)).await; // why: others write meanwhile
        }
        let leaders = three.leaders().await;
        assert_eq!(leaders.len(), 1, "{leaders:?}");
        // Every third one is asked to end, and hands over; nothing may be lost then either.
        let end: fn(&mut Process) = if round % 3 == 2 {
            |leader| assert!(leader.terminate().success())
        } else {
            Process::kill
        };
        three.replace(leaders[0], end);
        let through = client(&three.processes[leaders[0]]);
        let name = writers.len();
        writers.push(tokio::spawn(write(
            through,
            name,
            Arc::clone(&acknowledged),
        )));
    }
    for writer in &writers {
        writer.abort();
    }
    for writer in writers {
        // An error says that it was aborted: from here on nothing more is acknowledged.
        let _ = writer.await;
    }
    let reader = client(&three.processes[0]);
    let mut args = ScanArgs {
        keys: Keys::Prefix("w/".to_owned()),
        limit: 0,
        cursor: String::new(),
        revision: None,
    };
    let mut there = BTreeSet::new();
    loop {
        let page = reader.scan(&args).await.unwrap();
        there.extend(page.items.into_iter().map(|item| item.key));
        if page.cursor.is_empty() {
            break;
        }
        args.cursor = page.cursor;
    }
    let acknowledged = acknowledged.lock();
    let missing: Vec<&String> = acknowledged.difference(&there).collect();
    assert!(
        missing.is_empty(),
        "{} of {}: {missing:?}",
        missing.len(),
        acknowledged.len()
    );
}

#[tokio::test]
async fn a_watch_through_a_follower_goes_on_over_a_change_of_the_leader() {
    let mut three = three();
    let leader = three.leaders().await[0];
    let follower = (leader + 1) % 3;
    let other = (leader + 2) % 3;
    let watcher = client(&three.processes[follower]);
    let args = WatchArgs {
        keys: Keys::Prefix("a/".to_owned()),
        from: None,
    };
    let mut stream = watcher.watch(&args).await.unwrap();
    let mut told = Vec::new();
    let mut expected = Vec::new();
    // The first word says from where on it counts.
    timeout(PATIENCE, stream.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    for round in 0..2 {
        for n in 0..20 {
            let key = format!("a/{round}/{n}");
            let put = client(&three.processes[other])
                .put(&PutArgs::new(key, "x"))
                .await;
            expected.push(put.unwrap().revision);
        }
        while told.len() < expected.len() {
            let event = timeout(PATIENCE, stream.next()).await.unwrap();
            if let StorageEvent::Changed { revision, .. } = event.unwrap().unwrap() {
                told.push(revision);
            }
        }
        if round == 0 {
            three.replace(leader, Process::kill);
        }
    }
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_leader_that_is_asked_to_end_makes_room_at_once_though_it_is_watched() {
    let three = three();
    let leader = three.leaders().await[0];
    let (follower, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let args = WatchArgs {
        keys: Keys::Prefix(String::new()),
        from: None,
    };
    let _direct = client(&three.processes[leader]).watch(&args).await.unwrap();
    let mut through = client(&three.processes[follower])
        .watch(&args)
        .await
        .unwrap();
    let first = timeout(PATIENCE, through.next()).await.unwrap();
    first.unwrap().unwrap();
    three.processes[leader].signal(rustix::process::Signal::TERM);
    let asked = Instant::now();
    let writer = client(&three.processes[other]);
    let (mut last, mut gap) = (asked, Duration::ZERO);
    loop {
        match writer.put(&PutArgs::new("a", "1")).await {
            Ok(_) => {
                gap = gap.max(last.elapsed());
                last = Instant::now();
                if !three.leaders_of(&[other, follower]).await.is_empty() {
                    break;
                }
            }
            Err(error) => assert_ne!(error.retry, rpc::Retry::Never, "{error:?}"),
        }
        assert!(asked.elapsed() < PATIENCE, "nobody leads");
    }
    let took = asked.elapsed();
    eprintln!("from SIGTERM to the next leader {took:?}, without writes for {gap:?} of it");
    assert!(gap < Duration::from_millis(500), "{gap:?}");
}

#[tokio::test]
async fn a_leader_that_hangs_is_an_error_in_seconds_and_goes_on_when_it_wakes() {
    let three = three();
    let leader = three.leaders().await[0];
    let follower = client(&three.processes[(leader + 1) % 3]);
    follower.put(&PutArgs::new("a", "1")).await.unwrap();
    three.processes[leader].signal(rustix::process::Signal::STOP);
    let asked = Instant::now();
    let error = follower.put(&PutArgs::new("a", "2")).await.unwrap_err();
    assert_eq!(error.reason, storage::reason::LEADER_LOST, "{error:?}");
    assert_eq!(error.retry, rpc::Retry::IfIdempotent, "{error:?}");
    assert!(!error.hint.is_empty(), "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(10));
    // It keeps the lock: nobody else leads, and nothing is answered by anybody else.
    let hurried = follower.with(CallOptions {
        timeout: Some(Duration::from_millis(500)),
        ..CallOptions::default()
    });
    assert!(hurried.get(&GetArgs::new("a")).await.is_err());
    three.processes[leader].signal(rustix::process::Signal::CONT);
    let deadline = Instant::now() + PATIENCE;
    while follower.put(&PutArgs::new("a", "3")).await.is_err() {
        assert!(Instant::now() < deadline, "it does not go on");
    }
    let item = follower.get(&GetArgs::new("a")).await.unwrap().item;
    assert_eq!(item.unwrap().value.as_ref(), b"3");
    assert_eq!(three.leaders().await, [leader]);
}

#[tokio::test]
async fn where_the_leader_is_is_written_down_again_when_it_is_lost() {
    let three = three();
    let leader = three.leaders().await[0];
    let file = three.folder.path().join("storage/leader.json");
    std::fs::remove_file(&file).unwrap();
    let follower = client(&three.processes[(leader + 1) % 3]);
    // Nobody is known to lead for a moment; a call waits for longer than that.
    follower.put(&PutArgs::new("a", "1")).await.unwrap();
    assert!(file.exists());
}
