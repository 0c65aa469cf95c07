//! A service with one procedure for each thing that can be asked of a server, for all tests.

// Each test file uses its own part of this.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test binary uses a part"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpc::{
    CallOptions, Channel, Context, Deserializable, Empty, Error, Limits, Running, Serializable,
    Server, StreamSender,
};

#[derive(Debug, Clone, Default, PartialEq, Serializable, Deserializable)]
pub struct Blob {
    pub bytes: Bytes,
}

#[derive(Debug, Clone, Default, PartialEq, Serializable, Deserializable)]
pub struct Millis {
    pub ms: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serializable, Deserializable)]
pub struct Flood {
    pub items: u64,
    pub bytes_each: u64,
}

#[derive(Debug, Clone, PartialEq, Serializable, Deserializable)]
pub struct Where {
    pub address: String,
    pub ms: u64,
}

rpc::service! {
    /// Does what a test asks.
    trait Lab, client LabClient, dispatch LabDispatch, name "lab";
    /// Answers with the same bytes.
    read 9101 ECHO_PROCEDURE echo(Blob) -> Blob;
    /// Answers after a while.
    read 9102 SLEEP_PROCEDURE sleep(Millis) -> Empty;
    /// Panics.
    read 9103 PANIC_PROCEDURE panic(Empty) -> Empty;
    /// Counts its calls.
    write 9104 COUNT_PROCEDURE count(Millis) -> Millis;
    /// Sends items as fast as it may.
    read_stream 9105 FLOOD_PROCEDURE flood(Flood) -> Blob;
    /// Calls `sleep` on another server, with what is left of its own time.
    read 9106 FORWARD_PROCEDURE forward(Where) -> Empty;
    /// Answers with so many bytes.
    read 9107 FILL_PROCEDURE fill(Millis) -> Blob;
    /// Says what is left of the caller's time, in milliseconds.
    read 9108 REMAINING_PROCEDURE remaining(Empty) -> Millis;
    /// Counts its calls; counting twice does no harm.
    idempotent 9109 TOUCH_PROCEDURE touch(Millis) -> Millis;
}

#[derive(Default)]
pub struct Seen {
    pub started: AtomicU64,
    pub finished: AtomicU64,
    pub dropped: AtomicU64,
    pub items_sent: AtomicU64,
}

#[derive(Clone, Default)]
pub struct TestLab(pub Arc<Seen>);

/// Counts a handler that was dropped before its end.
struct Sentinel<'a>(&'a Seen, bool);

impl Drop for Sentinel<'_> {
    fn drop(&mut self) {
        let counter = if self.1 {
            &self.0.finished
        } else {
            &self.0.dropped
        };
        counter.fetch_add(1, SeqCst);
    }
}

impl TestLab {
    fn enter(&self) -> Sentinel<'_> {
        self.0.started.fetch_add(1, SeqCst);
        Sentinel(&self.0, false)
    }
}

impl Lab for TestLab {
    async fn echo(&self, _: &Context, args: Blob) -> Result<Blob, Error> {
        Ok(args)
    }

    async fn sleep(&self, _: &Context, args: Millis) -> Result<Empty, Error> {
        let mut sentinel = self.enter();
        let while_away = Duration::from_millis(args.ms);
        tokio::time::sleep(while_away).await; // why: slow on purpose
        sentinel.1 = true;
        Ok(Empty {})
    }

    async fn panic(&self, _: &Context, _: Empty) -> Result<Empty, Error> {
        panic!("as asked")
    }

    async fn count(&self, _: &Context, args: Millis) -> Result<Millis, Error> {
        let ms = self.0.started.fetch_add(1, SeqCst) + 1;
        let while_away = Duration::from_millis(args.ms);
        tokio::time::sleep(while_away).await; // why: slow on purpose
        Ok(Millis { ms })
    }

    async fn touch(&self, context: &Context, args: Millis) -> Result<Millis, Error> {
        self.count(context, args).await
    }

    async fn flood(&self, _: &Context, args: Flood, out: StreamSender<Blob>) -> Result<(), Error> {
        let mut sentinel = self.enter();
        let item = Blob {
            bytes: Bytes::from(vec![7; args.bytes_each as usize]),
        };
        for _ in 0..args.items {
            out.send(&item).await?;
            self.0.items_sent.fetch_add(1, SeqCst);
        }
        sentinel.1 = true;
        Ok(())
    }

    async fn forward(&self, context: &Context, args: Where) -> Result<Empty, Error> {
        let mut sentinel = self.enter();
        let address = args
            .address
            .parse()
            .map_err(|_| Error::invalid("address", "not one"))?;
        let next = LabClient::new(Channel::to(address)).with(context.options());
        let result = next.sleep(&Millis { ms: args.ms }).await;
        sentinel.1 = true;
        result
    }

    async fn fill(&self, _: &Context, args: Millis) -> Result<Blob, Error> {
        Ok(Blob {
            bytes: Bytes::from(vec![1; args.ms as usize]),
        })
    }

    async fn remaining(&self, context: &Context, _: Empty) -> Result<Millis, Error> {
        let left = context
            .remaining()
            .map_or(u64::MAX, |d| d.as_millis() as u64);
        Ok(Millis { ms: left })
    }
}

/// A server on a free port, and what it sees.
pub async fn start() -> (Running, Arc<Seen>) {
    start_with(Limits::default()).await
}

pub async fn start_with(limits: Limits) -> (Running, Arc<Seen>) {
    let lab = TestLab::default();
    let seen = Arc::clone(&lab.0);
    let server = Server::new("lab", "1.2.3")
        .limits(limits)
        .service(LabDispatch::new(lab));
    let running = server
        .listen(([127, 0, 0, 1], 0).into())
        .await
        .expect("a free port");
    (running, seen)
}

pub fn client(server: &Running) -> LabClient {
    LabClient::new(Channel::to(server.address()))
}

pub fn within(ms: u64) -> CallOptions {
    CallOptions {
        timeout: Some(Duration::from_millis(ms)),
        ..CallOptions::default()
    }
}

/// Waits for a condition, or fails the test after five seconds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "not so within 5 s: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
