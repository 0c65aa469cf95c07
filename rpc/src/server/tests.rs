//! The connection's task where only its inside shows what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::duplex;

use super::connection::{Ended, ServerConnection};
use super::driver::Driver;
use super::router::{Parts, Router};
use super::sender::StreamSender;
use crate::frame::Preface;
use crate::{Code, Codec, Empty, HealthState, Limits};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn connection() -> Arc<ServerConnection> {
    let parts = Parts {
        name: "lab".into(),
        version: "1".into(),
        limits: Limits::default(),
        guard: None,
        services: Vec::new(),
        extra_metrics: None,
        health: HealthState::Serving,
    };
    let router = Router::new(parts).expect("no clash");
    let peer = ([127, 0, 0, 1], 1).into();
    ServerConnection::new(router, peer, &Preface::of(&Limits::default()))
}

#[tokio::test]
async fn a_call_that_ends_as_it_is_cancelled_does_not_keep_the_connection_busy() {
    let connection = connection();
    let (_client, stream) = duplex(1 << 10);
    let mut serving = Box::pin(Driver::new(stream, Arc::clone(&connection)).run());
    // What its task leaves behind when the cancellation came first.
    connection.send(|shared| shared.finished.push(Ended { call: 7, serial: 0 }));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..3 {
        assert_eq!(serving.as_mut().poll(&mut cx), Poll::Pending);
    }
    assert_eq!(wakes.0.load(SeqCst), 0, "it goes round and round");
}

#[tokio::test]
async fn a_stream_that_begins_as_its_connection_closes_ends_and_does_not_run_for_ever() {
    let connection = connection();
    connection.close();
    let sender = StreamSender::<Empty>::new(connection, 7, Codec::Bincode);
    let error = sender.send(&Empty {}).await.expect_err("nobody reads");
    assert_eq!(error.code, Code::Cancelled);
}
