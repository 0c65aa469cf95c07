//! One replica: values, lives, bounds.

use std::time::Instant;

use caching::limits::{KEY_BYTES_MAX, KEYS_MAX, VALUE_BYTES_MAX};
use caching::{
    CachingClient, DeleteArgs, GetArgs, GetManyArgs, InvalidateArgs, Item, SYSTEM_ADDRESS,
    SYSTEM_NAME, SetArgs, SetManyArgs, reason,
};
use chassis::testing::{PATIENCE, Process, Start, check_uniform_service};
use rpc::{Code, Empty};

use crate::common::{BINARY, check_refused};

fn one() -> (Process, CachingClient) {
    let process = Start::binary(BINARY)
        .env("ORRERY_CACHING_CAPACITY", 1 << 20)
        .ready();
    let client = CachingClient::new(process.channel());
    (process, client)
}

fn set(key: &str, value: impl Into<bytes::Bytes>) -> SetArgs {
    SetArgs {
        key: key.to_owned(),
        value: value.into(),
        ttl_ms: None,
    }
}

async fn value(client: &CachingClient, key: &str) -> Option<Vec<u8>> {
    let got = client.get(&GetArgs::new(key)).await.unwrap();
    got.value.map(|value| value.to_vec())
}

#[tokio::test]
async fn it_is_a_uniform_service() {
    check_uniform_service(BINARY, SYSTEM_NAME, SYSTEM_ADDRESS).await;
}

#[tokio::test]
async fn what_is_set_is_there_until_it_is_deleted_or_its_time_is_over() {
    let (_process, client) = one();
    assert_eq!(value(&client, "a").await, None);
    client.set(&set("a", "1")).await.unwrap();
    assert_eq!(value(&client, "a").await.as_deref(), Some(&b"1"[..]));
    let delete = DeleteArgs {
        key: "a".to_owned(),
    };
    assert!(client.delete(&delete).await.unwrap().existed);
    assert!(!client.delete(&delete).await.unwrap().existed);
    assert_eq!(value(&client, "a").await, None);
    let short = SetArgs {
        ttl_ms: Some(50),
        ..set("b", "1")
    };
    client.set(&short).await.unwrap();
    client.set(&set("c", "1")).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while value(&client, "b").await.is_some() {
        assert!(Instant::now() < deadline, "it does not expire");
    }
    assert!(value(&client, "c").await.is_some());
    // A value that is set again lives as the newer one says.
    client.set(&short).await.unwrap();
    client.set(&set("b", "2")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(80)).await; // why: the first life is over
    assert_eq!(value(&client, "b").await.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn it_is_bounded_by_bytes_and_counts_what_it_did() {
    let (_process, client) = one();
    for n in 0..200 {
        client
            .set(&set(&format!("k{n}"), vec![7; 20_000]))
            .await
            .unwrap();
        let stats = client.stats(&Empty {}).await.unwrap();
        assert!(stats.bytes <= stats.bytes_max, "{stats:?}");
    }
    let stats = client.stats(&Empty {}).await.unwrap();
    assert!(stats.entries < 60 && stats.evicted > 100, "{stats:?}");
    value(&client, "nobody").await;
    client.set(&set("here", "1")).await.unwrap();
    value(&client, "here").await;
    let stats = client.stats(&Empty {}).await.unwrap();
    assert_eq!((stats.hits, stats.misses), (1, 1));
}

#[tokio::test]
async fn many_at_once_and_all_that_begins_so() {
    let (_process, client) = one();
    let item = |key: &str| Item {
        key: key.to_owned(),
        value: key.to_owned().into(),
    };
    let items = vec![item("a/1"), item("a/2"), item("b/1")];
    client
        .set_many(&SetManyArgs {
            items,
            ttl_ms: None,
        })
        .await
        .unwrap();
    let keys = ["a/1", "a/3", "b/1"].map(str::to_owned).to_vec();
    let values = client.get_many(&GetManyArgs { keys }).await.unwrap().values;
    let values: Vec<Option<&[u8]>> = values.iter().map(|v| v.as_deref()).collect();
    assert_eq!(values, [Some(&b"a/1"[..]), None, Some(&b"b/1"[..])]);
    let prefix = "a/".to_owned();
    assert_eq!(
        client
            .invalidate(&InvalidateArgs { prefix })
            .await
            .unwrap()
            .dropped,
        2
    );
    assert_eq!(value(&client, "a/1").await, None);
    assert!(value(&client, "b/1").await.is_some());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let (_process, client) = one();
    for key in [String::new(), "k".repeat(KEY_BYTES_MAX + 1)] {
        let refused = client.set(&set(&key, "x")).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_KEY);
        let refused = client.get(&GetArgs::new(key)).await;
        check_refused(refused, Code::InvalidArgument, reason::BAD_KEY);
    }
    client
        .set(&set("a", vec![7; VALUE_BYTES_MAX]))
        .await
        .unwrap();
    let large = client.set(&set("a", vec![7; VALUE_BYTES_MAX + 1])).await;
    check_refused(large, Code::TooLarge, reason::VALUE_TOO_LARGE);
    let never = SetArgs {
        ttl_ms: Some(0),
        ..set("a", "x")
    };
    check_refused(
        client.set(&never).await,
        Code::InvalidArgument,
        reason::BAD_TTL,
    );
    let keys = vec!["k".to_owned(); KEYS_MAX + 1];
    let many = client.get_many(&GetManyArgs { keys }).await;
    check_refused(many, Code::InvalidArgument, reason::TOO_MANY);
}
