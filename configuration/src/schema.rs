//! What a key's value may be: pure, and the same in the service that declares it.

use std::time::Duration;

use chassis::Scalar as _;
use rpc::{Deserializable, Serializable};

use crate::limits::{CHOICES_MAX, HELP_BYTES_MAX};

/// What values of a key are.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A number.
    Float {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// A duration, as in `250ms` or `1h30m`.
    Duration {
        /// The shortest, in milliseconds.
        min_ms: u64,
        /// The longest, in milliseconds.
        max_ms: u64,
    },
    /// Text.
    Text {
        /// The longest, in bytes.
        bytes_max: u64,
        /// The only ones there are; any text if empty.
        one_of: Vec<String>,
    },
}

/// A key that a service has.
#[derive(Clone, Debug, PartialEq, Serializable, Deserializable)]
pub struct Declaration {
    /// Its name, without the service's: `pause` of `greeter/pause`.
    pub name: String,
    /// What its values are.
    pub value_type: ValueType,
    /// What counts while nothing is set.
    pub default: String,
    /// What it is for.
    pub help: String,
    /// Whether a change is noticed only when an instance is started again.
    pub needs_restart: bool,
}

/// Why a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` does not fit: expected {expected}")]
pub struct Misfit {
    /// The value, as far as it is worth showing.
    pub value: String,
    /// What would fit.
    pub expected: String,
}

impl ValueType {
    /// What fits, in words.
    #[must_use]
    pub fn expected(&self) -> String {
        let ms = |ms: &u64| chassis::Scalar::show(&Duration::from_millis(*ms));
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Float { min, max } => format!("a number from {min} to {max}"),
            Self::Duration { min_ms, max_ms } => {
                let (min, max) = (ms(min_ms), ms(max_ms));
                format!("a duration from {min} to {max}, like 250ms or 1h30m")
            }
            Self::Text { bytes_max, one_of } if one_of.is_empty() => {
                format!("text of at most {bytes_max} bytes")
            }
            Self::Text { one_of, .. } => format!("one of {}", one_of.join(", ")),
        }
    }

    /// Whether a value fits.
    ///
    /// # Errors
    /// It does not; the error says what would.
    pub fn check(&self, value: &str) -> Result<(), Misfit> {
        let fits = match self {
            Self::Boolean => value.parse::<bool>().is_ok(),
            Self::Integer { min, max } => value
                .parse::<i64>()
                .is_ok_and(|n| (*min..=*max).contains(&n)),
            Self::Float { min, max } => {
                // NaN is in no range.
                value
                    .parse::<f64>()
                    .is_ok_and(|n| (*min..=*max).contains(&n))
            }
            Self::Duration { min_ms, max_ms } => {
                let range = Duration::from_millis(*min_ms)..=Duration::from_millis(*max_ms);
                Duration::parse(value).is_ok_and(|d| range.contains(&d))
            }
            Self::Text { bytes_max, one_of } => {
                let listed = one_of.is_empty() || one_of.iter().any(|one| one == value);
                listed && value.len() as u64 <= *bytes_max
            }
        };
        if fits {
            return Ok(());
        }
        Err(Misfit {
            value: value.chars().take(64).collect(),
            expected: self.expected(),
        })
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Boolean => false,
            Self::Integer { min, max } => min > max,
            Self::Float { min, max } => min.is_nan() || max.is_nan() || min > max,
            Self::Duration { min_ms, max_ms } => min_ms > max_ms,
            Self::Text { one_of, .. } => one_of.len() > CHOICES_MAX,
        }
    }
}

impl Declaration {
    /// Whether it makes sense by itself.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.value_type.is_empty() {
            return Err(format!("no value is {}", self.value_type.expected()));
        }
        if self.help.len() > HELP_BYTES_MAX {
            return Err(format!("its help is longer than {HELP_BYTES_MAX} bytes"));
        }
        let default = self.value_type.check(&self.default);
        default.map_err(|misfit| format!("its default {misfit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes_max: u64, one_of: &[&str]) -> ValueType {
        ValueType::Text {
            bytes_max,
            one_of: one_of.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn a_value_fits_or_the_error_says_what_would() {
        let integer = ValueType::Integer { min: -1, max: 10 };
        let float = ValueType::Float { min: 0.0, max: 1.0 };
        let duration = ValueType::Duration {
            min_ms: 10,
            max_ms: 60_000,
        };
        let fits = [
            (ValueType::Boolean, "true"),
            (integer.clone(), "-1"),
            (integer.clone(), "10"),
            (float.clone(), "0.5"),
            (float.clone(), "1"),
            (duration.clone(), "10ms"),
            (duration.clone(), "1m"),
            (text(3, &[]), "abc"),
            (text(9, &["red", "blue"]), "red"),
        ];
        for (value_type, value) in fits {
            assert_eq!(value_type.check(value), Ok(()), "{value_type:?}");
        }
        let misfits = [
            (ValueType::Boolean, "yes", "true or false"),
            (integer.clone(), "11", "from -1 to 10"),
            (integer.clone(), "1.0", "whole number"),
            (integer, "", "whole number"),
            (float.clone(), "NaN", "from 0 to 1"),
            (float, "1.1", "from 0 to 1"),
            (duration.clone(), "9ms", "from 10ms to 1m"),
            (duration, "10", "like 250ms"),
            (text(3, &[]), "abcd", "at most 3 bytes"),
            (text(9, &["red", "blue"]), "green", "one of red, blue"),
        ];
        for (value_type, value, words) in misfits {
            let misfit = value_type.check(value).unwrap_err();
            assert!(misfit.to_string().contains(words), "{misfit}");
        }
    }

    #[test]
    fn a_declaration_that_contradicts_itself_is_refused() {
        let declare = |value_type, default: &str| Declaration {
            name: "a".to_owned(),
            value_type,
            default: default.to_owned(),
            help: String::new(),
            needs_restart: false,
        };
        assert_eq!(declare(ValueType::Boolean, "true").check(), Ok(()));
        let bad = [
            declare(ValueType::Boolean, "1"),
            declare(ValueType::Integer { min: 2, max: 1 }, "1"),
            declare(
                ValueType::Float {
                    min: f64::NAN,
                    max: 1.0,
                },
                "1",
            ),
            declare(
                ValueType::Duration {
                    min_ms: 2,
                    max_ms: 1,
                },
                "1ms",
            ),
            declare(text(1, &[]), "ab"),
        ];
        for declaration in bad {
            assert!(declaration.check().is_err(), "{declaration:?}");
        }
    }
}
