//! The settings file: TOML, flat, with a table for what only one service is to read.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::value::Raw;
use crate::exit::{Exit, Failure};

/// One line of a file: key, value, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: Raw,
    pub(super) number: usize,
}

/// Reads what a file says to `service`: the lines outside of tables, then its own table's.
pub(super) fn read(path: &Path, service: &str) -> Result<Vec<Line>, Failure> {
    let failed = |what: String| Failure::new(Exit::Config, what);
    let text = std::fs::read_to_string(path).map_err(|e| {
        failed(format!(
            "failed to read the settings file {}: {e}",
            path.display()
        ))
        .with_hint("`--config` or ORRERY_CONFIG names it")
    })?;
    let at = |span: Range<usize>| format!("{}:{}", path.display(), line_of(&text, span.start));
    let root = DeTable::parse(&text).map_err(|e| {
        let place = at(e.span().unwrap_or_default());
        failed(format!("failed to read {place}: {}", e.message()))
            .with_hint("settings files are TOML")
    })?;
    let mut lines = Vec::new();
    let mut own = None;
    for (key, value) in sorted(root.get_ref()) {
        match value.get_ref() {
            DeValue::Table(table) if key.get_ref() == service => own = Some(table),
            DeValue::Table(_) => {}
            _ => lines.push((key, value)),
        }
    }
    lines.extend(own.into_iter().flat_map(sorted));
    lines
        .into_iter()
        .map(|(key, value)| {
            let number = line_of(&text, key.span().start);
            let key = key.get_ref().to_string();
            let value = raw(value.get_ref()).ok_or_else(|| {
                failed(format!("{}: `{key}` is no single value", at(value.span())))
            })?;
            Ok(Line { key, value, number })
        })
        .collect()
}

/// In the order of the file, so that the first mistake is the one that is told.
fn sorted<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut lines: Vec<_> = table.iter().collect();
    lines.sort_by_key(|(key, _)| key.span().start);
    lines
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    match value {
        DeValue::Array(items) => items
            .iter()
            .map(|item| scalar(item.get_ref()))
            .collect::<Option<_>>()
            .map(Raw::List),
        value => scalar(value).map(Raw::Text),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}
