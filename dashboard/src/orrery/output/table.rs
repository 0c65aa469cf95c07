//! Tables for people: no lines, two spaces between columns, long cells wrapped in their column.

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};

use super::escape;

/// Spaces between two columns.
const GAP: u16 = 2;
/// Columns that hold sentences, and so may be wrapped.
const PROSE: [&str; 7] = [
    "WHY",
    "WHAT FOR",
    "WHAT RUNS",
    "WAITS FOR",
    "FOR",
    "LIMITS",
    "NEXT",
];
/// The narrowest that such a column is still read in.
const PROSE_MIN: u16 = 10;

/// What a cell's colour says. Words say the same: nothing is told by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// As wished.
    Good,
    /// On its way, or to be looked at.
    Watch,
    /// Wrong.
    Bad,
    /// Not important.
    Dim,
}

impl Tone {
    /// For text outside of tables.
    pub(crate) fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Watch => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Dim => Style::new().dimmed(),
        }
    }
}

/// One cell; its text is made safe when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    right: bool,
}

impl Cell {
    /// Text, left-aligned. Nothing is shown as `-`, so that columns can be cut apart.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        let text = match text.as_ref() {
            "" => "-".to_owned(),
            some => escape::line(some).into_owned(),
        };
        Self {
            text,
            tone: Tone::Plain,
            right: false,
        }
    }

    /// A number, right-aligned.
    pub(crate) fn number(value: impl ToString) -> Self {
        Self {
            right: true,
            ..Self::new(value.to_string())
        }
    }

    /// The same cell in another tone.
    #[must_use]
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// Rows under headers.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    headers: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headers: &'static [&'static str]) -> Self {
        Self {
            headers,
            rows: Vec::new(),
        }
    }

    /// Adds a row, with one cell for each header.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.headers.len(), "one cell for each header");
        self.rows.push(cells);
    }

    /// The rows with commas, under their headers in small letters; what is not there is empty.
    pub(crate) fn csv(&self) -> String {
        let header = self
            .headers
            .iter()
            .map(|name| name.to_lowercase().replace(' ', "_"));
        let mut text = header.collect::<Vec<_>>().join(",") + "\n";
        for row in &self.rows {
            let cells = row.iter().map(|cell| match cell.text.as_str() {
                "-" => String::new(),
                some if some.contains([',', '"']) => format!("\"{}\"", some.replace('"', "\"\"")),
                some => some.to_owned(),
            });
            text += &(cells.collect::<Vec<_>>().join(",") + "\n");
        }
        text
    }

    /// The table as text, at most `width` columns wide; as wide as it is without a width, one
    /// line a row, so that `grep` and `awk` see whole rows.
    pub(crate) fn render(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING).enforce_styling();
        table.style_text_only();
        table.set_content_arrangement(ContentArrangement::Disabled);
        if let Some(width) = width {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        table.set_header(self.headers.iter().enumerate().map(|(index, header)| {
            let right = self.rows.first().is_some_and(|row| row[index].right);
            drawn(header, Tone::Dim, right)
        }));
        for row in &self.rows {
            table.add_row(
                row.iter()
                    .map(|cell| drawn(&cell.text, cell.tone, cell.right)),
            );
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        if let Some(width) = width {
            self.keep_whole(&mut table, width);
        }
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n") + "\n"
    }

    /// Where there is room, only the columns with sentences are wrapped: an id that is broken in
    /// two cannot be copied.
    fn keep_whole(&self, table: &mut comfy_table::Table, width: u16) {
        let is_prose = |index: usize| PROSE.contains(&self.headers[index]);
        let widths = table.column_max_content_widths();
        let wanted = widths.iter().enumerate().map(|(index, content)| {
            let content = if is_prose(index) {
                PROSE_MIN.min(*content)
            } else {
                *content
            };
            u32::from(content) + u32::from(GAP)
        });
        if wanted.sum::<u32>() > u32::from(width) {
            return;
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            if !is_prose(index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
}

fn drawn(text: &str, tone: Tone, right: bool) -> comfy_table::Cell {
    use comfy_table::{Attribute, Color};
    let cell = comfy_table::Cell::new(text);
    let cell = match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Watch => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Tone::Dim => cell.add_attribute(Attribute::Dim),
    };
    if right {
        cell.set_alignment(CellAlignment::Right)
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Table, Tone};

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "READY", "WHY"]);
        table.row([
            Cell::new("echo").tone(Tone::Good),
            Cell::number("3/3"),
            Cell::new(""),
        ]);
        table.row([
            Cell::new("cach\u{1b}[31ming"),
            Cell::number("10/12"),
            Cell::new("port 10700 is taken by a process of somebody else, named python3"),
        ]);
        table
    }

    #[test]
    fn into_a_pipe_every_row_is_one_line() {
        let expected = "\
NAME             READY  WHY
echo               3/3  -
cach\\x1b[31ming  10/12  port 10700 is taken by a process of somebody else, named python3
";
        assert_eq!(plain(&table().render(None)), expected);
    }

    #[test]
    fn on_a_terminal_no_line_is_wider_than_it() {
        for width in [40, 60, 80] {
            let text = plain(&table().render(Some(width)));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(usize::from(width)), "{width}:\n{text}");
            assert!(text.contains("python3"), "nothing is cut off:\n{text}");
        }
    }
}
