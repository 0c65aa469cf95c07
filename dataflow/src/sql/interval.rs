//! Durations: `INTERVAL '1 hour'`, `INTERVAL '1' HOUR`, `'90 seconds'`.

use sqlparser::ast::{DateTimeField, Expr, Interval, Spanned, Value};
use sqlparser::tokenizer::Span;

use super::{Planned, SqlError};

/// Microseconds of an expression that is an interval.
pub(super) fn of(expression: &Expr) -> Planned<i64> {
    match expression {
        Expr::Interval(interval) => interval_of(interval),
        Expr::Nested(inner) => of(inner),
        other => Err(SqlError::at(other.span(), "here is a duration expected")
            .hint("write it as INTERVAL '1 minute'")),
    }
}

pub(super) fn interval_of(interval: &Interval) -> Planned<i64> {
    let at = interval.value.span();
    let text = match interval.value.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            Value::Number(number, _) => number.clone(),
            _ => return Err(wrong(at)),
        },
        _ => return Err(wrong(at)),
    };
    match &interval.leading_field {
        Some(field) => parse(
            &format!("{text} {}", word(field).ok_or_else(|| wrong(at))?),
            at,
        ),
        None => parse(&text, at),
    }
}

fn word(field: &DateTimeField) -> Option<&'static str> {
    use DateTimeField as D;
    Some(match field {
        D::Microsecond | D::Microseconds => "microsecond",
        D::Millisecond | D::Milliseconds => "millisecond",
        D::Second | D::Seconds => "second",
        D::Minute | D::Minutes => "minute",
        D::Hour | D::Hours => "hour",
        D::Day | D::Days => "day",
        D::Week(_) | D::Weeks => "week",
        _ => return None,
    })
}

/// Microseconds of `1 hour 30 minutes`. Months have no fixed length, so there are none.
pub(super) fn parse(text: &str, at: Span) -> Planned<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return Err(wrong(at));
    }
    let mut total: i64 = 0;
    for pair in words.chunks(2) {
        let count: f64 = pair[0].parse().map_err(|_| wrong(at))?;
        let unit = unit(pair[1]).ok_or_else(|| wrong(at))?;
        let micros = count * unit as f64;
        if !micros.is_finite() || micros.abs() > 9e15 {
            return Err(SqlError::at(at, "the duration is too long"));
        }
        total = total.saturating_add(micros.round() as i64);
    }
    Ok(total)
}

/// Microseconds of one.
pub(super) fn unit(word: &str) -> Option<i64> {
    Some(match word.to_ascii_lowercase().trim_end_matches('s') {
        "microsecond" => 1,
        "millisecond" | "m" => 1_000,
        "second" | "sec" | "" => 1_000_000,
        "minute" | "min" => 60_000_000,
        "hour" | "h" => 3_600_000_000,
        "day" | "d" => 86_400_000_000,
        "week" => 604_800_000_000,
        _ => return None,
    })
}

fn wrong(at: Span) -> SqlError {
    SqlError::at(at, "this is no duration")
        .hint("write it as INTERVAL '1 hour 30 minutes'; months have no fixed length")
}
