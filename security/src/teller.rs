//! Tells discovery, which calls nobody, which tokens there are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chassis::trust::{KnownToken, TokenTable};
use discovery::{DiscoveryClient, TrustArgs};
use rpc::{CallOptions, Channel};
use tokio::time::timeout;

use crate::book::Book;

/// How often discovery is asked whether it still knows: after a restart it does not.
const PERIOD: Duration = Duration::from_secs(1);
/// How long one word to it may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Tokens in one call.
const TOKENS_PER_CALL: usize = 1_000;

/// Keeps the service's own table up, from which its own guard reads.
pub(crate) async fn tell_ourselves(book: Book, table: Arc<TokenTable>) {
    let mut changes = book.changes();
    loop {
        changes.mark_unchanged();
        let (all, _) = book.known_after(0);
        table.replace(all.iter().filter_map(KnownToken::to_holder));
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Keeps discovery's table up, for ever.
pub(crate) async fn tell_discovery(book: Book, at: SocketAddr) {
    let options = CallOptions {
        timeout: Some(PATIENCE),
        ..CallOptions::default()
    };
    let client = DiscoveryClient::new(Channel::to(at)).with(options);
    let mut changes = book.changes();
    // Numbers mean something only in one life of this process.
    let life = format!("{}-{}", std::process::id(), crate::handlers::now_ms());
    let mut known = 0;
    loop {
        changes.mark_unchanged();
        match tell_once(&client, &book, &life, known).await {
            Ok(now_known) => known = now_known,
            Err(error) => tracing::debug!(%error, "discovery does not hear which tokens there are"),
        }
        // Whether it changed or time went by: the next word says all that is missing.
        let _ = timeout(PERIOD, changes.changed()).await;
    }
}

/// Says what discovery misses, and returns up to where it knows everything.
async fn tell_once(
    client: &DiscoveryClient,
    book: &Book,
    life: &str,
    known: u64,
) -> Result<u64, rpc::Error> {
    let (newer, now) = book.known_after(known);
    let mut from = known;
    let parts: Vec<&[KnownToken]> = match newer.as_slice() {
        [] => vec![&[]],
        all => all.chunks(TOKENS_PER_CALL).collect(),
    };
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let to = if last { now } else { from };
        let args = TrustArgs {
            life: life.to_owned(),
            from,
            to,
            begin: known == 0 && index == 0,
            tokens: part.to_vec(),
        };
        if !client.trust(&args).await?.taken {
            // It has forgotten: from the beginning, at once.
            return Ok(0);
        }
        from = to;
    }
    Ok(now)
}
