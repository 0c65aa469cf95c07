//! From text to the type of a setting.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// One value. For a list, its items with commas between them.
    Text(String),
    /// A list; only a file has it.
    List(Vec<String>),
}

/// The type of a setting.
pub trait Setting: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// What was expected.
    fn read(raw: &Raw) -> Result<Self, String>;
    /// As it would be written; empty if it cannot be.
    fn show(&self) -> String;
}

/// The type of a setting that is one value; with it come `Option` and `Vec` of it.
pub trait Scalar: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// What was expected.
    fn parse(text: &str) -> Result<Self, String>;
    /// As it would be written.
    fn show(&self) -> String;
}

impl<T: Scalar> Setting for T {
    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) => T::parse(text),
            Raw::List(_) => Err("expected one value, not a list".to_owned()),
        }
    }

    fn show(&self) -> String {
        Scalar::show(self)
    }
}

/// Nothing and empty text are the same.
impl<T: Scalar> Setting for Option<T> {
    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) if text.is_empty() => Ok(None),
            raw => T::read(raw).map(Some),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map(Scalar::show).unwrap_or_default()
    }
}

impl<T: Scalar> Setting for Vec<T> {
    fn read(raw: &Raw) -> Result<Self, String> {
        match raw {
            Raw::Text(text) if text.is_empty() => Ok(Vec::new()),
            Raw::Text(text) => text.split(',').map(|item| T::parse(item.trim())).collect(),
            Raw::List(items) => items.iter().map(|item| T::parse(item)).collect(),
        }
    }

    fn show(&self) -> String {
        self.iter().map(Scalar::show).collect::<Vec<_>>().join(",")
    }
}

macro_rules! scalar {
    ($expected:literal: $($type:ty),*) => {$(
        impl Scalar for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| concat!("expected ", $expected).to_owned())
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

scalar!("a whole number, 0 or more": u16, u32, u64, usize);
scalar!("a whole number": i32, i64);
scalar!("a number": f64);
scalar!("`true` or `false`": bool);
scalar!("an address like 127.0.0.1:10200": SocketAddr);
scalar!("an IP address like 10.0.0.7": IpAddr);
scalar!("text": String);

impl Scalar for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected a path".to_owned());
        }
        Ok(Self::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// Units of a duration with their length in milliseconds, longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// `1h30m`, `5s`, `250ms`: whole numbers with units, each unit at most once, longest first.
impl Scalar for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text).ok_or_else(|| "expected a duration like 250ms, 5s or 1h30m".to_owned())
    }

    fn show(&self) -> String {
        let mut left = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let mut text = String::new();
        for (unit, ms) in UNITS {
            if left >= ms {
                text.push_str(&format!("{}{unit}", left / ms));
                left %= ms;
            }
        }
        if text.is_empty() {
            "0s".to_owned()
        } else {
            text
        }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total_ms = 0_u64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at(end);
        let (_, ms) = units.find(|(name, _)| *name == unit)?;
        total_ms = total_ms.checked_add(number.parse::<u64>().ok()?.checked_mul(*ms)?)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_shown() {
        for (text, ms) in [
            ("1h30m", 5_400_000),
            ("5s", 5_000),
            ("2s250ms", 2_250),
            ("0s", 0),
        ] {
            let duration = Duration::parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms));
            assert_eq!(Scalar::show(&duration), text);
        }
    }

    #[test]
    fn what_is_no_duration_says_what_one_looks_like() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "1m1h",
            "1s1s",
            "-1s",
            "99999999999999999999h",
            "1x",
        ] {
            assert!(
                Duration::parse(text).unwrap_err().contains("like 250ms"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_list_is_written_with_commas_or_as_a_list() {
        let text = Raw::Text("a, b".into());
        let list = Raw::List(vec!["a".into(), "b".into()]);
        assert_eq!(Vec::<String>::read(&text), Vec::<String>::read(&list));
        assert_eq!(Vec::<u16>::read(&Raw::Text(String::new())), Ok(vec![]));
        assert!(u16::read(&list).is_err());
        assert!(Vec::<u16>::read(&text).is_err());
    }

    #[test]
    fn no_text_is_no_value() {
        assert_eq!(Option::<u16>::read(&Raw::Text(String::new())), Ok(None));
        assert_eq!(Option::<u16>::read(&Raw::Text("7".into())), Ok(Some(7)));
    }
}
