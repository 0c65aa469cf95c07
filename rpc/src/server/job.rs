//! A handler that had to wait, as a task: its panic and its deadline end the call and nothing else.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use tokio::time::timeout_at;

use super::connection::{Ended, ServerConnection};
use super::incoming::HandlerFuture;
use crate::Error;
use crate::frame::Header;

/// A call that became a task.
pub(super) struct Job {
    pub(super) connection: Arc<ServerConnection>,
    pub(super) header: Header,
    pub(super) route: usize,
    pub(super) deadline: Option<Instant>,
    /// Which of the connection's spawned calls it is.
    pub(super) serial: u64,
}

impl Job {
    pub(super) async fn run(self, future: HandlerFuture, started: Instant) {
        let guarded = CatchPanic(future);
        let ended = match self.deadline {
            Some(deadline) => timeout_at(deadline.into(), guarded).await,
            None => Ok(guarded.await),
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(Panicked)) => self.panicked(),
            Err(_) => self.fail(&Error::deadline()),
        }
        self.connection
            .router
            .route(self.route)
            .stats
            .took(started.elapsed(), 1);
        let ended = Ended {
            call: self.header.call,
            serial: self.serial,
        };
        self.connection.send(|shared| shared.finished.push(ended));
    }

    pub(super) fn panicked(&self) {
        let message = format!("the handler of procedure {} panicked", self.header.number);
        self.fail(&Error::internal("panic", message).with_hint("the server's log has the details"));
    }

    fn fail(&self, error: &Error) {
        self.connection.router.route(self.route).stats.finish(false);
        self.connection
            .fail(self.header.codec, self.header.call, error);
    }
}

struct Panicked;

/// Turns a panic of the handler into a value: it ends the call, not the connection.
struct CatchPanic(HandlerFuture);

impl Future for CatchPanic {
    type Output = Result<(), Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}
