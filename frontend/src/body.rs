//! A request's body: of a bounded size, in bounded time, and JSON.

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, ORIGIN};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::config::Config;
use crate::json::Json;
use crate::problem::Problem;

/// Reads the arguments of a call.
///
/// # Errors
/// The body is too large, too slow, cut off, of another kind, or no JSON.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    config: &Config,
) -> Result<Json, Problem> {
    let most = config.body_bytes_max;
    // What says that it is too large is not waited for.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let Ok(bytes) = timeout(config.body_timeout, collect(body, most)).await else {
        let words = "the body did not come in time";
        let problem = Problem::http(StatusCode::REQUEST_TIMEOUT, "slow-body", words);
        return Err(problem.with_hint("send it in one go"));
    };
    let bytes = bytes?;
    if !bytes.is_empty() {
        check_kind(headers)?;
    }
    parse(bytes)
}

async fn collect(body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut parts = body.into_data_stream();
    let mut all = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| {
            let words = "the body is cut off, or its chunks are malformed";
            Problem::http(StatusCode::BAD_REQUEST, "broken-body", words)
        })?;
        if all.len() + part.len() > most {
            return Err(too_large(most));
        }
        all.extend_from_slice(&part);
    }
    Ok(all.freeze())
}

fn too_large(most: usize) -> Problem {
    let words = format!("the body is longer than {most} bytes");
    Problem::http(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", &words)
        .with_hint("large values belong into storage, in parts")
}

fn check_kind(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let refuse = |words, hint: &str| {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Err(Problem::http(status, "not-json", words).with_hint(hint))
    };
    if text(CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return refuse("the body is compressed", "send it as it is");
    }
    let kind = text(CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // What `curl -d` says without being asked is what people who test by hand send. A page must
    // not: a browser sends that anywhere without asking first.
    let by_hand = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && !headers.contains_key(ORIGIN)
        && !headers.contains_key("sec-fetch-site");
    if by_hand || kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let hint = "say `Content-Type: application/json`";
    refuse("the body has to be application/json", hint)
}

fn parse(bytes: Bytes) -> Result<Json, Problem> {
    let hint = "GET /v1/{service} shows the arguments of each procedure";
    let bad =
        |words: &str| Problem::http(StatusCode::BAD_REQUEST, "bad-json", words).with_hint(hint);
    if std::str::from_utf8(&bytes).is_err() {
        return Err(bad("the body is no text in UTF-8"));
    }
    Json::parse(bytes).map_err(|e| {
        let words = format!("the body is no JSON: {e}");
        bad(&words).at(e.line(), e.column())
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::HeaderName;

    use super::*;

    #[test]
    fn a_body_is_json_or_what_curl_says_by_itself() {
        let cases: [(u16, &[(HeaderName, &str)]); 8] = [
            (200, &[(CONTENT_TYPE, "application/json")]),
            (200, &[(CONTENT_TYPE, "Application/JSON; charset=utf-8")]),
            (200, &[(CONTENT_TYPE, "application/x-www-form-urlencoded")]),
            (
                415,
                &[
                    (CONTENT_TYPE, "application/x-www-form-urlencoded"),
                    (ORIGIN, "https://evil.example"),
                ],
            ),
            (415, &[(CONTENT_TYPE, "text/plain")]),
            (415, &[(CONTENT_TYPE, "application/jsonp")]),
            (415, &[]),
            (
                415,
                &[
                    (CONTENT_TYPE, "application/json"),
                    (CONTENT_ENCODING, "gzip"),
                ],
            ),
        ];
        for (status, lines) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
            let seen = check_kind(&headers).map_or_else(|p| p.status().as_u16(), |()| 200);
            assert_eq!(seen, status, "{lines:?}");
        }
    }

    /// CVE-2019-11253: a small text that is deep, or says much, is a bomb for who builds it.
    #[test]
    fn json_bombs_take_time_in_proportion_to_their_length() {
        let deep = "[".repeat(1 << 19) + &"]".repeat(1 << 19);
        let begun = std::time::Instant::now();
        assert!(parse(deep.into()).is_ok());
        let open = "{\"a\":".repeat(200_000);
        assert_eq!(parse(open.into()).unwrap_err().status(), 400);
        // Both are a megabyte; a byte may take a microsecond, on a machine with much else to do.
        assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
        assert_eq!(
            parse(Bytes::from_static(b"\"\xff\"")).unwrap_err().status(),
            400
        );
    }
}
