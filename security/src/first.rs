//! The first admin token.

use std::io::Write as _;
use std::path::Path;

use chassis::trust::{digest, read_token, spell};
use chassis::{Exit, Failure};
use rpc::Error;
use security::limits::ADMIN_TOKEN_BYTES_MIN;
use security::{ADMIN_TOKEN_FILE, CreateTokenArgs};

use crate::book::Book;
use crate::handlers::now_ms;
use crate::state::Write;

/// Takes in the admin token that was left in security's folder, or in `ADMIN_TOKEN`; without
/// either, a security that was started by hand and knows no token makes one and says it on the
/// terminal, this once.
pub(crate) async fn admin_token(book: &Book, folder: &Path, in_fleet: bool) -> Result<(), Failure> {
    let file = folder.join(ADMIN_TOKEN_FILE);
    if file.exists() {
        take_in(book, &read_token(&file)?).await?;
        // After it is durable: a start that ends in between takes it in again, as the same token.
        std::fs::remove_file(&file)?;
        return Ok(());
    }
    if in_fleet {
        return Ok(());
    }
    if let Ok(given) = std::env::var("ADMIN_TOKEN") {
        return take_in(book, given.trim()).await;
    }
    if book.read(crate::state::State::is_empty) {
        let token = spell()?;
        take_in(book, &token).await?;
        let words = format!("the first admin token, said this once:\n  {token}\n");
        // Not the log: that is kept. Without a terminal nobody hears it, and ADMIN_TOKEN is left.
        std::io::stderr().write_all(words.as_bytes())?;
    }
    Ok(())
}

/// From now on this token is the one called `admin`; an earlier one that was taken in is revoked.
async fn take_in(book: &Book, token: &str) -> Result<(), Failure> {
    if token.len() < ADMIN_TOKEN_BYTES_MIN {
        let message = format!("the admin token has {} bytes", token.len());
        return Err(Failure::new(Exit::Config, message).with_hint(format!(
            "ADMIN_TOKEN needs at least {ADMIN_TOKEN_BYTES_MIN}; `openssl rand -hex 32` makes one"
        )));
    }
    let digest = digest(token.as_bytes());
    let decide = move |state: &crate::state::State| {
        if state.find(&digest).is_some() {
            return Ok((Vec::new(), ()));
        }
        let args = CreateTokenArgs {
            name: "admin".to_owned(),
            grants: vec!["*:*:write".to_owned()],
            roles: Vec::new(),
            ttl_ms: None,
        };
        let (mut record, mut writes) = state.create(args, &digest, None, now_ms())?;
        record.created_by = BOOT.to_owned();
        writes.retain(|write| !matches!(write, Write::PutToken(_)));
        for old in state.list(false, now_ms()) {
            if old.name == "admin" && old.created_by == BOOT {
                writes.extend(state.revoke(&old.id, now_ms())?);
            }
        }
        writes.push(Write::PutToken(record));
        Ok((writes, ()))
    };
    let taken = book.change(None, decide).await;
    taken.map_err(|e: Error| Failure::new(Exit::Software, e.to_string()).with_hint(e.hint))
}

/// Who makes a token that was left for us.
const BOOT: &str = "boot";
