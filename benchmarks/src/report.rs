//! Tables on stdout, and in `docs/benchmarks.md` when asked.

use std::fs;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};

use crate::Failure;
use crate::machine::{self, Meanwhile};

const HEADER: &str = "# Benchmarks

Written by `cargo xtask bench --write`; each section says when and where it was measured. What is
compared ran in interleaved rounds of one run, and the numbers are medians of the rounds: ratios
last, absolute numbers belong to the machine. Missed targets stay in.
";

/// What one benchmark found: a heading, and text with tables.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) body: String,
}

/// All that was found in one run.
pub(crate) struct Report {
    quick: bool,
    sections: Vec<Section>,
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self {
            quick,
            sections: Vec::new(),
        }
    }

    /// Measures, prints what was found, and keeps it.
    ///
    /// # Errors
    /// What the measurement fails with.
    pub(crate) fn add(
        &mut self,
        measure: impl FnOnce(bool) -> Result<Section, Failure>,
    ) -> Result<(), Failure> {
        let machine = machine::describe();
        let meanwhile = Meanwhile::begin();
        let mut section = measure(self.quick)?;
        let quick = if self.quick {
            "; `--quick`, so only roughly"
        } else {
            ""
        };
        let body = section.body.trim();
        section.body = format!("{machine}{quick}. {}.\n\n{body}", meanwhile.describe());
        println!("## {}\n\n{}\n", section.name, section.body);
        self.sections.push(section);
        Ok(())
    }

    /// Puts the sections into `docs/benchmarks.md`, each in the place of its predecessor.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let path = file();
        let mut text = fs::read_to_string(&path).unwrap_or_else(|_| HEADER.to_owned());
        for section in &self.sections {
            text = replaced(&text, section);
        }
        fs::write(&path, text)
            .map_err(|e| format!("failed to write {}: {e}", path.display()).into())
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md")
}

/// `text` with `section` in it once.
fn replaced(text: &str, section: &Section) -> String {
    let heading = format!("\n## {}\n", section.name);
    let new = format!("{heading}\n{}\n", section.body);
    let Some(start) = text.find(&heading) else {
        return format!("{text}{new}");
    };
    let after = start + heading.len();
    let end = text[after..]
        .find("\n## ")
        .map_or(text.len(), |at| after + at);
    format!("{}{new}{}", &text[..start], &text[end..])
}

/// A table in Markdown, the first column to the left and numbers to the right.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::ASCII_MARKDOWN)
        .set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_predecessor() {
        let section = |name, body: &str| Section {
            name,
            body: body.to_owned(),
        };
        let one = replaced("# Top\n", &section("rpc", "old"));
        let two = replaced(&one, &section("store", "kept"));
        let three = replaced(&two, &section("rpc", "new"));
        assert_eq!(three, "# Top\n\n## rpc\n\nnew\n\n## store\n\nkept\n");
    }
}
