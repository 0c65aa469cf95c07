//! Connections: lost, refused, drained, stalled; and bytes that no client of ours would send.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use common::{
    Blob, Flood, LabClient, LabDispatch, Millis, TestLab, client, start, start_with, until, within,
};
use rpc::{CallOptions, Channel, Code, Empty, Endpoint, Limits, Retry, Running, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// What every client says first.
fn preface() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&rpc::PREFACE_MAGIC);
    bytes[4..8].copy_from_slice(&(4_u32 << 20).to_le_bytes());
    bytes[8..12].copy_from_slice(&(256_u32 << 10).to_le_bytes());
    bytes
}

async fn raw(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    stream
        .write_all(&preface())
        .await
        .expect("room for a preface");
    let mut theirs = [0; 16];
    stream
        .read_exact(&mut theirs)
        .await
        .expect("the server's preface");
    stream
}

/// Reads until the server closes; fails if it does not.
async fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
    // A reset is a close too.
    let _ = read.await.expect("the server closes the connection");
    rest
}

async fn still_serves(server: &Running) {
    client(server)
        .echo(&Blob::default())
        .await
        .expect("the server still serves");
}

#[tokio::test]
async fn random_bytes_end_their_connection_and_not_the_server() {
    let (server, _) = start().await;
    let mut seed = 1_u64;
    for round in 0..50 {
        let mut stream = if round % 2 == 0 {
            TcpStream::connect(server.address())
                .await
                .expect("a connection")
        } else {
            raw(&server).await
        };
        let junk: Vec<u8> = (0..2_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect();
        let _ = stream.write_all(&junk).await;
        read_to_close(&mut stream).await;
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_by_its_header_alone() {
    let (server, _) = start().await;
    let mut stream = raw(&server).await;
    stream
        .write_all(&u32::MAX.to_le_bytes())
        .await
        .expect("four bytes");
    let answer = read_to_close(&mut stream).await;
    assert!(
        String::from_utf8_lossy(&answer).contains("frame-too-large"),
        "the error frame says why: {answer:?}"
    );
    still_serves(&server).await;
}

#[tokio::test]
async fn half_a_frame_and_silence_is_closed_after_the_idle_timeout() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let (server, _) = start_with(limits).await;
    let mut stream = raw(&server).await;
    stream
        .write_all(&[100, 0, 0, 0, 1, 0])
        .await
        .expect("six bytes");
    let start = Instant::now();
    read_to_close(&mut stream).await;
    assert!(start.elapsed() >= Duration::from_millis(190));
    until("the connection is forgotten", || server.connections() == 0).await;
    still_serves(&server).await;
}

#[tokio::test]
async fn a_client_that_never_finishes_its_handshake_is_dropped() {
    let limits = Limits {
        handshake_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let (server, _) = start_with(limits).await;
    let mut silent = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    let mut slow = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    slow.write_all(&rpc::PREFACE_MAGIC)
        .await
        .expect("four bytes");
    read_to_close(&mut silent).await;
    read_to_close(&mut slow).await;
    still_serves(&server).await;
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_and_others_go_on() {
    let (server, _) = start_with(Limits {
        connections_max: 2,
        ..Limits::default()
    })
    .await;
    let (one, _two) = (client(&server), raw(&server).await);
    one.echo(&Blob::default()).await.expect("the first");
    until("two connections", || server.connections() == 2).await;
    let mut third = TcpStream::connect(server.address())
        .await
        .expect("accepted, then closed");
    let _ = third.write_all(&preface()).await;
    assert_eq!(read_to_close(&mut third).await, b"");
    one.echo(&Blob::default()).await.expect("the first goes on");
}

#[tokio::test]
async fn when_a_server_dies_every_call_in_flight_ends_with_unavailable() {
    let (server, seen) = start().await;
    let client = client(&server);
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.count(&Millis { ms: 60_000 }).await })
        })
        .collect();
    until("all are in flight", || seen.started.load(SeqCst) == 1_000).await;
    drop(server);
    for call in calls {
        let ended = timeout(Duration::from_secs(3), call)
            .await
            .expect("within 3 s");
        let error = ended.expect("no panic").expect_err("the server is gone");
        assert_eq!(error.code, Code::Unavailable, "{error:?}");
    }
    assert_eq!(seen.started.load(SeqCst), 1_000, "no write was repeated");
}

#[tokio::test]
async fn a_server_that_stops_answering_is_noticed_within_three_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    // Shakes hands like a server and then never reads or writes again, as if stopped.
    let hung = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream
            .write_all(&preface())
            .await
            .expect("room for a preface");
        std::future::pending::<()>().await;
    });
    let start = Instant::now();
    let error = LabClient::new(Channel::to(address))
        .count(&Millis { ms: 1 })
        .await
        .expect_err("nobody answers");
    assert_eq!(error.code, Code::Unavailable, "{error:?}");
    assert!(
        start.elapsed() < Duration::from_millis(3_500),
        "after {:?}",
        start.elapsed()
    );
    hung.abort();
}

#[tokio::test]
async fn a_server_nobody_runs_is_an_error_that_says_where_within_a_moment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let start = Instant::now();
    let error = LabClient::new(Channel::to(address))
        .echo(&Blob::default())
        .await
        .expect_err("nobody listens");
    assert_eq!(
        (error.code, &*error.reason),
        (Code::Unavailable, "cannot-connect")
    );
    assert!(error.message.contains(&address.to_string()), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_channel_finds_its_server_again_after_a_restart() {
    let (server, _) = start().await;
    let address = server.address();
    let client = client(&server);
    client
        .echo(&Blob::default())
        .await
        .expect("the first server");
    drop(server);
    let patient = client.with(CallOptions {
        wait_for_ready: true,
        ..within(5_000)
    });
    let waiting = tokio::spawn(async move { patient.echo(&Blob::default()).await });
    let again = loop {
        let server = Server::new("lab", "2").service(LabDispatch::new(TestLab::default()));
        match server.listen(address).await {
            Ok(running) => break running,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    waiting
        .await
        .expect("no panic")
        .expect("the second server answers");
    drop(again);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_where_that_does_no_harm() {
    // Takes the first connection's request and drops it; serves from the second connection on.
    async fn flaky() -> (std::net::SocketAddr, Arc<common::Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let lab = TestLab::default();
        let seen = Arc::clone(&lab.0);
        let running = Server::new("lab", "1")
            .service(LabDispatch::new(lab))
            .detached()
            .expect("a server");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(&preface()).await.expect("room");
            let mut request = vec![0; 40];
            stream
                .read_exact(&mut request)
                .await
                .expect("a preface and a header");
            drop(stream);
            loop {
                let (stream, peer) = listener.accept().await.expect("a connection");
                running.take_stream(stream, peer).await;
            }
        });
        (address, seen)
    }

    let (address, seen) = flaky().await;
    let reply = LabClient::new(Channel::to(address))
        .touch(&Millis { ms: 0 })
        .await;
    assert_eq!(reply.expect("idempotent: tried again").ms, 1);
    assert_eq!(seen.started.load(SeqCst), 1);

    let (address, seen) = flaky().await;
    let client = LabClient::new(Channel::to(address));
    let error = client
        .count(&Millis { ms: 0 })
        .await
        .expect_err("a write is not tried again");
    assert_eq!(
        (error.code, error.retry),
        (Code::Unavailable, Retry::IfIdempotent)
    );
    assert_eq!(seen.started.load(SeqCst), 0);
}

#[tokio::test]
async fn draining_ends_streams_finishes_calls_and_loses_none() {
    let (one, seen) = start().await;
    let (two, _) = start().await;
    let endpoint = |server: &Running| Endpoint {
        address: server.address(),
        weight: 1,
    };
    let (_endpoints, watching) = watch::channel(Arc::<[Endpoint]>::from(vec![
        endpoint(&one),
        endpoint(&two),
    ]));
    let client = LabClient::new(Channel::balanced("lab", watching));
    let slow = LabClient::new(Channel::to(one.address()));
    let slow = tokio::spawn(async move { slow.sleep(&Millis { ms: 300 }).await });
    until("the slow call runs", || seen.started.load(SeqCst) == 1).await;
    let flood = Flood {
        items: u64::MAX,
        bytes_each: 10,
    };
    let mut stream = LabClient::new(Channel::to(one.address()))
        .flood(&flood)
        .await
        .expect("a stream");
    stream.next().await.expect("an item").expect("an item");
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..2_000 {
                    client
                        .count(&Millis { ms: 0 })
                        .await
                        .expect("no call is lost");
                }
            })
        })
        .collect();
    assert!(
        one.drain(Duration::from_secs(10)).await,
        "every call ended by itself"
    );
    slow.await
        .expect("no panic")
        .expect("the slow call was finished");
    let end = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(e)) => break e,
            None => panic!("a stream of a draining server ends with a reason"),
        }
    };
    assert_eq!((end.code, &*end.reason), (Code::Unavailable, "going-away"));
    for caller in callers {
        caller.await.expect("no call is lost");
    }
}

#[tokio::test]
async fn calls_spread_over_endpoints_and_follow_them() {
    let (one, seen_one) = start().await;
    let (two, seen_two) = start().await;
    let endpoint = |server: &Running| Endpoint {
        address: server.address(),
        weight: 1,
    };
    let (endpoints, watching) = watch::channel(Arc::<[Endpoint]>::from(Vec::new()));
    let client = LabClient::new(Channel::balanced("lab", watching));
    let error = client
        .count(&Millis { ms: 0 })
        .await
        .expect_err("nobody is known");
    assert_eq!(
        (error.code, &*error.reason),
        (Code::Unavailable, "no-instance")
    );
    endpoints.send_replace(Arc::from(vec![endpoint(&one), endpoint(&two)]));
    // However slow one of them was once: what was not measured for long counts less and less.
    let counts = || (seen_one.started.load(SeqCst), seen_two.started.load(SeqCst));
    let deadline = Instant::now() + Duration::from_secs(10);
    while counts().0.min(counts().1) < 50 {
        assert!(Instant::now() < deadline, "{:?} calls", counts());
        client.count(&Millis { ms: 0 }).await.expect("an answer");
    }
    let b = counts().1;
    endpoints.send_replace(Arc::from(vec![endpoint(&two)]));
    drop(one);
    for _ in 0..100 {
        client.count(&Millis { ms: 0 }).await.expect("an answer");
    }
    assert_eq!(seen_two.started.load(SeqCst), b + 100);
}

#[tokio::test]
async fn a_thousand_callers_make_one_connection() {
    let (server, _) = start().await;
    let client = client(&server);
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.remaining(&Empty {}).await })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic").expect("an answer");
    }
    assert_eq!(server.connections(), 1);
    drop(client);
    until("the last channel closes it", || server.connections() == 0).await;
}

#[tokio::test]
async fn a_busy_connection_makes_callers_wait_with_their_deadline_ticking() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let mute = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream
            .write_all(&preface())
            .await
            .expect("room for a preface");
        std::future::pending::<()>().await;
    });
    let client = LabClient::new(Channel::to(address)).with(within(300));
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let client = client.clone();
            let bytes = bytes::Bytes::from(vec![0; 1 << 20]);
            tokio::spawn(async move { client.echo(&Blob { bytes }).await })
        })
        .collect();
    for call in calls {
        let ended = timeout(Duration::from_secs(3), call)
            .await
            .expect("nobody waits for ever");
        let error = ended.expect("no panic").expect_err("nobody answers");
        assert!(
            matches!(error.code, Code::DeadlineExceeded | Code::Unavailable),
            "{error:?}"
        );
    }
    mute.abort();
}

#[tokio::test]
async fn a_quiet_stream_lives_for_as_long_as_both_ends_do() {
    let limits = Limits {
        keepalive: Duration::from_millis(20),
        idle_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let (server, seen) = start_with(limits.clone()).await;
    let client = LabClient::new(Channel::to_with(server.address(), limits));
    // The second item does not fit in the window, so the stream is open and silent.
    let flood = Flood {
        items: 3,
        bytes_each: 300_000,
    };
    let mut stream = client.flood(&flood).await.expect("a stream");
    until("the first item is under way", || {
        seen.items_sent.load(SeqCst) == 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(600)).await; // why: thirty keepalives of silence
    let mut items = 0;
    while let Some(item) = stream.next().await {
        item.expect("an item: the connection was kept");
        items += 1;
    }
    assert_eq!(items, 3);
    assert_eq!(server.connections(), 1);
}
