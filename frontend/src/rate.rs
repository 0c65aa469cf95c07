//! How many requests a client may make: a bucket of tokens for each, and a ban for who does not
//! listen. Time is an argument.
//!
//! A bucket is one number, the moment at which it will be full again (the generic cell rate
//! algorithm): a request moves that moment by the time that one token takes, and is refused where
//! it would lie further ahead than the whole bucket takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a kind of client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests at once, after a pause.
    pub(crate) burst: u32,
    /// And so many a second.
    pub(crate) per_second: u32,
}

impl Allowance {
    /// How long one token takes to come back, in microseconds.
    fn interval_us(self) -> u64 {
        1_000_000 / u64::from(self.per_second.clamp(1, 1_000_000))
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Allowed,
    /// It comes too early: by this many milliseconds.
    Limited { retry_after_ms: u64 },
    /// The client did not listen, and is not heard for so long.
    Banned { retry_after_ms: u64 },
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    full_at_us: u64,
    banned_until_us: u64,
    refusals: u32,
}

impl Seen {
    /// From then on, whoever forgets this client does it no favour.
    fn settled_at_us(&self) -> u64 {
        self.full_at_us.max(self.banned_until_us)
    }
}

/// The clients that were seen lately.
#[derive(Debug)]
pub(crate) struct Clients {
    seen: BTreeMap<Arc<str>, Seen>,
    by_settling: BTreeSet<(u64, Arc<str>)>,
    max: usize,
    refusals_max: u32,
    ban_us: u64,
}

impl Clients {
    /// Remembers at most `max` clients; bans whoever is refused `refusals_max` times in a row.
    pub(crate) fn new(max: usize, refusals_max: u32, ban_ms: u64) -> Self {
        Self {
            seen: BTreeMap::new(),
            by_settling: BTreeSet::new(),
            max: max.max(1),
            refusals_max,
            ban_us: ban_ms.saturating_mul(1_000),
        }
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// A request of this client, now.
    pub(crate) fn request(&mut self, client: &Arc<str>, may: Allowance, now_ms: u64) -> Verdict {
        let now = now_ms.saturating_mul(1_000);
        let mut seen = match self.seen.remove(client) {
            Some(seen) => {
                self.by_settling
                    .remove(&(seen.settled_at_us(), Arc::clone(client)));
                seen
            }
            None => Seen::default(),
        };
        let verdict = self.judge(&mut seen, may, now);
        // Whoever loses least by it is forgotten for a new one.
        if self.seen.len() >= self.max
            && let Some((_, other)) = self.by_settling.pop_first()
        {
            self.seen.remove(&other);
        }
        let settled = (seen.settled_at_us(), Arc::clone(client));
        self.by_settling.insert(settled);
        self.seen.insert(Arc::clone(client), seen);
        verdict
    }

    fn judge(&self, seen: &mut Seen, may: Allowance, now: u64) -> Verdict {
        if now < seen.banned_until_us {
            let retry_after_ms = (seen.banned_until_us - now).div_ceil(1_000);
            return Verdict::Banned { retry_after_ms };
        }
        let interval = may.interval_us();
        let full_at = seen.full_at_us.max(now) + interval;
        let earliest = full_at.saturating_sub(interval * u64::from(may.burst.max(1)));
        if earliest <= now {
            seen.full_at_us = full_at;
            seen.refusals = 0;
            return Verdict::Allowed;
        }
        seen.refusals += 1;
        if seen.refusals >= self.refusals_max {
            seen.refusals = 0;
            seen.banned_until_us = now.saturating_add(self.ban_us);
            let retry_after_ms = self.ban_us / 1_000;
            return Verdict::Banned { retry_after_ms };
        }
        let retry_after_ms = (earliest - now).div_ceil(1_000);
        Verdict::Limited { retry_after_ms }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAY: Allowance = Allowance {
        burst: 30,
        per_second: 2,
    };

    fn name(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn a_burst_is_let_in_then_two_a_second_then_who_goes_on_is_banned() {
        let mut clients = Clients::new(10, 5, 60_000);
        let mut request = |client: &str, now_ms| clients.request(&name(client), MAY, now_ms);
        for _ in 0..30 {
            assert_eq!(request("a", 0), Verdict::Allowed);
        }
        let limited = |retry_after_ms| Verdict::Limited { retry_after_ms };
        let banned = |retry_after_ms| Verdict::Banned { retry_after_ms };
        assert_eq!(request("a", 0), limited(500));
        assert_eq!(request("a", 100), limited(400));
        assert_eq!(request("a", 500), Verdict::Allowed);
        for _ in 0..4 {
            assert_eq!(request("a", 500), limited(500));
        }
        assert_eq!(request("a", 500), banned(60_000));
        assert_eq!(request("a", 60_499), banned(1));
        assert_eq!(request("a", 60_500), Verdict::Allowed);
        assert_eq!(request("b", 500), Verdict::Allowed);
    }

    #[test]
    fn one_refusal_between_good_requests_never_adds_up_to_a_ban() {
        let mut clients = Clients::new(10, 2, 60_000);
        for _ in 0..30 {
            clients.request(&name("a"), MAY, 0);
        }
        for n in 0..100 {
            let limited = clients.request(&name("a"), MAY, n * 500);
            assert!(
                matches!(limited, Verdict::Limited { .. }),
                "{n}: {limited:?}"
            );
            let allowed = clients.request(&name("a"), MAY, (n + 1) * 500);
            assert_eq!(allowed, Verdict::Allowed, "{n}");
        }
    }

    #[test]
    fn clients_are_forgotten_before_they_are_too_many_and_a_ban_is_not() {
        let mut clients = Clients::new(3, 1, 60_000);
        for _ in 0..31 {
            clients.request(&name("bad"), MAY, 0);
        }
        for n in 0..1_000 {
            clients.request(&name(&n.to_string()), MAY, 1);
            assert!(clients.len() <= 3);
            assert_eq!(clients.len(), clients.by_settling.len());
        }
        let bad = clients.request(&name("bad"), MAY, 2);
        assert!(matches!(bad, Verdict::Banned { .. }), "{bad:?}");
    }

    #[test]
    fn a_bucket_without_a_size_or_a_rate_still_has_one() {
        let mut clients = Clients::new(0, u32::MAX, u64::MAX);
        let nothing = Allowance {
            burst: 0,
            per_second: 0,
        };
        let first = clients.request(&name("a"), nothing, u64::MAX / 1_000_000);
        assert_eq!(first, Verdict::Allowed);
        let second = clients.request(&name("a"), nothing, u64::MAX / 1_000_000);
        let later = Verdict::Limited {
            retry_after_ms: 1_000,
        };
        assert_eq!(second, later);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_burst_and_the_rate(
            gaps in prop::collection::vec(0_u64..2_000, 1..300),
        ) {
            let mut clients = Clients::new(10, u32::MAX, 0);
            let (mut now, mut allowed) = (0, 0_u32);
            for gap in gaps {
                now += gap;
                if clients.request(&name("a"), MAY, now) == Verdict::Allowed {
                    allowed += 1;
                }
            }
            let most = f64::from(MAY.burst) + now as f64 / 1_000.0 * f64::from(MAY.per_second);
            prop_assert!(f64::from(allowed) <= most + 1e-6, "{allowed} of {most}");
        }

        /// Whoever does as it is told is let in, and never banned.
        #[test]
        fn whoever_waits_as_it_is_told_is_let_in(
            burst in 1_u32..50, per_second in 1_u32..2_000, requests in 1_usize..200,
        ) {
            let may = Allowance { burst, per_second };
            let mut clients = Clients::new(10, 2, 60_000);
            let mut now = 0;
            for _ in 0..requests {
                if let Verdict::Limited { retry_after_ms } = clients.request(&name("a"), may, now) {
                    now += retry_after_ms;
                    prop_assert_eq!(clients.request(&name("a"), may, now), Verdict::Allowed);
                }
            }
        }

        #[test]
        fn what_is_remembered_is_bounded_and_consistent(
            requests in prop::collection::vec((0_u8..40, 0_u64..500), 1..400),
        ) {
            let mut clients = Clients::new(8, 3, 1_000);
            let mut now = 0;
            for (client, gap) in requests {
                now += gap;
                clients.request(&name(&client.to_string()), MAY, now);
                prop_assert!(clients.len() <= 8);
                let settled = clients.seen.iter().map(|(c, s)| (s.settled_at_us(), c.clone()));
                prop_assert_eq!(settled.collect::<BTreeSet<_>>(), clients.by_settling.clone());
            }
        }
    }
}
