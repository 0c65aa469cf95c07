//! Tells an open page that there is something new to fetch, and that all is well otherwise.
//!
//! | event | says |
//! |---|---|
//! | `change` | the fleet is not as it was: fetch what is shown anew |
//! | `alive` | nothing happened, and this connection is well; once a second |
//! | `over` | the session is over |

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::sessions::Session;
use crate::view::View;

/// Changes that are closer together are one: at most four a second.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a page hears something, whatever happens.
const ALIVE: Duration = Duration::from_secs(1);

struct Reader {
    session: Arc<Session>,
    view: watch::Receiver<View>,
    over: bool,
}

/// A stream of events for one open page.
pub(crate) async fn live(Extension(session): Extension<Arc<Session>>) -> Response {
    let reader = Reader {
        view: session.look.subscribe(),
        session,
        over: false,
    };
    let events = unfold(reader, |mut reader| async move {
        if reader.over {
            return None;
        }
        let event = reader.next().await;
        reader.over = event == "over";
        let text = format!("event: {event}\ndata: \n\n");
        Some((Ok::<_, Infallible>(text), reader))
    });
    let kind = [(CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(events)).into_response()
}

impl Reader {
    async fn next(&mut self) -> &'static str {
        let changed = timeout(ALIVE, self.view.changed()).await;
        if !self.session.is_good() {
            return "over";
        }
        match changed {
            Ok(Ok(())) => {
                sleep(PAUSE / 5).await;
                self.view.mark_unchanged();
                "change"
            }
            // The view is ours for as long as the session is.
            Ok(Err(_)) => "over",
            Err(_) => "alive",
        }
    }
}
