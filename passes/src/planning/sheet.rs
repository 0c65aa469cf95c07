//! Tables with a header and commas; cells are not quoted.

use std::str::FromStr;

use thiserror::Error;

/// What is wrong with a table, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct SheetError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

pub(super) struct Sheet<'a> {
    header: Row<'a>,
    pub(super) rows: Vec<Row<'a>>,
}

pub(super) struct Row<'a> {
    line: usize,
    cells: Vec<&'a str>,
}

impl<'a> Sheet<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, SheetError> {
        let numbered = text.trim_start_matches('\u{feff}').lines().zip(1..);
        let mut rows =
            numbered
                .filter(|(line, _)| !line.trim().is_empty())
                .map(|(line, number)| Row {
                    line: number,
                    cells: line.split(',').map(str::trim).collect(),
                });
        let header = rows.next().ok_or_else(|| SheetError {
            line: 1,
            what: "there is no header".to_owned(),
        })?;
        let rows: Vec<Row<'a>> = rows.collect();
        for row in &rows {
            let (has, wants) = (row.cells.len(), header.cells.len());
            if has != wants {
                return Err(row.wrong(format!("{has} cells under a header of {wants}")));
            }
            if row.cells.iter().any(|cell| cell.contains('"')) {
                return Err(row.wrong("cells are not quoted here"));
            }
        }
        Ok(Self { header, rows })
    }

    /// Where a column is that may be missing.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.header.cells.iter().position(|cell| *cell == name)
    }

    /// Where a column is that must be there.
    pub(super) fn required(&self, name: &str) -> Result<usize, SheetError> {
        let has = self.header.cells.join(", ");
        self.column(name)
            .ok_or_else(|| self.header.wrong(format!("no column {name} among {has}")))
    }
}

impl<'a> Row<'a> {
    pub(super) fn wrong(&self, what: impl Into<String>) -> SheetError {
        SheetError {
            line: self.line,
            what: what.into(),
        }
    }

    /// The text of a cell, which has to have one.
    pub(super) fn text(&self, column: usize) -> Result<&'a str, SheetError> {
        match self.cells.get(column).copied() {
            None | Some("") => Err(self.wrong(format!("cell {} is empty", column + 1))),
            Some(text) => Ok(text),
        }
    }

    /// A number; what is missing has a default.
    pub(super) fn number<T: FromStr>(
        &self,
        column: Option<usize>,
        default: T,
    ) -> Result<T, SheetError> {
        let Some(text) = column.and_then(|column| self.cells.get(column)) else {
            return Ok(default);
        };
        if text.is_empty() {
            return Ok(default);
        }
        text.parse()
            .map_err(|_| self.wrong(format!("{text:?} is not such a number")))
    }

    /// Seconds as milliseconds, up to ten years of them.
    pub(super) fn seconds(
        &self,
        column: Option<usize>,
        default_ms: i64,
    ) -> Result<i64, SheetError> {
        let seconds: f64 = self.number(column, default_ms as f64 / 1_000.0)?;
        if seconds.abs() < 10.0 * 366.0 * 86_400.0 {
            return Ok((seconds * 1_000.0).round() as i64);
        }
        Err(self.wrong(format!("{seconds} s are more than ten years")))
    }
}
