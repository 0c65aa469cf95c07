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
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

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

#[derive(Debug, Clone, Default, PartialEq, Serializable, Deserializable)]
pub struct Speech {
    pub error: String,
    pub metadata_bytes: u64,
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
    /// Sends items of no bytes, for ever.
    read_stream 9110 TICK_PROCEDURE tick(Empty) -> Empty;
    /// Says beside its result what was said beside the request, and so many bytes; or an error.
    read 9111 SPEAK_PROCEDURE speak(Speech) -> Empty;
    /// Answers with so many bytes, and not at once.
    read 9112 FILL_LATER_PROCEDURE fill_later(Millis) -> Blob;
    /// Keeps the bytes for ever.
    read 9113 HOLD_PROCEDURE hold(Blob) -> Empty;
}

#[derive(Default)]
pub struct Seen {
    pub started: AtomicU64,
    pub finished: AtomicU64,
    pub dropped: AtomicU64,
    pub items_sent: AtomicU64,
    /// Most handlers at a time, and answers made by `fill` and `fill_later`.
    pub peak: AtomicU64,
    pub filled: AtomicU64,
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
        let started = self.0.started.fetch_add(1, SeqCst) + 1;
        let ended = self.0.finished.load(SeqCst) + self.0.dropped.load(SeqCst);
        self.0.peak.fetch_max(started.saturating_sub(ended), SeqCst);
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
        self.0.filled.fetch_add(1, SeqCst);
        Ok(Blob {
            bytes: Bytes::from(vec![1; args.ms as usize]),
        })
    }

    async fn fill_later(&self, context: &Context, args: Millis) -> Result<Blob, Error> {
        tokio::task::yield_now().await;
        self.fill(context, args).await
    }

    async fn hold(&self, _: &Context, args: Blob) -> Result<Empty, Error> {
        let _sentinel = self.enter();
        std::future::pending::<()>().await;
        drop(args);
        Ok(Empty {})
    }

    async fn tick(&self, _: &Context, _: Empty, out: StreamSender<Empty>) -> Result<(), Error> {
        let _sentinel = self.enter();
        loop {
            out.send(&Empty {}).await?;
            self.0.items_sent.fetch_add(1, SeqCst);
        }
    }

    async fn speak(&self, context: &Context, args: Speech) -> Result<Empty, Error> {
        if let Some(said) = context.metadata().get("x-said") {
            context.set_reply_metadata("x-heard", said.clone());
        }
        if args.metadata_bytes > 0 {
            let bytes = vec![b'm'; args.metadata_bytes as usize];
            context.set_reply_metadata("x-much", bytes);
        }
        match &*args.error {
            "" => Ok(Empty {}),
            message => Err(Error::invalid("told-to", message)),
        }
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

/// What every client says first.
pub fn preface() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&rpc::PREFACE_MAGIC);
    bytes[4..8].copy_from_slice(&(4_u32 << 20).to_le_bytes());
    bytes[8..12].copy_from_slice(&(256_u32 << 10).to_le_bytes());
    bytes
}

pub const REQUEST: u8 = 1;
pub const CANCEL: u8 = 6;

/// A frame as the protocol has it, whatever it says.
pub fn frame(kind: u8, call: u64, procedure: u32, metadata: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = (20 + metadata.len() + payload.len()) as u32;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[kind, 0]);
    bytes.extend_from_slice(&(metadata.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&call.to_le_bytes());
    bytes.extend_from_slice(&procedure.to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(metadata);
    bytes.extend_from_slice(payload);
    bytes
}

/// A request with these arguments.
pub fn request<A: Serializable>(call: u64, procedure: u32, args: &A) -> Vec<u8> {
    let mut payload = bytes::BytesMut::new();
    args.encode(rpc::Codec::Bincode, &mut payload)
        .expect("arguments that can be written");
    frame(REQUEST, call, procedure, &[], &payload)
}

/// Shakes hands as a client does.
pub async fn shake<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    stream.write_all(&preface()).await.expect("room");
    let mut theirs = [0; 16];
    stream.read_exact(&mut theirs).await.expect("a preface");
}

/// The next frame: its kind, call and payload. `None` when the stream ended.
pub async fn next_frame<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(u8, u64, Vec<u8>)> {
    let read = async {
        let mut header = [0; 24];
        stream.read_exact(&mut header).await.ok()?;
        let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes"));
        let mut rest = vec![0; length as usize - 20];
        stream.read_exact(&mut rest).await.ok()?;
        let call = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
        let metadata = u16::from_le_bytes([header[6], header[7]]);
        Some((header[4], call, rest.split_off(metadata.into())))
    };
    let next = tokio::time::timeout(Duration::from_secs(5), read).await;
    next.expect("a frame, or the end of the stream, within 5 s")
}

/// A server that listens nowhere.
pub fn detached(limits: Limits) -> (Arc<Running>, Arc<Seen>) {
    let lab = TestLab::default();
    let seen = Arc::clone(&lab.0);
    let server = Server::new("lab", "1").limits(limits);
    let running = server.service(LabDispatch::new(lab)).detached();
    (Arc::new(running.expect("a server")), seen)
}

/// Nobody's address, for streams that have none.
pub fn nowhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 1).into()
}
