//! What a key looks like, and what somebody may have meant.

use configuration::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use configuration::{Declaration, reason};
use rpc::{Code, Error};

/// The part before the first `/`.
pub(crate) fn service_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(service, _)| service)
}

/// Whether it is a key: `service/name`, of a-z, 0-9 and any of - _ . /
pub(crate) fn check(key: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
    let parts = key.split('/').collect::<Vec<_>>();
    let whole = parts.len() >= 2 && parts.iter().all(|part| !part.is_empty());
    if whole && key.len() <= KEY_BYTES_MAX && key.chars().all(fits) {
        return Ok(());
    }
    let shown: String = key.chars().take(64).collect();
    Err(
        Error::invalid(reason::BAD_KEY, format!("`{shown}` is no key")).with_hint(format!(
            "a key is service/name, of a-z, 0-9 and any of - _ . /, at most {KEY_BYTES_MAX} bytes"
        )),
    )
}

/// Whether it may be the first part of keys.
pub(crate) fn check_service(service: &str) -> Result<(), Error> {
    if service.contains('/') {
        let message = format!("`{service}` is no service");
        return Err(Error::invalid(reason::BAD_KEY, message).with_hint("its name has no /"));
    }
    check(&format!("{service}/x"))
}

/// Whether a value is short enough to be kept.
pub(crate) fn check_value(key: &str, value: &str) -> Result<(), Error> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the value of {key} has {} bytes", value.len());
    Err(
        Error::new(Code::TooLarge, reason::VALUE_TOO_LARGE, message).with_hint(format!(
            "at most {VALUE_BYTES_MAX}; large values belong into storage"
        )),
    )
}

/// A key that its service does not have, with the nearest ones that it has.
pub(crate) fn undeclared(key: &str, service: &str, declared: &[Declaration]) -> Error {
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    let mut near: Vec<(f64, &str)> = declared
        .iter()
        .map(|d| (strsim::jaro_winkler(name, &d.name), d.name.as_str()))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near = near
        .iter()
        .take(3)
        .map(|(_, name)| format!("{service}/{name}"));
    let near = near.collect::<Vec<_>>().join(", ");
    Error::invalid(reason::UNDECLARED, format!("{service} has no key {key}")).with_hint(format!(
        "did you mean {near}? `undeclared: true` sets it all the same"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_service_a_name_and_plain_letters() {
        for good in ["a/b", "a-b/c_d.e/f", "1/2"] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = format!("a/{}", "b".repeat(KEY_BYTES_MAX));
        for bad in [
            "", "a", "/a", "a/", "a//b", "A/b", "a/b c", "a/é", "a/\0", &long,
        ] {
            assert_eq!(check(bad).unwrap_err().reason, reason::BAD_KEY, "{bad}");
        }
        assert!(check_service("a").is_ok());
        assert!(check_service("a/b").is_err());
        assert!(check_service("").is_err());
    }
}
