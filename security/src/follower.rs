//! Keeps a service's table of tokens up to date.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chassis::trust::{Exchange, Following, KnownToken, RecordedCall, TokenTable, Tokens};
use discovery::Resolver;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use crate::limits::RECORDS_MAX;
use crate::{RecordArgs, SYSTEM_NAME, SecurityClient, TokenEvent};

/// How long to wait before the next attempt when the stream is lost.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
/// At most so long.
const AGAIN_MAX: Duration = Duration::from_secs(1);
/// How long calls are gathered before they are taken to the audit log.
const GATHER: Duration = Duration::from_millis(200);

/// Follows `watch_tokens`, wherever discovery says that security is; and takes what people do to
/// the audit log. While security is away the table stays as it was last known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Follower {}

impl Follower {
    /// One that asks discovery where security is.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

impl Tokens for Follower {
    fn follow(self: Box<Self>, exchange: Exchange) -> Following {
        let Exchange {
            registry,
            table,
            calls,
        } = exchange;
        Box::pin(async move {
            let security = find(registry);
            tokio::join!(follow(&security, &table), record(&security, calls));
        })
    }
}

fn find(discovery: SocketAddr) -> SecurityClient {
    SecurityClient::new(Resolver::new(discovery).channel(SYSTEM_NAME))
}

async fn follow(security: &SecurityClient, table: &Arc<TokenTable>) {
    let mut pause = AGAIN_FIRST;
    loop {
        let before = std::time::Instant::now();
        let why = follow_once(security, table).await;
        tracing::debug!(%why, "lost the stream of tokens");
        if before.elapsed() > AGAIN_MAX {
            pause = AGAIN_FIRST;
        }
        sleep(pause).await;
        pause = (pause * 2).min(AGAIN_MAX);
    }
}

/// Takes in what comes until nothing more does, and says why.
async fn follow_once(security: &SecurityClient, table: &TokenTable) -> String {
    let mut stream = match security.watch_tokens(&rpc::Empty {}).await {
        Ok(stream) => stream,
        Err(error) => return error.to_string(),
    };
    let mut parts = Vec::new();
    loop {
        match stream.next().await {
            Some(Ok(TokenEvent::All { tokens, more })) => {
                parts.extend(tokens);
                if !more {
                    let parts = std::mem::take(&mut parts);
                    table.replace(parts.iter().filter_map(KnownToken::to_holder));
                }
            }
            Some(Ok(TokenEvent::Changed { tokens })) => {
                for (digest, holder) in tokens.iter().filter_map(KnownToken::to_holder) {
                    table.put(digest, holder);
                }
            }
            Some(Err(error)) => return error.to_string(),
            None => return "security ended it".to_owned(),
        }
    }
}

/// Takes calls to the audit log, in batches. What cannot be taken there now is taken later; a batch
/// whose answer was lost may be there twice.
async fn record(security: &SecurityClient, mut calls: Receiver<RecordedCall>) {
    let mut batch = Vec::new();
    while calls.recv_many(&mut batch, RECORDS_MAX).await > 0 {
        let args = RecordArgs {
            calls: std::mem::take(&mut batch),
        };
        let mut pause = AGAIN_FIRST;
        while let Err(error) = security.record(&args).await {
            tracing::debug!(%error, "the audit log does not take calls");
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN_MAX);
        }
        sleep(GATHER).await;
    }
    // Nobody calls any more: the table is still to be kept.
    std::future::pending::<()>().await;
}
