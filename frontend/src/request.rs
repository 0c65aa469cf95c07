//! What is read from a request's head.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use bytes::Bytes;
use chassis::trust::Holder;

use crate::config::Config;
use crate::problem::Problem;

/// Who makes a request, as the door has found out.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The request's own name.
    pub(crate) id: RequestId,
    /// As whom it is counted: an address, or the holder of a token.
    pub(crate) client: Arc<str>,
    /// What it shows, good or not; nothing if it shows nothing.
    pub(crate) token: Bytes,
    /// Who holds that token, if it is a good one.
    pub(crate) holder: Option<Arc<Holder>>,
}

/// Names a request, here and wherever it leads: a W3C trace context.
#[derive(Clone, Debug)]
pub(crate) struct RequestId {
    trace: String,
    span: String,
    flags: String,
}

impl RequestId {
    /// The caller's trace, if it brings one; else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok());
        let given = given.and_then(trace_of);
        let fresh = random();
        let (span, trace) = fresh.split_at(16);
        let (trace, flags) = given.unwrap_or((trace, "01"));
        Self {
            trace: trace.to_owned(),
            span: span.to_owned(),
            flags: flags.to_owned(),
        }
    }

    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }

    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-{}", self.trace, self.span, self.flags)
    }
}

/// The trace and its flags.
fn trace_of(traceparent: &str) -> Option<(&str, &str)> {
    let mut parts = traceparent.split('-');
    let mut next = |length| {
        let part = parts.next()?;
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (part.len() == length && part.bytes().all(digit)).then_some(part)
    };
    let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let nothing = |text: &str| text.bytes().all(|b| b == b'0');
    let good = version != "ff" && !nothing(trace) && !nothing(span);
    good.then_some((trace, flags))
}

/// Hexadecimal digits of 24 random bytes.
fn random() -> String {
    let mut bytes = [0; 24];
    if getrandom::fill(&mut bytes).is_err() {
        // A name that is not unique is better than no answer.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.map_or(1, |d| d.as_nanos());
        bytes[..16].copy_from_slice(&nanos.to_be_bytes());
        bytes[16..].copy_from_slice(&nanos.to_be_bytes()[8..]);
    }
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// What a request shows; nothing if it shows nothing, or not in our way.
pub(crate) fn token_of(headers: &HeaderMap) -> Bytes {
    let value = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let scheme = value.and_then(|value| Some((value.get(..7)?, value.get(7..)?)));
    let token = scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    token.map_or_else(Bytes::new, |(_, token)| {
        Bytes::copy_from_slice(token.trim_ascii())
    })
}

/// What can be read in two ways is read in none: whoever says two lengths means to be understood
/// differently by somebody before us (request smuggling), and so does who shows two tokens.
///
/// # Errors
/// What is said twice, or in a way that we do not know.
pub(crate) fn check_head(headers: &HeaderMap) -> Result<(), Problem> {
    let count = |name: HeaderName| headers.get_all(name).iter().count();
    let refuse = |reason, words, hint: &str| {
        Err(Problem::http(StatusCode::BAD_REQUEST, reason, words).with_hint(hint))
    };
    if count(CONTENT_LENGTH) + count(TRANSFER_ENCODING) > 1 {
        let words = "the length of the body is said more than once";
        let hint = "send Content-Length or Transfer-Encoding, once";
        return refuse("ambiguous-length", words, hint);
    }
    let coding = headers.get(TRANSFER_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        let words = "the body comes in a transfer coding that is not taken here";
        return refuse("unknown-coding", words, "`chunked` alone is");
    }
    if count(AUTHORIZATION) > 1 {
        let words = "more than one token is shown";
        return refuse("ambiguous-token", words, "send Authorization once");
    }
    Ok(())
}

/// How long the call may take, if the request says.
///
/// # Errors
/// What it says is no number of milliseconds.
pub(crate) fn timeout_of(
    headers: &HeaderMap,
    config: &Config,
) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get("x-timeout-ms") else {
        return Ok(None);
    };
    let text = value.to_str().ok();
    let ms = text.and_then(|text| text.trim().parse::<u64>().ok());
    let wanted = ms.filter(|ms| *ms > 0).map(Duration::from_millis);
    let Some(wanted) = wanted else {
        let words = "X-Timeout-Ms is no number of milliseconds";
        let problem = Problem::http(StatusCode::BAD_REQUEST, "bad-timeout", words);
        return Err(problem.with_hint("as in 2500"));
    };
    Ok(Some(wanted.min(config.call_timeout_max)))
}

/// The addresses that proxies added, the last one first.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all("x-forwarded-for").into_iter();
    let lines: Vec<&str> = lines
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| line.rsplit(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_callers_trace_is_kept_and_nonsense_is_not() {
        let of = |text: &'static str| RequestId::of(&headers(&[("traceparent", text)]));
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert_eq!(of(good).trace(), "0af7651916cd43dd8448eb211c80319c");
        let passed_on = of(good).traceparent();
        assert!(passed_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(passed_on.ends_with("-00"), "{passed_on}");
        assert!(!passed_on.contains("b7ad6b7169203331"), "{passed_on}");
        for bad in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(bad).trace().len(), 32);
            assert!(!bad.contains(of(bad).trace()));
        }
    }

    #[test]
    fn a_token_is_what_stands_after_bearer() {
        for (value, token) in [
            ("Bearer abc", "abc"),
            ("bearer  abc ", "abc"),
            ("Basic abc", ""),
            ("Bearerabc", ""),
            ("Bearer", ""),
            ("", ""),
        ] {
            assert_eq!(
                token_of(&headers(&[("authorization", value)])),
                token,
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_said_twice_is_refused() {
        let good: [&[(&str, &str)]; 4] = [
            &[],
            &[("content-length", "3")],
            &[("transfer-encoding", "Chunked")],
            &[("authorization", "Bearer a")],
        ];
        for lines in good {
            assert!(check_head(&headers(lines)).is_ok(), "{lines:?}");
        }
        let bad: [&[(&str, &str)]; 4] = [
            &[("content-length", "3"), ("transfer-encoding", "chunked")],
            &[("content-length", "3"), ("content-length", "3")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        ];
        for lines in bad {
            assert!(check_head(&headers(lines)).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn proxies_are_read_from_the_last_one_backwards() {
        let lines = headers(&[("x-forwarded-for", "1, 2"), ("x-forwarded-for", "3")]);
        assert_eq!(forwarded_for(&lines).collect::<Vec<_>>(), ["3", "2", "1"]);
    }
}
