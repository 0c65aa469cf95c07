//! Which opaque tokens there are, as security tells it.

use std::sync::Arc;

use chassis::trust::{Holder, Kind, KnownToken, TokenTable};
use discovery::{Registration, TrustArgs};
use parking_lot::Mutex;
use rpc::{Code, Error};

/// What was told so far.
#[derive(Default)]
pub(crate) struct Told {
    table: Arc<TokenTable>,
    /// By whom, and up to where.
    by: Mutex<Option<(String, u64)>>,
}

impl Told {
    /// Where the guard looks tokens up.
    pub(crate) fn table(&self) -> Arc<TokenTable> {
        Arc::clone(&self.table)
    }

    /// Takes tokens in, unless something that was told before them is missing.
    pub(crate) fn take(&self, args: TrustArgs) -> bool {
        let mut by = self.by.lock();
        let holders = args.tokens.iter().filter_map(KnownToken::to_holder);
        if args.begin {
            self.table.replace(holders);
        } else if *by == Some((args.life.clone(), args.from)) {
            for (digest, holder) in holders {
                self.table.put(digest, holder);
            }
        } else {
            return false;
        }
        *by = Some((args.life, args.to));
        true
    }
}

/// Whether the caller may register this: an instance of the fleet nothing but itself.
///
/// # Errors
/// `not-its-name`.
pub(crate) fn is_its_own(holder: Option<&Holder>, wanted: &Registration) -> Result<(), Error> {
    let Some(holder) = holder else { return Ok(()) };
    let Kind::Instance { service } = &holder.kind else {
        return Ok(());
    };
    if *service == wanted.service && holder.name == wanted.instance {
        return Ok(());
    }
    let message = format!(
        "{} may not register {} as an instance of {}",
        holder.name, wanted.instance, wanted.service
    );
    Err(
        Error::new(Code::PermissionDenied, "not-its-name", message).with_hint(
            "an instance registers under the name that scheduling started it with \
             (ORRERY_INSTANCE)",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(life: &str, (from, to): (u64, u64), begin: bool, tokens: &[u8]) -> TrustArgs {
        let known = |byte: &u8| KnownToken {
            digest: vec![*byte; 32],
            name: byte.to_string(),
            grants: Vec::new(),
            expires_ms: None,
            revoked: false,
        };
        TrustArgs {
            life: life.to_owned(),
            from,
            to,
            begin,
            tokens: tokens.iter().map(known).collect(),
        }
    }

    #[test]
    fn what_is_told_without_a_gap_is_taken_in_and_nothing_else_is() {
        let trust = Told::default();
        let knows = |byte: u8| trust.table().get(&[byte; 32]).is_some();
        assert!(!trust.take(told("a", (0, 1), false, &[1])));
        assert!(!trust.table().is_told());
        assert!(trust.take(told("a", (0, 3), true, &[1])));
        assert!(trust.take(told("a", (3, 4), false, &[2])));
        assert!(trust.take(told("a", (4, 4), false, &[])));
        assert!(knows(1) && knows(2));
        assert!(!trust.take(told("a", (3, 5), false, &[3])));
        assert!(!trust.take(told("b", (4, 5), false, &[3])));
        assert!(!knows(3));
        assert!(trust.take(told("b", (0, 1), true, &[4])));
        assert!(knows(4) && !knows(1));
    }
}
