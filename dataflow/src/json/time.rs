//! Times as text, in RFC 3339.

/// Microseconds since 1970 of an RFC 3339 time; without zone it is UTC.
pub fn parse(text: &str) -> Option<i64> {
    use arrow_cast::parse::string_to_datetime;
    string_to_datetime(&utc(), text)
        .ok()
        .map(|time| time.timestamp_micros())
}

fn utc() -> arrow_array::timezone::Tz {
    "+00:00".parse().expect("the zone of UTC")
}

/// Appends a time as `2023-09-18T14:00:00`, with as many digits of a second as it needs: none,
/// three or six. UTC, and so without zone.
pub fn write(micros: i64, out: &mut Vec<u8>) {
    let (days, rest) = (
        micros.div_euclid(86_400_000_000),
        micros.rem_euclid(86_400_000_000),
    );
    let (year, month, day) = civil(days);
    if (0..10_000).contains(&year) {
        digits(out, year as u64, 4);
    } else {
        out.extend_from_slice(format!("{year:+05}").as_bytes());
    }
    let (seconds, fraction) = ((rest / 1_000_000) as u64, (rest % 1_000_000) as u64);
    for (separator, value) in [
        (b'-', u64::from(month)),
        (b'-', u64::from(day)),
        (b'T', seconds / 3600),
        (b':', seconds / 60 % 60),
        (b':', seconds % 60),
    ] {
        out.push(separator);
        digits(out, value, 2);
    }
    if fraction != 0 {
        out.push(b'.');
        match fraction % 1000 {
            0 => digits(out, fraction / 1000, 3),
            _ => digits(out, fraction, 6),
        }
    }
}

fn digits(out: &mut Vec<u8>, value: u64, count: u32) {
    out.extend(
        (0..count)
            .rev()
            .map(|place| b'0' + (value / 10u64.pow(place) % 10) as u8),
    );
}

/// Year, month and day of a day since 1970, in the proleptic Gregorian calendar: counted in eras of
/// 400 years (146,097 days) that begin on a first of March, so that leap days come last.
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(micros: i64) -> String {
        let mut out = Vec::new();
        write(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_with_as_many_digits_as_they_need() {
        assert_eq!(shown(0), "1970-01-01T00:00:00");
        assert_eq!(
            shown(parse("2023-10-09T17:13:59.800+00:00").unwrap()),
            "2023-10-09T17:13:59.800"
        );
        assert_eq!(
            shown(parse("2024-02-29T23:59:59.000001Z").unwrap()),
            "2024-02-29T23:59:59.000001"
        );
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999");
    }

    #[test]
    fn zones_are_brought_to_utc() {
        assert_eq!(
            shown(parse("2023-10-09T19:13:20+02:00").unwrap()),
            "2023-10-09T17:13:20"
        );
        assert_eq!(parse("yesterday"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(
            micros in -60_000_000_000_000_000i64..200_000_000_000_000_000,
        ) {
            proptest::prop_assert_eq!(parse(&shown(micros)), Some(micros));
        }
    }
}
