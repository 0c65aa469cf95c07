//! What the tests of discovery share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chassis::testing::{PATIENCE, Process, Start};
use chassis::{Announce, Announcement, Standing};
use discovery::{
    Announcer, DiscoveryClient, HeartbeatArgs, Instance, Lease, Protocol, QueryArgs, RegisterArgs,
    RegisterEvent, Registration, WatchArgs, WatchEvent, Which,
};
use rpc::Streaming;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) const DISCOVERY: &str = env!("CARGO_BIN_EXE_discovery");

/// A real discovery on a port of its own.
pub(crate) fn discovery() -> Process {
    Start::binary(DISCOVERY).ready()
}

/// The same at an address to which it can come back.
pub(crate) fn discovery_at(address: SocketAddr) -> Process {
    Start::binary(DISCOVERY).env("PORT", address.port()).ready()
}

pub(crate) fn client(server: &Process) -> DiscoveryClient {
    DiscoveryClient::new(server.channel())
}

pub(crate) fn registration(service: &str, instance: &str, port: u16) -> Registration {
    Registration {
        service: service.into(),
        instance: instance.into(),
        address: format!("127.0.0.1:{port}"),
        version: "1.0.0".into(),
        zone: "a".into(),
        weight: 100,
        protocol: Protocol::Rpc,
        procedures: vec![101],
        labels: BTreeMap::new(),
    }
}

/// Registers by hand, without heartbeats.
pub(crate) async fn register(
    client: &DiscoveryClient,
    registration: Registration,
    ttl_ms: u64,
) -> (Streaming<RegisterEvent>, Lease) {
    let args = RegisterArgs {
        registration,
        ttl_ms,
    };
    let mut stream = client.register(&args).await.unwrap();
    let RegisterEvent::Registered { lease, .. } = next(&mut stream).await.unwrap();
    (stream, lease)
}

pub(crate) fn heartbeat_args(service: &str, instance: &str, lease: Lease) -> HeartbeatArgs {
    HeartbeatArgs {
        service: service.into(),
        instance: instance.into(),
        lease,
    }
}

/// The next item of a stream, or why there is none.
pub(crate) async fn next<T: rpc::Deserializable>(
    stream: &mut Streaming<T>,
) -> Result<T, rpc::Error> {
    let item = timeout(PATIENCE, stream.next())
        .await
        .expect("an item in time");
    item.expect("a stream that goes on")
}

pub(crate) async fn instances(client: &DiscoveryClient, service: &str) -> Vec<Instance> {
    let args = QueryArgs {
        service: service.into(),
        which: Which::All,
    };
    client.query(&args).await.unwrap().instances
}

/// A watch of one service, past its first snapshot.
pub(crate) async fn watch(client: &DiscoveryClient, service: &str) -> Streaming<WatchEvent> {
    let args = WatchArgs {
        service: service.into(),
        after: None,
    };
    let mut stream = client.watch(&args).await.unwrap();
    while let WatchEvent::Snapshot { more: true, .. } = next(&mut stream).await.unwrap() {}
    stream
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "it did not come to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An announcer in this process, as chassis runs it.
pub(crate) struct Announced {
    pub(crate) standing: watch::Receiver<Standing>,
    pub(crate) withdraw: CancellationToken,
    pub(crate) keeping: tokio::task::JoinHandle<()>,
}

pub(crate) fn announce(
    registry: SocketAddr,
    instance: &str,
    port: u16,
    ttl: Duration,
) -> Announced {
    let announcement = Announcement {
        service: "echo".into(),
        instance: instance.into(),
        address: ([127, 0, 0, 1], port).into(),
        version: "1.0.0".into(),
        zone: String::new(),
        weight: 100,
        procedures: vec![101],
        http: false,
        registry,
        ttl,
    };
    let (sender, standing) = watch::channel(Standing::Trying);
    let withdraw = CancellationToken::new();
    let keeping = Box::new(Announcer::new()).keep(announcement, sender, withdraw.clone());
    Announced {
        standing,
        withdraw,
        keeping: tokio::spawn(keeping),
    }
}

impl Announced {
    pub(crate) async fn until(&mut self, fits: impl FnMut(&Standing) -> bool) {
        let waited = timeout(PATIENCE, self.standing.wait_for(fits)).await;
        waited
            .expect("a standing in time")
            .expect("an announcer that goes on");
    }
}
