//! How many requests a client may make: buckets of tokens, and a ban for who does not listen. Time
//! is an argument.

use std::collections::BTreeMap;

/// What a kind of client may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allowance {
    /// Requests at once, after a pause.
    pub(crate) burst: f64,
    /// And so many a second.
    pub(crate) per_second: f64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Allowed,
    /// It comes too early: this many milliseconds.
    Limited { retry_after_ms: u64 },
    /// The client did not listen, and is not heard for so long.
    Banned { retry_after_ms: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at_ms: u64,
    refusals: u32,
    banned_until_ms: u64,
}

/// The clients that were seen lately.
#[derive(Debug)]
pub(crate) struct Clients {
    buckets: BTreeMap<String, Bucket>,
    max: usize,
    refusals_max: u32,
    ban_ms: u64,
}

impl Clients {
    /// Remembers at most `max` clients; bans whoever is refused `refusals_max` times in a row.
    pub(crate) fn new(max: usize, refusals_max: u32, ban_ms: u64) -> Self {
        Self {
            buckets: BTreeMap::new(),
            max,
            refusals_max,
            ban_ms,
        }
    }

    /// A request of this client, now.
    pub(crate) fn request(&mut self, client: &str, may: Allowance, now_ms: u64) -> Verdict {
        if !self.buckets.contains_key(client) && self.buckets.len() >= self.max {
            self.make_room(may, now_ms);
        }
        let fresh = Bucket {
            level: may.burst,
            at_ms: now_ms,
            refusals: 0,
            banned_until_ms: 0,
        };
        let bucket = self.buckets.entry(client.to_owned()).or_insert(fresh);
        if now_ms < bucket.banned_until_ms {
            let retry_after_ms = bucket.banned_until_ms - now_ms;
            return Verdict::Banned { retry_after_ms };
        }
        let since = now_ms.saturating_sub(bucket.at_ms) as f64 / 1_000.0;
        bucket.level = (bucket.level + since * may.per_second).min(may.burst);
        bucket.at_ms = now_ms;
        if bucket.level >= 1.0 {
            bucket.level -= 1.0;
            bucket.refusals = 0;
            return Verdict::Allowed;
        }
        bucket.refusals += 1;
        if bucket.refusals >= self.refusals_max {
            bucket.refusals = 0;
            bucket.banned_until_ms = now_ms + self.ban_ms;
            let retry_after_ms = self.ban_ms;
            return Verdict::Banned { retry_after_ms };
        }
        let missing = (1.0 - bucket.level) / may.per_second.max(0.001);
        let retry_after_ms = (missing * 1_000.0).ceil() as u64;
        Verdict::Limited { retry_after_ms }
    }

    /// Forgets who has a full bucket again, and is as good as new; and if nobody has, whoever was
    /// seen longest ago and is not banned.
    fn make_room(&mut self, may: Allowance, now_ms: u64) {
        let refill_ms = (may.burst / may.per_second.max(0.001) * 1_000.0) as u64;
        self.buckets.retain(|_, bucket| {
            now_ms < bucket.banned_until_ms || now_ms.saturating_sub(bucket.at_ms) < refill_ms
        });
        if self.buckets.len() < self.max {
            return;
        }
        let oldest = self
            .buckets
            .iter()
            .min_by_key(|(_, b)| (b.banned_until_ms, b.at_ms));
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.buckets.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAY: Allowance = Allowance {
        burst: 30.0,
        per_second: 2.0,
    };

    #[test]
    fn a_burst_is_let_in_then_two_a_second_then_who_goes_on_is_banned() {
        let mut clients = Clients::new(10, 5, 60_000);
        for _ in 0..30 {
            assert_eq!(clients.request("a", MAY, 0), Verdict::Allowed);
        }
        let limited = Verdict::Limited {
            retry_after_ms: 500,
        };
        assert_eq!(clients.request("a", MAY, 0), limited);
        assert_eq!(clients.request("a", MAY, 500), Verdict::Allowed);
        for _ in 0..4 {
            assert_eq!(clients.request("a", MAY, 500), limited);
        }
        let banned = Verdict::Banned {
            retry_after_ms: 60_000,
        };
        assert_eq!(clients.request("a", MAY, 500), banned);
        let banned = Verdict::Banned { retry_after_ms: 1 };
        assert_eq!(clients.request("a", MAY, 60_499), banned);
        assert_eq!(clients.request("a", MAY, 60_500), Verdict::Allowed);
        assert_eq!(clients.request("b", MAY, 500), Verdict::Allowed);
    }

    #[test]
    fn clients_are_forgotten_before_they_are_too_many_and_a_ban_is_not() {
        let mut clients = Clients::new(3, 1, 60_000);
        for _ in 0..31 {
            clients.request("bad", MAY, 0);
        }
        for n in 0..1_000 {
            clients.request(&n.to_string(), MAY, 1);
            assert!(clients.buckets.len() <= 3);
        }
        assert!(matches!(
            clients.request("bad", MAY, 2),
            Verdict::Banned { .. }
        ));
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
                if clients.request("a", MAY, now) == Verdict::Allowed {
                    allowed += 1;
                }
            }
            let most = MAY.burst + now as f64 / 1_000.0 * MAY.per_second;
            prop_assert!(f64::from(allowed) <= most + 1e-6, "{allowed} of {most}");
        }
    }
}
