//! Keys, transactions, watches, leases, limits.

use std::time::Instant;

use chassis::testing::PATIENCE;
use rpc::{Code, Empty};
use storage::{
    Comparison, DeleteArgs, GetArgs, GrantArgs, KEY_BYTES_MAX, KeepAliveArgs, Keys, Operation,
    Outcome, PutArgs, RevokeArgs, Role, SYSTEM_ADDRESS, SYSTEM_NAME, ScanArgs, StorageClient,
    StorageEvent, TxnArgs, VALUE_BYTES_MAX, WatchArgs, reason,
};
use tokio::time::timeout;

use crate::common::{check_refused, client, house};

async fn value(client: &StorageClient, key: &str) -> Option<Vec<u8>> {
    let got = client.get(&GetArgs::new(key)).await.unwrap();
    got.item.map(|item| item.value.to_vec())
}

fn all() -> ScanArgs {
    ScanArgs {
        keys: Keys::Prefix(String::new()),
        limit: 0,
        cursor: String::new(),
        revision: None,
    }
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    let binary = env!("CARGO_BIN_EXE_storage");
    chassis::testing::check_uniform_service(binary, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn a_key_has_the_value_it_was_given_last() {
    let (_house, client) = house();
    assert_eq!(value(&client, "a").await, None);
    let first = client.put(&PutArgs::new("a", "1")).await.unwrap();
    let second = client.put(&PutArgs::new("a", "2")).await.unwrap();
    let item = client.get(&GetArgs::new("a")).await.unwrap().item.unwrap();
    assert_eq!(item.value.as_ref(), b"2");
    assert_eq!(
        (item.created, item.modified),
        (first.revision, second.revision)
    );
    assert_eq!(item.version, 2);
    let delete = DeleteArgs {
        key: "a".to_owned(),
    };
    let gone = client.delete(&delete).await.unwrap();
    assert!(gone.revision > second.revision);
    assert_eq!(client.delete(&delete).await.unwrap(), gone);
    assert_eq!(value(&client, "a").await, None);
}

#[tokio::test]
async fn of_eight_transactions_that_compare_exactly_one_wins() {
    let (house, first) = house();
    let racers: Vec<_> = (0..8)
        .map(|n: u8| {
            let client = client(&house.process);
            let args = TxnArgs {
                compare: vec![Comparison::absent("leader")],
                then: vec![Operation::Put(PutArgs::new("leader", vec![n]))],
                otherwise: vec![Operation::Get(GetArgs::new("leader"))],
            };
            tokio::spawn(async move { (n, client.txn(&args).await.unwrap()) })
        })
        .collect();
    let (mut winners, mut seen) = (Vec::new(), Vec::new());
    for racer in racers {
        let (n, reply) = racer.await.unwrap();
        match reply.outcomes.as_slice() {
            [Outcome::Put] if reply.succeeded => winners.push(vec![n]),
            [Outcome::Get(Some(item))] if !reply.succeeded => seen.push(item.value.to_vec()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((winners.len(), seen.len()), (1, 7));
    assert!(seen.iter().all(|value| *value == winners[0]));
    assert_eq!(value(&first, "leader").await.as_ref(), winners.first());
    let moved = TxnArgs {
        compare: vec![Comparison::unchanged("leader", 999)],
        ..TxnArgs::default()
    };
    assert!(!first.txn(&moved).await.unwrap().succeeded);
}

#[tokio::test]
async fn a_scan_is_one_picture_over_all_its_pages() {
    let (_house, client) = house();
    for n in 0..25 {
        client
            .put(&PutArgs::new(format!("a/{n:02}"), "x"))
            .await
            .unwrap();
    }
    let mut args = ScanArgs {
        keys: Keys::Prefix("a/".to_owned()),
        limit: 10,
        cursor: String::new(),
        revision: None,
    };
    let mut keys = Vec::new();
    loop {
        let page = client.scan(&args).await.unwrap();
        keys.extend(page.items.into_iter().map(|item| item.key));
        client.put(&PutArgs::new("a/99", "later")).await.unwrap();
        if page.cursor.is_empty() {
            break;
        }
        args.cursor = page.cursor;
    }
    assert_eq!(
        keys,
        (0..25).map(|n| format!("a/{n:02}")).collect::<Vec<_>>()
    );
    let span = ScanArgs {
        keys: Keys::Span {
            start: "a/03".to_owned(),
            end: "a/06".to_owned(),
        },
        limit: 0,
        cursor: String::new(),
        revision: None,
    };
    assert_eq!(client.scan(&span).await.unwrap().items.len(), 3);
    let later = ScanArgs {
        revision: Some(10_000),
        ..span.clone()
    };
    let refused = client.scan(&later).await;
    check_refused(refused, Code::InvalidArgument, reason::FUTURE_REVISION);
    let wrong = ScanArgs {
        cursor: "nonsense".to_owned(),
        ..span
    };
    let refused = client.scan(&wrong).await;
    check_refused(refused, Code::InvalidArgument, reason::BAD_CURSOR);
}

#[tokio::test]
async fn large_values_are_scanned_in_pages_that_fit() {
    let (_house, client) = house();
    let large = vec![7; VALUE_BYTES_MAX];
    for n in 0..9 {
        client
            .put(&PutArgs::new(format!("a/{n}"), large.clone()))
            .await
            .unwrap();
    }
    let mut args = ScanArgs {
        keys: Keys::Prefix("a/".to_owned()),
        limit: 0,
        cursor: String::new(),
        revision: None,
    };
    let (mut pages, mut count) = (0, 0);
    loop {
        let page = client.scan(&args).await.unwrap();
        pages += 1;
        count += page.items.len();
        if page.cursor.is_empty() {
            break;
        }
        args.cursor = page.cursor;
    }
    assert_eq!(count, 9);
    assert!(pages >= 3, "only {pages} pages");
}

#[tokio::test]
async fn long_keys_are_scanned_in_pages_that_fit() {
    let (_house, client) = house();
    let long = |n: usize| format!("{n:04}{}", "k".repeat(KEY_BYTES_MAX - 4));
    // A thousand, which a page may have, are more than a frame; their values alone are not.
    for n in (0..1_200).step_by(100) {
        let some = n..n + 100;
        let then = some.map(|n| Operation::Put(PutArgs::new(long(n), vec![7; 1_024])));
        let args = TxnArgs {
            then: then.collect(),
            ..TxnArgs::default()
        };
        client.txn(&args).await.unwrap();
    }
    let mut args = all();
    let mut keys = Vec::new();
    loop {
        let page = client.scan(&args).await.unwrap();
        keys.extend(page.items.into_iter().map(|item| item.key));
        if page.cursor.is_empty() {
            break;
        }
        args.cursor = page.cursor;
    }
    assert!(keys.into_iter().eq((0..1_200).map(long)));
}

#[tokio::test]
async fn what_is_forgotten_is_said_to_be() {
    let (_house, client) = house();
    let first = client.put(&PutArgs::new("first", "1")).await.unwrap();
    // The past takes 64 MiB at most.
    for _ in 0..80 {
        let put = PutArgs::new("large", vec![7; VALUE_BYTES_MAX]);
        client.put(&put).await.unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while client.status(&Empty {}).await.unwrap().compacted <= first.revision {
        assert!(Instant::now() < deadline, "nothing is forgotten");
        client.put(&PutArgs::new("more", "x")).await.unwrap();
    }
    let args = WatchArgs {
        keys: Keys::Prefix(String::new()),
        from: Some(first.revision),
    };
    let mut watch = client.watch(&args).await.unwrap();
    let told = timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
    check_refused(told, Code::Conflict, reason::COMPACTED);
    let then = ScanArgs {
        revision: Some(first.revision),
        ..all()
    };
    check_refused(client.scan(&then).await, Code::Conflict, reason::COMPACTED);
    assert_eq!(value(&client, "first").await.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_watch_of_what_does_not_change_is_not_silent() {
    let (_house, client) = house();
    let written = client.put(&PutArgs::new("a", "1")).await.unwrap();
    let args = WatchArgs {
        keys: Keys::Prefix("b/".to_owned()),
        from: None,
    };
    let mut watch = client.watch(&args).await.unwrap();
    for _ in 0..4 {
        let event = timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
        let revision = written.revision;
        assert_eq!(event.unwrap(), StorageEvent::Progress { revision });
    }
}

#[tokio::test]
async fn a_watch_tells_each_change_once_from_where_it_begins() {
    let (_house, client) = house();
    let first = client.put(&PutArgs::new("a/1", "1")).await.unwrap();
    client.put(&PutArgs::new("b/1", "1")).await.unwrap();
    let both = TxnArgs {
        then: vec![
            Operation::Put(PutArgs::new("a/2", "2")),
            Operation::Delete(DeleteArgs {
                key: "a/1".to_owned(),
            }),
        ],
        ..TxnArgs::default()
    };
    let second = client.txn(&both).await.unwrap();
    let args = WatchArgs {
        keys: Keys::Prefix("a/".to_owned()),
        from: Some(first.revision),
    };
    let mut stream = client.watch(&args).await.unwrap();
    let mut told = Vec::new();
    while told.len() < 2 {
        let event = timeout(PATIENCE, stream.next()).await.unwrap();
        if let StorageEvent::Changed {
            revision,
            put,
            deleted,
        } = event.unwrap().unwrap()
        {
            let put: Vec<String> = put.into_iter().map(|item| item.key).collect();
            told.push((revision, put, deleted));
        }
    }
    let key = |key: &str| vec![key.to_owned()];
    assert_eq!(told[0], (first.revision, key("a/1"), vec![]));
    assert_eq!(told[1], (second.revision, key("a/2"), key("a/1")));
}

#[tokio::test]
async fn a_lease_takes_its_keys_with_it() {
    let (_house, client) = house();
    let lease = client.grant(&GrantArgs { ttl_ms: 60_000 }).await.unwrap();
    let put = PutArgs {
        lease: Some(lease.id),
        ..PutArgs::new("held", "x")
    };
    client.put(&put).await.unwrap();
    let kept = client
        .keep_alive(&KeepAliveArgs { id: lease.id })
        .await
        .unwrap();
    assert_eq!(kept.ttl_ms, 60_000);
    client.revoke(&RevokeArgs { id: lease.id }).await.unwrap();
    assert_eq!(value(&client, "held").await, None);
    let short = client.grant(&GrantArgs { ttl_ms: 1_000 }).await.unwrap();
    let put = PutArgs {
        lease: Some(short.id),
        ..PutArgs::new("held", "x")
    };
    client.put(&put).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while value(&client, "held").await.is_some() {
        assert!(Instant::now() < deadline, "the lease does not end");
    }
    let ended = client.keep_alive(&KeepAliveArgs { id: short.id }).await;
    check_refused(ended, Code::NotFound, reason::UNKNOWN_LEASE);
    check_refused(
        client.put(&put).await,
        Code::NotFound,
        reason::UNKNOWN_LEASE,
    );
    let never = client.grant(&GrantArgs { ttl_ms: 0 }).await;
    check_refused(never, Code::InvalidArgument, reason::BAD_TTL);
}

#[tokio::test]
async fn a_mebibyte_fits_and_one_byte_more_is_refused_with_the_limit() {
    let (_house, client) = house();
    let mut large = vec![7; VALUE_BYTES_MAX];
    client.put(&PutArgs::new("a", large.clone())).await.unwrap();
    assert_eq!(value(&client, "a").await.as_ref(), Some(&large));
    large.push(7);
    let refused = client.put(&PutArgs::new("a", large)).await;
    let error = refused.as_ref().unwrap_err();
    assert!(error.message.contains("1048577"), "{error:?}");
    assert!(error.hint.contains("1048576"), "{error:?}");
    check_refused(refused, Code::TooLarge, reason::VALUE_TOO_LARGE);
    for key in [String::new(), "k".repeat(KEY_BYTES_MAX + 1)] {
        let refused = client.put(&PutArgs::new(key, "x")).await;
        check_refused(refused, Code::InvalidArgument, reason::LIMIT);
    }
    let twice = TxnArgs {
        then: vec![Operation::Put(PutArgs::new("a", "1")); 2],
        ..TxnArgs::default()
    };
    check_refused(
        client.txn(&twice).await,
        Code::InvalidArgument,
        reason::LIMIT,
    );
}

#[tokio::test]
async fn one_alone_leads() {
    let (house, client) = house();
    let status = client.status(&Empty {}).await.unwrap();
    assert_eq!(status.role, Role::Leader);
    assert_eq!(status.leader, house.process.address().to_string());
    assert_eq!(status.generation, 1);
}
