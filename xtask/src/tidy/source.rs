//! The Rust files of the workspace: text, tokens, syntax, and which lines are tests.

use std::ops::RangeInclusive;
use std::path::Path;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Finding;
use super::workspace::{Member, Workspace};

/// One file that parses.
pub(crate) struct SourceFile {
    /// Relative to the workspace's root, with `/`.
    pub(crate) path: String,
    /// The crate it belongs to.
    pub(crate) package: String,
    /// The path inside the crate: `src/lib.rs`.
    pub(crate) local: String,
    pub(crate) text: String,
    pub(crate) tokens: TokenStream,
    pub(crate) syntax: syn::File,
    /// Whether the whole file is test code.
    all_test: bool,
    /// The lines of `#[cfg(test)]` items, outermost only.
    test_lines: Vec<RangeInclusive<usize>>,
}

impl SourceFile {
    /// Whether the line (from 1) is test code.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.all_test || self.test_lines.iter().any(|range| range.contains(&line))
    }

    /// How many lines are not tests.
    pub(crate) fn production_lines(&self) -> usize {
        (1..=self.text.lines().count())
            .filter(|line| !self.is_test(*line))
            .count()
    }
}

/// Every file of every member; one that does not parse becomes a finding.
pub(crate) fn read_all(workspace: &Workspace, findings: &mut Vec<Finding>) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for member in &workspace.members {
        let folder = workspace.root.join(&member.folder);
        let mut paths = Vec::new();
        for part in ["src", "tests", "benches", "examples", "build.rs"] {
            collect(&folder, part, &mut paths);
        }
        paths.sort();
        for local in paths {
            match read(&folder, member, &local) {
                Ok(file) => files.push(file),
                Err(finding) => findings.push(finding),
            }
        }
    }
    files
}

fn collect(folder: &Path, local: &str, paths: &mut Vec<String>) {
    let path = folder.join(local);
    if path.is_file() && local.ends_with(".rs") {
        paths.push(local.to_string());
    }
    // A folder that holds a manifest is another package (or a fixture that plays one).
    let Ok(entries) = std::fs::read_dir(&path) else {
        return;
    };
    if path.join("Cargo.toml").exists() {
        return;
    }
    for entry in entries.flatten() {
        if let Some(name) = entry.file_name().to_str() {
            collect(folder, &format!("{local}/{name}"), paths);
        }
    }
}

fn read(folder: &Path, member: &Member, local: &str) -> Result<SourceFile, Finding> {
    let path = format!("{}/{local}", member.folder);
    let broken = |line: usize, why: String| Finding {
        path: path.clone(),
        line,
        rule: "parse",
        subject: path.clone(),
        what: format!("this file does not parse: {why}"),
        advice: "repair it; its other rules were not checked".into(),
    };
    let text = std::fs::read_to_string(folder.join(local))
        .map_err(|error| broken(0, format!("failed to read: {error}")))?;
    let at = |error: syn::Error| broken(error.span().start().line, error.to_string());
    let tokens: TokenStream = text
        .parse()
        .map_err(|error: proc_macro2::LexError| at(error.into()))?;
    let syntax: syn::File = syn::parse2(tokens.clone()).map_err(at)?;

    let mut tests = TestLines(Vec::new());
    tests.visit_file(&syntax);
    let in_folder = |name| local.starts_with(name) || local.contains(&format!("/{name}"));
    let all_test = in_folder("tests/") || in_folder("benches/") || local.ends_with("/tests.rs");
    Ok(SourceFile {
        path,
        package: member.name.clone(),
        local: local.to_string(),
        text,
        tokens,
        syntax,
        all_test,
        test_lines: tests.0,
    })
}

/// Collects the lines of items under `#[cfg(test)]` or `#[test]`.
struct TestLines(Vec<RangeInclusive<usize>>);

impl<'ast> Visit<'ast> for TestLines {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if attributes.iter().any(marks_test) {
            self.0
                .push(item.span().start().line..=item.span().end().line);
        } else {
            visit::visit_item(self, item);
        }
    }
}

fn marks_test(attribute: &syn::Attribute) -> bool {
    let last = attribute
        .path()
        .segments
        .last()
        .map(|segment| segment.ident.to_string());
    match (last.as_deref(), &attribute.meta) {
        (Some("test"), _) => true,
        (Some("cfg"), syn::Meta::List(list)) => {
            let condition = list.tokens.to_string();
            let words: Vec<&str> = condition.split(|c: char| !c.is_alphanumeric()).collect();
            words.contains(&"test") && !words.contains(&"not")
        }
        _ => false,
    }
}
