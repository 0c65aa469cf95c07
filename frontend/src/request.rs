//! What is read from a request's head.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use axum::http::{HeaderValue, StatusCode};

use crate::config::Config;
use crate::problem::Problem;

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// Names a request, here and wherever it leads: a W3C trace context.
#[derive(Clone, Debug)]
pub(crate) struct RequestId {
    trace: String,
    span: String,
}

impl RequestId {
    /// The caller's trace, if it brings one; else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok());
        let trace = given
            .and_then(trace_of)
            .map_or_else(|| random(16), str::to_owned);
        Self {
            trace,
            span: random(8),
        }
    }

    /// The one that the door gave a request.
    pub(crate) fn in_(request: &Request) -> Self {
        let given = request.extensions().get::<Self>();
        given.map_or_else(|| Self::of(request.headers()), Clone::clone)
    }

    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }

    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }
}

fn trace_of(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let good =
        hex(version, 2) && hex(trace, 32) && hex(span, 16) && !trace.chars().all(|c| c == '0');
    good.then_some(trace)
}

/// Hexadecimal digits of so many random bytes.
fn random(bytes: usize) -> String {
    let mut buffer = [0; 16];
    if getrandom::fill(&mut buffer).is_err() {
        // A name that is not unique is better than no answer.
        buffer[..8].copy_from_slice(&now_ms().to_le_bytes());
    }
    buffer
        .iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A body has one length, said one way: whoever says two means to be read differently by somebody
/// before us (request smuggling).
pub(crate) fn check_head(headers: &HeaderMap) -> Result<(), Problem> {
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let encodings = headers.get_all(TRANSFER_ENCODING).iter().count();
    if lengths + encodings <= 1 {
        return Ok(());
    }
    let words = "the length of the body is said more than once";
    Err(
        Problem::http(StatusCode::BAD_REQUEST, "ambiguous-length", words)
            .with_hint("send Content-Length or Transfer-Encoding, once"),
    )
}

/// How long the call may take.
pub(crate) fn timeout_of(headers: &HeaderMap, config: &Config) -> Result<Duration, Problem> {
    let Some(value) = headers.get("x-timeout-ms") else {
        return Ok(config.call_timeout);
    };
    let ms = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let wanted = ms.filter(|ms| *ms > 0).map(Duration::from_millis);
    wanted
        .map(|wanted| wanted.min(config.call_timeout_max))
        .ok_or_else(|| {
            let words = "X-Timeout-Ms is no number of milliseconds";
            Problem::http(StatusCode::BAD_REQUEST, "bad-timeout", words).with_hint("as in 2500")
        })
}

/// The last address that a proxy added.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all("x-forwarded-for");
    let last: Option<&HeaderValue> = all.iter().next_back();
    last?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_trace_is_kept_and_nonsense_is_not() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(text));
            RequestId::of(&headers)
        };
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(of(good).trace(), "0af7651916cd43dd8448eb211c80319c");
        assert!(
            of(good)
                .traceparent()
                .starts_with("00-0af7651916cd43dd8448eb211c80319c-")
        );
        for bad in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(bad).trace().len(), 32);
            assert!(!bad.contains(of(bad).trace()));
        }
    }
}
