//! Peers that mean harm or are broken: what they may cost, and that others are served.

mod common;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{
    Blob, CANCEL, FILL_LATER_PROCEDURE, FILL_PROCEDURE, HOLD_PROCEDURE, Millis, REQUEST,
    SLEEP_PROCEDURE, Seen, Speech, TICK_PROCEDURE, client, detached, frame, next_frame, nowhere,
    preface, request, shake, start, start_with, until, within,
};
use rpc::{Code, Empty, Limits, Running};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

const RESPONSE: u8 = 2;
const FAILURE: u8 = 3;
const PING: u8 = 8;
const PONG: u8 = 9;

/// A connection to a server that listens nowhere, with `buffer` bytes under way each way.
async fn piped(server: &Arc<Running>, buffer: usize) -> DuplexStream {
    let (mut ours, theirs) = tokio::io::duplex(buffer);
    let server = Arc::clone(server);
    tokio::spawn(async move { server.take_stream(theirs, nowhere()).await });
    shake(&mut ours).await;
    ours
}

async fn settled(seen: impl Fn() -> u64) -> u64 {
    let mut before = u64::MAX;
    let mut same = 0;
    while same < 20 {
        let now = seen();
        same = if now == before { same + 1 } else { 0 };
        before = now;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    before
}

#[tokio::test]
async fn two_thousand_silent_clients_are_bounded_and_an_honest_one_is_served() {
    let (server, _) = start_with(Limits {
        handshakes_max: 100,
        ..Limits::default()
    })
    .await;
    let mut silent = Vec::new();
    let mut took = Vec::new();
    for n in 0..2_000 {
        // The server closes the oldest: not kept here either, so that the test needs few files.
        if silent.len() >= 200 {
            silent.remove(0);
        }
        let stream = TcpStream::connect(server.address()).await;
        silent.push(stream.expect("accepted"));
        assert!(
            server.handshakes() <= 100,
            "{} at once",
            server.handshakes()
        );
        if n % 20 == 0 {
            let start = Instant::now();
            let honest = client(&server);
            honest.echo(&Blob::default()).await.expect("an echo");
            took.push(start.elapsed());
        }
    }
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    assert!(
        p99 < Duration::from_millis(200),
        "{p99:?} to connect and call"
    );
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_however_they_come() {
    let (server, _) = detached(Limits {
        connections_max: 1,
        ..Limits::default()
    });
    let _first = piped(&server, 1 << 10).await;
    let (mut second, theirs) = tokio::io::duplex(1 << 10);
    let _ = second.write_all(&preface()).await;
    server.take_stream(theirs, nowhere()).await;
    let mut rest = Vec::new();
    second.read_to_end(&mut rest).await.expect("closed");
    assert_eq!(rest, b"");
}

/// Asks for `calls` answers of 1 MiB and reads nothing until no more are made.
async fn shut_off_reader(procedure: u32, calls: u64) -> (DuplexStream, Arc<Seen>, Arc<Running>) {
    let (server, seen) = detached(Limits {
        calls_bytes_max: 8 << 20,
        ..Limits::default()
    });
    let mut stream = piped(&server, 1 << 20).await;
    let asked: Vec<u8> = (1..=calls)
        .flat_map(|call| request(call, procedure, &Millis { ms: 1 << 20 }))
        .collect();
    let sent = timeout(Duration::from_millis(500), stream.write_all(&asked)).await;
    sent.expect("a megabyte is under way").expect("a server");
    (stream, seen, server)
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_asked_to_read_before_more_are_made() {
    let (mut stream, seen, _server) = shut_off_reader(FILL_PROCEDURE, 1_000).await;
    let made = settled(|| seen.filled.load(SeqCst)).await;
    assert!(
        made <= 6,
        "{made} MiB are kept for a client that reads nothing"
    );
    // It was slow, not dead: when it reads, it gets every answer.
    for call in 1..=1_000 {
        let (kind, answered, payload) = next_frame(&mut stream).await.expect("an answer");
        assert_eq!((kind, answered), (RESPONSE, call));
        assert!(payload.len() > 1 << 20);
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_become_errors_before_they_fill_the_memory() {
    let (mut stream, seen, _server) = shut_off_reader(FILL_LATER_PROCEDURE, 500).await;
    settled(|| seen.filled.load(SeqCst)).await;
    let (mut results, mut refused) = (0, 0);
    for _ in 0..500 {
        match next_frame(&mut stream).await.expect("each call ends") {
            (RESPONSE, ..) => results += 1,
            (FAILURE, _, payload) => {
                let text = String::from_utf8_lossy(&payload).into_owned();
                assert!(text.contains("replies-unread"), "{text}");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        results >= 8 && refused > 0,
        "{results} results, {refused} refused"
    );
}

#[tokio::test]
async fn requests_that_are_held_are_bounded_in_bytes_and_others_go_on() {
    let (server, seen) = start_with(Limits {
        calls_bytes_max: 4 << 20,
        ..Limits::default()
    })
    .await;
    let client = client(&server);
    let bytes = Bytes::from(vec![0; 1 << 20]);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (client, bytes) = (client.with(within(1_000)), bytes.clone());
            tokio::spawn(async move { client.hold(&Blob { bytes }).await })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        let error = call
            .await
            .expect("no panic")
            .expect_err("nothing is answered");
        refused += u64::from(error.code == Code::ResourceExhausted);
    }
    assert!(seen.peak.load(SeqCst) <= 4, "{:?} MiB are held", seen.peak);
    assert!(refused >= 6, "{refused} were refused");
    client.echo(&Blob { bytes }).await.expect("room again");
}

#[tokio::test]
async fn opening_and_cancelling_as_fast_as_can_be_leaves_few_handlers_at_a_time() {
    let (server, seen) = start().await;
    let mut flood = TcpStream::connect(server.address())
        .await
        .expect("a server");
    shake(&mut flood).await;
    let flooding = tokio::spawn(async move {
        let mut call = 0;
        for _ in 0..200 {
            let mut bytes = Vec::new();
            for _ in 0..1_000 {
                call += 1;
                let args = Millis { ms: 60_000 };
                bytes.extend(request(call, SLEEP_PROCEDURE, &args));
                bytes.extend(frame(CANCEL, call, 0, &[], &[]));
            }
            flood.write_all(&bytes).await.expect("it is read");
        }
        flood
    });
    let honest = client(&server);
    let mut took = Vec::new();
    while !flooding.is_finished() || took.len() < 100 {
        let start = Instant::now();
        honest.echo(&Blob::default()).await.expect("an echo");
        took.push(start.elapsed());
    }
    let mut flood = flooding.await.expect("no panic");
    flood
        .write_all(&frame(PING, 7, 0, &[], &[]))
        .await
        .expect("a server");
    // Behind everything else: the server has seen it all.
    let (kind, ..) = next_frame(&mut flood).await.expect("an answer");
    assert_eq!(kind, PONG);
    until("every handler that began is gone", || {
        seen.started.load(SeqCst) == seen.dropped.load(SeqCst)
    })
    .await;
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    assert!(
        p99 < Duration::from_millis(200),
        "{p99:?} for an honest echo"
    );
    let peak = seen.peak.load(SeqCst);
    assert!(peak < 10_000, "{peak} handlers at a time");
    drop(flood);
}

#[tokio::test]
async fn a_frame_that_comes_byte_by_byte_and_never_ends_is_closed() {
    let (server, _) = start_with(Limits {
        idle_timeout: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a server");
    shake(&mut stream).await;
    stream
        .write_all(&100_000_u32.to_le_bytes())
        .await
        .expect("four bytes");
    until("it is served", || server.connections() == 1).await;
    let trickle = async {
        while stream.write_all(&[1]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await; // why: a slow client
        }
    };
    timeout(Duration::from_secs(5), trickle)
        .await
        .expect("closed, though bytes arrived all the time");
}

#[tokio::test]
async fn one_frame_that_makes_no_sense_fails_its_call_and_no_other() {
    let (server, _) = detached(Limits::default());
    let mut stream = piped(&server, 1 << 20).await;
    let many: Vec<u8> = [0, 0, 0].repeat(5_000);
    let cut_off = [9, 9, 9];
    let odd = [
        frame(77, 1, 0, &[], &[]),
        frame(REQUEST, 2, SLEEP_PROCEDURE, &many, &[0]),
        frame(REQUEST, 3, SLEEP_PROCEDURE, &cut_off, &[0]),
        frame(REQUEST, 4, SLEEP_PROCEDURE, &vec![0; 60_000], &[0]),
    ];
    for (frame, call) in odd.iter().zip(1..) {
        stream.write_all(frame).await.expect("a server");
        let (kind, failed, _) = next_frame(&mut stream).await.expect("kept open");
        assert_eq!((kind, failed), (FAILURE, call));
    }
    stream
        .write_all(&frame(PING, 9, 0, &[], &[]))
        .await
        .expect("a server");
    let (kind, ping, _) = next_frame(&mut stream).await.expect("kept open");
    assert_eq!((kind, ping), (PONG, 9));
}

#[tokio::test]
async fn items_without_bytes_cost_credit_too() {
    let (server, seen) = start().await;
    let unread = client(&server).tick(&Empty {}).await.expect("a stream");
    let sent = settled(|| seen.items_sent.load(SeqCst)).await;
    let window = u64::from(Limits::default().stream_window_bytes);
    assert!(sent > 100, "{sent} items");
    assert!(sent * 24 <= window + 24, "{sent} items that nobody reads");
    drop(unread);
}

#[tokio::test]
async fn metadata_beside_a_result_that_does_not_fit_is_an_error_and_not_part_of_the_result() {
    let (server, _) = start().await;
    let client = client(&server);
    for metadata_bytes in [40_000, 65_536, 70_000, 200_000] {
        let speech = Speech {
            metadata_bytes,
            ..Speech::default()
        };
        let error = client.speak(&speech).await.expect_err("too much");
        assert_eq!(error.code, Code::TooLarge, "{metadata_bytes}: {error:?}");
    }
    client
        .speak(&Speech::default())
        .await
        .expect("still serves");
}

#[tokio::test]
async fn a_handshake_that_ends_after_the_server_did_is_not_served() {
    let (server, seen) = start().await;
    let mut late = TcpStream::connect(server.address())
        .await
        .expect("accepted");
    until("it shakes hands", || server.handshakes() == 1).await;
    drop(server);
    let _ = late.write_all(&preface()).await;
    let _ = late
        .write_all(&request(1, FILL_PROCEDURE, &Millis { ms: 1 }))
        .await;
    let mut rest = Vec::new();
    let closed = timeout(Duration::from_secs(2), late.read_to_end(&mut rest)).await;
    let _ = closed.expect("closed");
    assert_eq!((rest.len(), seen.filled.load(SeqCst)), (0, 0));
}

#[tokio::test]
async fn when_the_task_that_serves_a_stream_is_ended_its_handlers_end() {
    let (server, seen) = detached(Limits::default());
    let (mut ours, theirs) = tokio::io::duplex(1 << 10);
    let serving = Arc::clone(&server);
    let serving = tokio::spawn(async move { serving.take_stream(theirs, nowhere()).await });
    shake(&mut ours).await;
    let args = Blob::default();
    ours.write_all(&request(1, HOLD_PROCEDURE, &args))
        .await
        .expect("room");
    until("the handler runs", || seen.started.load(SeqCst) == 1).await;
    serving.abort();
    until("the handler is dropped", || seen.dropped.load(SeqCst) == 1).await;
    until("the connection is forgotten", || server.connections() == 0).await;
}

#[tokio::test]
async fn a_stream_asked_for_while_the_server_drains_is_sent_elsewhere_at_once() {
    let (server, seen) = detached(Limits::default());
    let mut stream = piped(&server, 1 << 20).await;
    // Keeps the connection open while the server drains.
    let asks = request(1, SLEEP_PROCEDURE, &Millis { ms: 700 });
    stream.write_all(&asks).await.expect("room");
    until("the handler runs", || seen.started.load(SeqCst) == 1).await;
    let draining = Arc::clone(&server);
    let draining = tokio::spawn(async move { draining.drain(Duration::from_secs(10)).await });
    let (kind, ..) = next_frame(&mut stream)
        .await
        .expect("it is told to go away");
    assert_eq!(kind, 10);
    let asks = request(2, TICK_PROCEDURE, &Empty {});
    stream.write_all(&asks).await.expect("room");
    let (kind, call, payload) = next_frame(&mut stream).await.expect("an answer");
    assert_eq!((kind, call), (FAILURE, 2), "{payload:?}");
    assert!(String::from_utf8_lossy(&payload).contains("going-away"));
    assert!(
        draining.await.expect("no panic"),
        "every call ended by itself"
    );
}

/// A stream whose end never gets through, as TLS to a peer that reads nothing.
struct NeverShut(DuplexStream);

impl AsyncRead for NeverShut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for NeverShut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_connection_whose_end_never_gets_through_is_dropped_all_the_same() {
    let (server, _) = detached(Limits {
        idle_timeout: Duration::from_millis(200),
        ..Limits::default()
    });
    let (mut ours, theirs) = tokio::io::duplex(1 << 10);
    let client = async move {
        shake(&mut ours).await;
        ours.write_all(&u32::MAX.to_le_bytes()).await.expect("room");
        ours
    };
    let serving = server.take_stream(NeverShut(theirs), nowhere());
    let both = async { tokio::join!(client, serving) };
    let ended = timeout(Duration::from_secs(3), both).await;
    ended.expect("the server gave it up");
}
