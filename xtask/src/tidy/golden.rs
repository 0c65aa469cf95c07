//! Golden files under `docs/`: generated from the code, committed, and compared, so that a change
//! of what they hold is a line in a diff that somebody has to argue for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Finding;

/// Compares, or rewrites when blessing.
pub(crate) struct Goldens {
    root: PathBuf,
    bless: bool,
}

impl Goldens {
    pub(crate) fn new(root: &Path, bless: bool) -> Self {
        Goldens {
            root: root.to_path_buf(),
            bless,
        }
    }

    /// Whether golden files follow the code in this run.
    pub(crate) fn blessing(&self) -> bool {
        self.bless
    }

    /// The lines of a golden file with their numbers, without comments; empty when there is none.
    pub(crate) fn lines(&self, path: &str) -> Vec<(usize, String)> {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap_or_default();
        let numbered = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, words(line)));
        numbered
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .collect()
    }

    /// Compares `path` with `header` and `lines`, or writes them when blessing.
    pub(crate) fn settle(
        &mut self,
        path: &str,
        header: &str,
        lines: &[String],
        findings: &mut Vec<Finding>,
    ) {
        if self.bless {
            if let Err(error) = self.write(path, header, lines) {
                findings.push(finding(path, 0, format!("failed to write: {error}")));
            }
            return;
        }
        let golden = self.lines(path);
        let expected: BTreeSet<String> = lines.iter().map(|line| words(line)).collect();
        let known: BTreeSet<&String> = golden.iter().map(|(_, line)| line).collect();
        for (number, line) in golden.iter().filter(|(_, line)| !expected.contains(line)) {
            findings.push(finding(
                path,
                *number,
                format!("gone from the code: {line}"),
            ));
        }
        for line in expected.iter().filter(|line| !known.contains(line)) {
            findings.push(finding(path, 0, format!("new in the code: {line}")));
        }
    }

    fn write(&self, path: &str, header: &str, lines: &[String]) -> std::io::Result<()> {
        let mut text: String = header.lines().map(|line| format!("# {line}\n")).collect();
        for line in lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        let path = self.root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    }
}

/// A line with single spaces, so that columns may be aligned by hand or by us.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn finding(path: &str, line: usize, what: String) -> Finding {
    Finding {
        path: path.into(),
        line,
        rule: "golden",
        subject: path.into(),
        what,
        advice: "meant? `cargo xtask tidy --bless`, and argue for the line in the commit".into(),
    }
}
