//! A stream as Server-Sent Events.
//!
//! | event | says |
//! |---|---|
//! | (no name) | one item |
//! | `end` | the service ended the stream well |
//! | `error` | a problem ended it; its `retry` says whether to come back |
//! | a comment | nothing happened for a while, and all is well |
//!
//! A connection that ends without `end` or `error` was cut: by somebody between, or by us because
//! its reader took nothing for too long. What waits for a reader is one event here, and one window
//! of credit at the service, which waits too.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use chassis::trust::Doorman;
use futures_util::stream::unfold;
use rpc::{Code, Error, Retry, Streaming};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::gateway::Gateway;
use crate::json::Json;
use crate::places::Place;
use crate::problem::Problem;
use crate::request::Visitor;
use crate::stats::{Refusal, Route};

/// How long the answer waits for a refusal, which comes before the first item: as a problem it has
/// a status of its own.
const FIRST_WORD: Duration = Duration::from_millis(200);
/// How often a stream's token is looked at again.
const TOKEN_CHECK: Duration = Duration::from_millis(500);

/// An open stream and its reader.
struct Pump {
    stream: Streaming<Json>,
    reader: mpsc::Sender<Bytes>,
    visitor: Visitor,
    ending: watch::Receiver<bool>,
    gateway: Arc<Gateway>,
    cut: Arc<AtomicBool>,
    _place: Place,
}

/// What comes next.
enum Next {
    Item(Json),
    End,
    Failed(Error),
    Silence,
}

/// The answer that carries a stream.
///
/// # Errors
/// The service refused it at once.
pub(crate) async fn response(
    gateway: &Arc<Gateway>,
    mut stream: Streaming<Json>,
    place: Place,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let first = match timeout(FIRST_WORD, stream.next()).await {
        Ok(Some(Err(error))) => return Err(error.into()),
        Ok(Some(Ok(item))) => Some(Next::Item(item)),
        Ok(None) => Some(Next::End),
        Err(_) => None,
    };
    // One event waits here while another one is being written.
    let (reader, events) = mpsc::channel(1);
    let cut = Arc::new(AtomicBool::new(false));
    let pump = Pump {
        stream,
        reader,
        visitor,
        ending: gateway.ending.subscribe(),
        gateway: Arc::clone(gateway),
        cut: Arc::clone(&cut),
        _place: place,
    };
    tokio::spawn(pump.run(first));
    let kind = [(CONTENT_TYPE, "text/event-stream")];
    let mut response = (kind, body(events, cut)).into_response();
    response.extensions_mut().insert(Route::Stream);
    Ok(response)
}

/// The events; an error in place of the end if the stream was cut, so that no reader takes that
/// for the end.
fn body(events: mpsc::Receiver<Bytes>, cut: Arc<AtomicBool>) -> Body {
    Body::from_stream(unfold((events, cut), |(mut events, cut)| async move {
        let event = match events.recv().await {
            Some(event) => Ok(event),
            None if cut.swap(false, Relaxed) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            None => return None,
        };
        Some((event, (events, cut)))
    }))
}

impl Pump {
    async fn run(mut self, first: Option<Next>) {
        let mut next = first;
        loop {
            let event = match next.take() {
                Some(event) => event,
                None => match self.next().await {
                    Some(event) => event,
                    None => return,
                },
            };
            let last = matches!(event, Next::End | Next::Failed(_));
            let text = self.text(event);
            let patience = self.gateway.config.write_timeout;
            match timeout(patience, self.reader.send(text)).await {
                Ok(Ok(())) if !last => {}
                Ok(_) => return,
                Err(_) => {
                    self.cut.store(true, Relaxed);
                    self.gateway.stats.refused(Refusal::SlowReader);
                    let client = &self.visitor.client;
                    tracing::debug!(%client, ?patience, "a stream is cut: nobody reads it");
                    return;
                }
            }
        }
    }

    /// `None` once the reader is gone.
    async fn next(&mut self) -> Option<Next> {
        let silence = Instant::now() + self.gateway.config.heartbeat;
        loop {
            let look_again = Instant::now() + TOKEN_CHECK;
            tokio::select! {
                item = self.stream.next() => return Some(match item {
                    Some(Ok(item)) => Next::Item(item),
                    Some(Err(error)) => Next::Failed(error),
                    None => Next::End,
                }),
                () = self.reader.closed() => return None,
                _ = self.ending.wait_for(|ending| *ending) => return Some(Next::Failed(ends())),
                () = sleep_until(silence) => return Some(Next::Silence),
                () = sleep_until(look_again) => {}
            }
            if !is_still_good(&self.gateway.doorman, &self.visitor) {
                return Some(Next::Failed(token_ended()));
            }
        }
    }

    fn text(&self, next: Next) -> Bytes {
        match next {
            Next::Item(item) => data(&item),
            Next::End => Bytes::from_static(b"event: end\ndata: {}\n\n"),
            Next::Silence => Bytes::from_static(b":\n\n"),
            Next::Failed(error) => {
                let problem = Problem::from(error).json(self.visitor.id.trace());
                format!("event: error\ndata: {problem}\n\n").into()
            }
        }
    }
}

/// A stream outlives the check at its beginning; a token that ends takes its streams with it.
fn is_still_good(doorman: &Doorman, visitor: &Visitor) -> bool {
    visitor.holder.is_none() || doorman.holder(&visitor.token).is_some()
}

fn data(item: &Json) -> Bytes {
    let mut event = Vec::new();
    for line in item.lines() {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line);
        event.push(b'\n');
    }
    event.push(b'\n');
    event.into()
}

fn ends() -> Error {
    Error::new(Code::Unavailable, "gateway-ends", "this gateway ends")
        .with_hint("open the stream again: another one may be there already")
        .with_retry(Retry::Safe)
}

fn token_ended() -> Error {
    let words = "the token of this stream has expired, or was revoked";
    Error::new(Code::Unauthenticated, "token-ended", words)
        .with_hint("ask whoever runs the fleet for a new token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_one_event_however_its_service_lays_out_json() {
        for (text, event) in [
            ("{\"a\":1}", "data: {\"a\":1}\n\n"),
            (
                "{\n  \"a\": 1\r\n}\n",
                "data: {\ndata:   \"a\": 1\ndata: }\n\n",
            ),
        ] {
            let item = Json::parse(Bytes::from_static(text.as_bytes())).unwrap();
            assert_eq!(data(&item), event);
        }
    }
}
