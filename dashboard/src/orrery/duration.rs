//! Durations as people write them: `90s`, `1h30m`, `2 minutes`.

use std::time::Duration;

use jiff::SignedDuration;

/// The longest duration a call can be given: its deadline travels in 32 bits of milliseconds.
const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

/// Reads a duration; a number alone has no unit and is refused.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let examples = "write it with units, as in 500ms, 30s, 5m or 1h30m";
    let signed: SignedDuration = text
        .trim()
        .parse()
        .map_err(|_| format!("not a duration: {examples}"))?;
    let duration = Duration::try_from(signed)
        .map_err(|_| format!("a duration cannot be negative: {examples}"))?;
    if duration.is_zero() {
        return Err("nothing is done in no time: give it at least 1ms".to_owned());
    }
    if duration > LONGEST {
        return Err("longer than 49 days, the longest that can be waited for".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("1h30m", 5_400.0),
            ("90s", 90.0),
            ("500ms", 0.5),
            ("1.5s", 1.5),
            ("2 minutes", 120.0),
            (" 5m ", 300.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for (text, says) in [
            ("90", "1h30m"),
            ("soon", "1h30m"),
            ("", "1h30m"),
            ("-5s", "negative"),
            ("0s", "at least"),
            ("9000h", "49 days"),
            ("99999999999999999999h", "1h30m"),
        ] {
            let refused = parse(text).expect_err(text);
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
