//! Moments and spans, in words.

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A span of milliseconds, as short as it can be said: `850ms`, `12s`, `3m`, `1h30m`, `4d2h`.
///
/// One unit below the largest is kept from hours on; below that it would only flicker.
#[must_use]
pub fn span(millis: u64) -> String {
    let two = |big: u64, big_ms: u64, small: &str, small_ms: u64, unit: &str| match (millis
        % big_ms)
        / small_ms
    {
        0 => format!("{big}{unit}"),
        rest => format!("{big}{unit}{rest}{small}"),
    };
    match millis {
        0..SECOND_MS => format!("{millis}ms"),
        SECOND_MS..MINUTE_MS => format!("{}s", millis / SECOND_MS),
        MINUTE_MS..HOUR_MS => format!("{}m", millis / MINUTE_MS),
        HOUR_MS..DAY_MS => two(millis / HOUR_MS, HOUR_MS, "m", MINUTE_MS, "h"),
        _ => two(millis / DAY_MS, DAY_MS, "h", HOUR_MS, "d"),
    }
}

/// How long before `now` the moment `at` was; both in milliseconds since the Unix epoch.
///
/// Clocks of two machines differ a little: what lies ahead by less than a second is "now", and what
/// lies ahead further says so.
#[must_use]
pub fn ago(at: u64, now: u64) -> String {
    if at > now + SECOND_MS {
        return format!("in {}", span(at - now));
    }
    match now.saturating_sub(at) {
        0..SECOND_MS => "now".to_owned(),
        past => format!("{} ago", span(past)),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, span};

    #[test]
    fn spans_have_at_most_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (3_599_999, "59m"),
            (3_600_000, "1h"),
            (5_400_000, "1h30m"),
            (86_400_000, "1d"),
            (90_000_000, "1d1h"),
            (u64::MAX, "213503982334d14h"),
        ] {
            assert_eq!(span(millis), text, "{millis}");
        }
    }

    #[test]
    fn a_moment_is_said_relative_to_now_even_if_clocks_differ() {
        for (at, now, text) in [
            (0, 180_000, "3m ago"),
            (10_000, 10_400, "now"),
            (10_900, 10_000, "now"),
            (70_000, 10_000, "in 1m"),
        ] {
            assert_eq!(ago(at, now), text, "{at} at {now}");
        }
    }
}
