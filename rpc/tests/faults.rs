//! Bad links and hung peers, made in process from a seed: every call ends once, with its answer.

mod common;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{
    Blob, Flood, LabClient, LabDispatch, Millis, Speech, TestLab, client, detached, next_frame,
    nowhere, preface, start, within,
};
use rpc::{Channel, Code, Error, Limits, Server};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Numbers from a seed, the same ones each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(0x9e37_79b9);
        (self.0 >> 33) % sides
    }
}

/// A stream that splits reads and writes anywhere, takes its time, and may be cut.
struct Faulty {
    io: DuplexStream,
    dice: Dice,
    /// Bytes until it is cut.
    left: u64,
}

impl Faulty {
    /// How much may pass now: 0 means later.
    fn some(&mut self, cx: &Context<'_>) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.dice.roll(4) == 0 {
            cx.waker().wake_by_ref();
            return Ok(0);
        }
        let most = if self.dice.roll(2) == 0 { 30 } else { 4_096 };
        Ok((1 + self.dice.roll(most)).min(self.left) as usize)
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let some = self.some(cx)?.min(buf.remaining());
        if some == 0 {
            return Poll::Pending;
        }
        let mut bytes = [0; 4_096];
        let mut part = ReadBuf::new(&mut bytes[..some]);
        std::task::ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        self.left -= part.filled().len() as u64;
        buf.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let some = self.some(cx)?.min(bytes.len());
        if some == 0 {
            return Poll::Pending;
        }
        let written = std::task::ready!(Pin::new(&mut self.io).poll_write(cx, &bytes[..some]))?;
        self.left -= written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// One of everything, with answers that can only be its own. `Ok(false)`: the link was lost.
async fn one_of_each(client: &LabClient, id: u64, dice: &mut Dice) -> bool {
    let kind = dice.roll(6);
    let result = match kind {
        0 | 1 => {
            let words = if kind == 0 {
                dice.roll(8)
            } else {
                dice.roll(5_000)
            };
            let bytes = Bytes::from(id.to_le_bytes().repeat(words as usize));
            let echo = client
                .echo(&Blob {
                    bytes: bytes.clone(),
                })
                .await;
            echo.map(|reply| assert!(reply.bytes == bytes, "call {id} got another's bytes"))
        }
        2 => {
            let error = format!("error of {id}");
            let speech = Speech {
                error: error.clone(),
                metadata_bytes: 0,
            };
            let told = client.speak(&speech).await.expect_err("as told");
            if told.code == Code::InvalidArgument {
                assert_eq!(told.message, error, "call {id} got another's error");
                Ok(())
            } else {
                Err(told)
            }
        }
        3 => match client
            .with(within(1 + dice.roll(3)))
            .sleep(&Millis { ms: 60_000 })
            .await
        {
            Err(e) if e.code == Code::DeadlineExceeded => Ok(()),
            other => other.map(|_| panic!("it sleeps")),
        },
        4 => {
            let bytes = Bytes::from(id.to_le_bytes().repeat(dice.roll(2_000) as usize));
            let blob = Blob { bytes };
            // Given up after a random number of turns: before, while or after it is answered.
            let turns = dice.roll(4);
            tokio::select! {
                biased;
                echo = client.echo(&blob) => echo.map(|reply| assert!(reply == blob)),
                () = async { for _ in 0..turns { tokio::task::yield_now().await; } } => Ok(()),
            }
        }
        _ => read_flood(client, 1 + dice.roll(20), dice.roll(3_000)).await,
    };
    match result {
        Ok(()) => true,
        Err(e) => {
            assert_eq!(e.code, Code::Unavailable, "call {id}: {e:?}");
            false
        }
    }
}

/// Each stream has items of its own size and number.
async fn read_flood(client: &LabClient, items: u64, bytes_each: u64) -> Result<(), Error> {
    let mut stream = client.flood(&Flood { items, bytes_each }).await?;
    let mut seen = 0;
    while let Some(item) = stream.next().await {
        assert_eq!(
            item?.bytes.len() as u64,
            bytes_each,
            "an item of another stream"
        );
        seen += 1;
    }
    assert_eq!(seen, items, "a stream that ended well is whole");
    Ok(())
}

async fn mixed_calls(client: &LabClient, seed: u64, tasks: u64, each: u64) -> u64 {
    let all: Vec<_> = (0..tasks)
        .map(|task| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut dice = Dice(seed * 1_000 + task);
                let mut lost = 0;
                for n in 0..each {
                    let id = seed << 40 | task << 20 | n;
                    lost += u64::from(!one_of_each(&client, id, &mut dice).await);
                }
                lost
            })
        })
        .collect();
    let mut lost = 0;
    for task in all {
        let ended = timeout(Duration::from_secs(60), task).await;
        lost += ended
            .expect("every call ends")
            .expect("no assertion failed");
    }
    lost
}

#[tokio::test]
async fn over_a_link_that_splits_delays_and_cuts_every_call_ends_with_its_own_answer() {
    for seed in 0..300_u64 {
        let mut dice = Dice(seed);
        let cut = seed % 2 == 1;
        let (server, _) = detached(Limits::default());
        let (ours, theirs) = tokio::io::duplex(64 + dice.roll(8_000) as usize);
        let left = if cut { dice.roll(60_000) } else { u64::MAX };
        let link = |io, seed, left| Faulty {
            io,
            dice: Dice(seed),
            left,
        };
        let theirs = link(theirs, !seed, u64::MAX);
        let serving = Arc::clone(&server);
        let serving = tokio::spawn(async move { serving.take_stream(theirs, nowhere()).await });
        let channel =
            Channel::over(link(ours, seed ^ 77, left), nowhere(), Limits::default()).await;
        let channel = match channel {
            Ok(channel) => channel,
            Err(e) => {
                assert!(cut && e.code == Code::Unavailable, "seed {seed}: {e:?}");
                continue;
            }
        };
        let lost = mixed_calls(&LabClient::new(channel), seed, 8, 5).await;
        assert!(
            cut || lost == 0,
            "seed {seed}: {lost} calls were lost on a whole link"
        );
        let ended = timeout(Duration::from_secs(5), serving).await;
        ended
            .expect("the server's side ends too")
            .expect("no panic");
        assert_eq!(server.connections(), 0, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_no_call_gets_what_belongs_to_another() {
    let (server, seen) = start().await;
    let client = client(&server);
    assert_eq!(mixed_calls(&client, 1, 32, 400).await, 0);
    assert_eq!(server.connections(), 1);
    common::until("every handler is over", || {
        use std::sync::atomic::Ordering::SeqCst;
        seen.started.load(SeqCst) == seen.finished.load(SeqCst) + seen.dropped.load(SeqCst)
    })
    .await;
}

#[tokio::test]
async fn on_one_thread_no_call_gets_what_belongs_to_another() {
    let (server, _) = start().await;
    let client = client(&server);
    assert_eq!(mixed_calls(&client, 2, 32, 200).await, 0);
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_made_while_the_connection_is_busy_is_seen_at_once() {
    let (server, _) = start().await;
    let client = client(&server);
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..5_000 {
                    let start = Instant::now();
                    client.echo(&Blob::default()).await.expect("an echo");
                    assert!(
                        start.elapsed() < Duration::from_millis(900),
                        "it was forgotten"
                    );
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no call was forgotten");
    }
}

/// A channel to a peer that shook hands, and its end of the stream.
async fn to_a_peer(buffer: usize, limits: Limits) -> (LabClient, DuplexStream) {
    let (ours, mut theirs) = tokio::io::duplex(buffer);
    let shake = async {
        theirs.write_all(&preface()).await.expect("room");
        theirs.read_exact(&mut [0; 16]).await.expect("a preface");
    };
    let (channel, ()) = tokio::join!(Channel::over(ours, nowhere(), limits), shake);
    (LabClient::new(channel.expect("hands were shaken")), theirs)
}

#[tokio::test]
async fn deadlines_are_kept_while_the_peer_takes_no_bytes() {
    let (client, hung) = to_a_peer(1_024, Limits::default()).await;
    let large = client.clone();
    let blob = Blob {
        bytes: Bytes::from(vec![0; 512 << 10]),
    };
    let stuck = tokio::spawn(async move { large.echo(&blob).await });
    tokio::task::yield_now().await;
    for _ in 0..3 {
        let start = Instant::now();
        let short = client.with(within(100));
        let error = short
            .echo(&Blob::default())
            .await
            .expect_err("nobody answers");
        assert_eq!(error.code, Code::DeadlineExceeded, "{error:?}");
        let late = start.elapsed();
        assert!(
            late < Duration::from_millis(250),
            "{late:?} for a deadline of 100 ms"
        );
    }
    stuck.abort();
    drop(hung);
}

#[tokio::test]
async fn a_peer_that_takes_a_large_request_slowly_is_not_taken_for_dead() {
    let limits = Limits {
        keepalive: Duration::from_millis(100),
        ..Limits::default()
    };
    let (client, mut slow) = to_a_peer(16 << 10, limits).await;
    let blob = Blob {
        bytes: Bytes::from(vec![0; 1 << 20]),
    };
    let call = tokio::spawn(async move { client.echo(&blob).await });
    let mut taken = 0;
    let mut bytes = vec![0; 16 << 10];
    let start = Instant::now();
    while taken < 1 << 20 {
        tokio::time::sleep(Duration::from_millis(15)).await; // why: a slow link
        let n = slow.read(&mut bytes).await.expect("the link holds");
        assert!(
            n > 0,
            "given up after {taken} bytes and {:?}",
            start.elapsed()
        );
        taken += n;
    }
    call.abort();
}

#[tokio::test]
async fn a_silent_peer_is_asked_once_in_a_while_and_what_is_cancelled_is_told_at_once() {
    let (client, mut peer) = to_a_peer(1 << 16, Limits::default()).await;
    let start = Instant::now();
    let short = client.with(within(50));
    let (error, (request, cancel)) = tokio::join!(
        async {
            short
                .sleep(&Millis { ms: 1 })
                .await
                .expect_err("nobody answers")
        },
        async { (next_frame(&mut peer).await, next_frame(&mut peer).await) },
    );
    assert_eq!(error.code, Code::DeadlineExceeded);
    assert_eq!(
        (request.expect("a request").0, cancel.expect("a cancel").0),
        (1, 6)
    );
    let late = start.elapsed();
    assert!(
        late < Duration::from_millis(400),
        "the server hears of it after {late:?}"
    );
}

#[test]
fn a_channel_outlives_the_runtime_that_connected_it() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let serving = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (server, _) = serving.block_on(start());
    let client = client(&server);
    for _ in 0..2 {
        let runtime = runtime().expect("a runtime");
        let echo = async { timeout(Duration::from_secs(3), client.echo(&Blob::default())).await };
        let echo = runtime.block_on(echo);
        echo.expect("the call ends").expect("it connects again");
    }
}

#[tokio::test]
async fn callers_without_patience_get_a_slow_connection_in_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let server = Server::new("lab", "1").service(LabDispatch::new(TestLab::default()));
    let server = Arc::new(server.detached().expect("a server"));
    let slow = tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.expect("a connection");
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300)).await; // why: slow on purpose
                server.take_stream(stream, peer).await;
            });
        }
    });
    let client = LabClient::new(Channel::to(address)).with(within(100));
    let mut tries = 0;
    while let Err(e) = client.echo(&Blob::default()).await {
        tries += 1;
        assert!(
            tries < 20,
            "each caller begins again what the last one gave up: {e}"
        );
    }
    slow.abort();
}
