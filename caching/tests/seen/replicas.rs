//! Three replicas as one cache.

use std::time::Duration;

use caching::{Client, SYSTEM_NAME};
use chassis::testing::PATIENCE;
use discovery::Resolver;

use crate::common::{discovery, replica};

#[tokio::test]
async fn a_lost_replica_takes_its_own_keys_with_it_and_no_others() {
    let discovery = discovery();
    let mut replicas: Vec<_> = (0..3)
        .map(|n| replica(&discovery, &format!("caching.{n}.1")))
        .collect();
    let resolver = Resolver::new(discovery.address());
    let count = |count| move |known: &discovery::Resolved| known.instances.len() == count;
    assert!(resolver.wait_until(SYSTEM_NAME, PATIENCE, count(3)).await);
    let cache = Client::new(resolver.clone());
    let keys: Vec<String> = (0..300).map(|n| format!("key {n}")).collect();
    for key in &keys {
        cache.set(key, key.clone(), None).await.unwrap();
    }
    let mut held = Vec::new();
    for replica in &replicas {
        let client = caching::CachingClient::new(replica.channel());
        held.push(client.stats(&rpc::Empty {}).await.unwrap().entries);
    }
    assert_eq!(held.iter().sum::<u64>(), 300);
    assert!(
        held.iter().all(|entries| (70..130).contains(entries)),
        "{held:?}"
    );
    replicas[1].kill();
    assert!(resolver.wait_until(SYSTEM_NAME, PATIENCE, count(2)).await);
    let mut left = 0;
    for key in &keys {
        left += u64::from(cache.get(key).await.unwrap().is_some());
    }
    assert_eq!(left, 300 - held[1]);
    // One that comes back into the same slot has the same keys, and moves no others.
    replicas[1] = replica(&discovery, "caching.1.2");
    assert!(resolver.wait_until(SYSTEM_NAME, PATIENCE, count(3)).await);
    let mut again = 0;
    for key in &keys {
        again += u64::from(cache.get(key).await.unwrap().is_some());
    }
    assert_eq!(again, left);
    let short = Some(Duration::from_secs(60));
    cache.set("key 1", "new", short).await.unwrap();
    assert_eq!(
        cache.get("key 1").await.unwrap().as_deref(),
        Some(&b"new"[..])
    );
    assert!(cache.delete("key 1").await.unwrap());
}

#[tokio::test]
async fn without_a_replica_the_error_says_so() {
    let discovery = discovery();
    let cache = Client::new(Resolver::new(discovery.address()));
    let error = cache.get("a").await.unwrap_err();
    assert_eq!(error.reason, caching::reason::NO_REPLICA);
}
