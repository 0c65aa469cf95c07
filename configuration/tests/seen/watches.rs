//! A watch has no gaps.

use std::collections::BTreeMap;

use chassis::testing::PATIENCE;
use configuration::{Compare, ConfigurationEvent, DeleteArgs, SnapshotReason, WatchArgs};
use tokio::time::timeout;

use crate::common::{client, house, set, start};

fn watch(prefix: &str, after: Option<u64>) -> WatchArgs {
    WatchArgs {
        prefix: prefix.to_owned(),
        after,
    }
}

async fn next(stream: &mut rpc::Streaming<ConfigurationEvent>) -> ConfigurationEvent {
    let next = timeout(PATIENCE, stream.next()).await;
    next.expect("an event in time").expect("no end").unwrap()
}

#[tokio::test]
async fn a_watch_begins_with_everything_and_tells_each_change_once() {
    let (_house, client) = house();
    client.set(&set("a/one", "1")).await.unwrap();
    client.set(&set("b/other", "1")).await.unwrap();
    let mut stream = client.watch(&watch("a/", None)).await.unwrap();
    let ConfigurationEvent::Snapshot {
        items,
        more,
        reason,
        ..
    } = next(&mut stream).await
    else {
        panic!("a snapshot first");
    };
    assert_eq!(
        (items.len(), more, reason),
        (1, false, SnapshotReason::First)
    );
    client.set(&set("b/other", "2")).await.unwrap();
    let two = client.set(&set("a/two", "2")).await.unwrap();
    let ConfigurationEvent::Changed { revision, changes } = next(&mut stream).await else {
        panic!("a change");
    };
    assert_eq!(revision, two.revision);
    assert_eq!(changes[0].item.as_ref().unwrap().value, "2");
    let delete = DeleteArgs {
        key: "a/one".to_owned(),
        compare: Compare::Anything,
    };
    client.delete(&delete).await.unwrap();
    let ConfigurationEvent::Changed { changes, .. } = next(&mut stream).await else {
        panic!("a change");
    };
    assert_eq!(
        (changes[0].key.as_str(), &changes[0].item),
        ("a/one", &None)
    );
}

#[tokio::test]
async fn over_writers_and_a_restart_nothing_is_missed_and_nothing_told_twice() {
    let (mut house, first) = house();
    let mut stream = first.watch(&watch("", None)).await.unwrap();
    let ConfigurationEvent::Snapshot { revision, .. } = next(&mut stream).await else {
        panic!("a snapshot first");
    };
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let client = client(&house.process);
            tokio::spawn(async move {
                for n in 0..50 {
                    let key = format!("w/{writer}");
                    client.set(&set(&key, &n.to_string())).await.unwrap();
                }
            })
        })
        .collect();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = revision;
    let mut take = |event, told: &mut BTreeMap<String, Vec<String>>| {
        if let ConfigurationEvent::Changed { revision, changes } = event {
            assert!(revision > last, "{revision} after {last}");
            last = revision;
            for change in changes {
                let value = change.item.unwrap().value;
                told.entry(change.key).or_default().push(value);
            }
        }
        last
    };
    for _ in 0..100 {
        let event = next(&mut stream).await;
        take(event, &mut told);
    }
    drop(stream);
    for writer in writers {
        writer.await.unwrap();
    }
    house.process.kill();
    house.process = start(&house.folder);
    let again = client(&house.process);
    let after = take(ConfigurationEvent::Progress { revision: 0 }, &mut told);
    let mut stream = again.watch(&watch("", Some(after))).await.unwrap();
    while told.values().map(Vec::len).sum::<usize>() < 200 {
        let event = next(&mut stream).await;
        assert!(
            !matches!(event, ConfigurationEvent::Snapshot { .. }),
            "{event:?}"
        );
        take(event, &mut told);
    }
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(told.len(), 4);
    assert!(told.values().all(|values| *values == expected), "{told:?}");
}

#[tokio::test]
async fn large_values_come_in_parts() {
    let (_house, client) = house();
    let large = "x".repeat(configuration::limits::VALUE_BYTES_MAX);
    for n in 0..20 {
        client.set(&set(&format!("a/{n}"), &large)).await.unwrap();
    }
    let mut stream = client.watch(&watch("a/", None)).await.unwrap();
    let (mut parts, mut count) = (0, 0);
    loop {
        let ConfigurationEvent::Snapshot { items, more, .. } = next(&mut stream).await else {
            panic!("a part");
        };
        parts += 1;
        count += items.len();
        if !more {
            break;
        }
    }
    assert_eq!(count, 20);
    assert!(parts > 1, "only {parts} part");
}
