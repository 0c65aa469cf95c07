//! What `orrery` writes: data on stdout, words on stderr, colour only where a person sees it.

pub(crate) mod escape;
mod progress;
mod table;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

pub(crate) use progress::Progress;
pub(crate) use table::{Cell, Table, Tone};

use crate::failure::Failure;

/// How data is asked to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Asked {
    /// For people: columns, fitted to the terminal.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
    /// What has rows, with commas and a header; the rest as for people.
    Csv,
}

/// How data is written; rows with commas are rows for people otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people: columns, fitted to the terminal.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
}

/// Where everything that a verb says goes.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    format: Format,
    /// Rows are written with commas.
    csv: bool,
    quiet: bool,
    /// Columns of the terminal that stdout is; `None` when it is none.
    width: Option<u16>,
}

impl Out {
    /// Looks at the terminal, if there is one.
    pub(crate) fn new(asked: Asked, quiet: bool) -> Self {
        let format = match asked {
            Asked::Table | Asked::Csv => Format::Table,
            Asked::Json => Format::Json,
            Asked::Jsonl => Format::Jsonl,
        };
        let width = io::stdout()
            .is_terminal()
            .then(|| crossterm::terminal::size().map_or(80, |(columns, _)| columns));
        Self {
            format,
            csv: asked == Asked::Csv,
            quiet,
            width,
        }
    }

    /// How data is written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether rows are written with commas.
    pub(crate) fn is_csv(&self) -> bool {
        self.csv
    }

    /// How wide a drawing may be: as the terminal, at least 40 columns; 80 without one.
    pub(crate) fn columns(&self) -> usize {
        usize::from(self.width.unwrap_or(80).max(40))
    }

    /// A line on stderr that says how far something is, if a person sees it.
    pub(crate) fn progress(&self, what: &'static str) -> Progress {
        Progress::new(what, self.quiet)
    }

    /// Whether a person sees stdout.
    pub(crate) fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// Writes several things: as rows, or as JSON in their wire form.
    pub(crate) fn list<T: Serialize>(
        &self,
        items: &[T],
        table: impl FnOnce() -> Table,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(&self.fit(&table())),
            Format::Json => self.json(&items),
            Format::Jsonl => items.iter().try_for_each(|item| self.json_line(item)),
        }
    }

    /// Writes one thing: in words, or as JSON in its wire form.
    pub(crate) fn one<T: Serialize>(
        &self,
        item: &T,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.text(&words()),
            Format::Json => self.json(item),
            Format::Jsonl => self.json_line(item),
        }
    }

    /// A table as text: with commas if that was asked for, else fitted to the terminal.
    pub(crate) fn fit(&self, table: &Table) -> String {
        if self.csv {
            return table.csv();
        }
        table.render(self.width)
    }

    /// Writes text that was made safe before; styles in it are shown on a terminal only.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        Ok(stdout.flush()?)
    }

    /// Writes one JSON document over several lines.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.raw_json(&text)
    }

    /// Writes one JSON document on one line.
    pub(crate) fn json_line<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        self.raw_json(&text)
    }

    fn raw_json(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        if self.is_terminal() {
            writeln!(stdout, "{}", escape::json(text))?;
        } else {
            writeln!(stdout, "{text}")?;
        }
        Ok(stdout.flush()?)
    }

    /// Writes one line that others wrote: as it is into a pipe, made safe for a terminal.
    pub(crate) fn foreign_line(&self, prefix: &str, line: &str) -> Result<(), Failure> {
        if self.is_terminal() {
            return self.text(&format!("{prefix}{}", escape::line(line)));
        }
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{prefix}{line}")?;
        Ok(stdout.flush()?)
    }

    /// Says something on stderr.
    pub(crate) fn say(&self, text: impl Display) {
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(anstream::stderr(), "{}", safe_lines(&text.to_string()));
    }

    /// Suggests the next command on stderr, as in `watch it: orrery ps echo`.
    pub(crate) fn suggest(&self, why: &str, command: impl Display) {
        if !self.quiet {
            self.say(format!("{why}: {command}"));
        }
    }
}

/// Text of several lines, each of which no terminal acts on.
fn safe_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(escape::line).collect();
    lines.join("\n")
}

/// Says on stderr why a verb failed and what to do next.
pub(crate) fn report(failure: &Failure) {
    let mut stderr = anstream::stderr();
    let bold = Tone::Bad.style();
    // Nobody is left to be told when stderr is closed.
    let _ = if failure.drawn {
        writeln!(stderr, "{}", failure.what)
    } else {
        writeln!(stderr, "{bold}error{bold:#}: {}", safe_lines(&failure.what))
    };
    for hint in &failure.hints {
        let _ = writeln!(
            stderr,
            "  hint: {}",
            safe_lines(hint).replace('\n', "\n        ")
        );
    }
}
