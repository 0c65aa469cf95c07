//! How long things may get. The numbers are STYLE's, measured over codebases that read well.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Finding;
use super::source::SourceFile;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;
const LIB_LINES_MAX: usize = 300;
const MAIN_LINES_MAX: usize = 60;
const COLUMNS_MAX: usize = 100;

pub(crate) fn check(sources: &[SourceFile], findings: &mut Vec<Finding>) {
    for file in sources {
        file_lines(file, findings);
        columns(file, findings);
        let mut functions = Functions { file, findings };
        functions.visit_file(&file.syntax);
    }
}

fn file_lines(file: &SourceFile, findings: &mut Vec<Finding>) {
    let (rule, limit, advice) = match file.local.as_str() {
        "src/lib.rs" => (
            "lib-lines",
            LIB_LINES_MAX,
            "a lib.rs is purpose, map and re-exports: move what has its own name to a module",
        ),
        "src/main.rs" => (
            "main-lines",
            MAIN_LINES_MAX,
            "a main parses settings, builds the state and serves: move the rest to a module",
        ),
        _ => (
            "file-lines",
            FILE_LINES_MAX,
            "split it by subject, one noun a file",
        ),
    };
    let lines = file.production_lines();
    if lines > limit {
        findings.push(Finding {
            path: file.path.clone(),
            line: 0,
            rule,
            subject: file.path.clone(),
            what: format!("{lines} lines without tests, at most {limit}"),
            advice: advice.into(),
        });
    }
}

fn columns(file: &SourceFile, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        // An address cannot be broken, and a broken one cannot be clicked.
        if columns > COLUMNS_MAX && !line.contains("://") {
            findings.push(Finding {
                path: file.path.clone(),
                line: index + 1,
                rule: "columns",
                subject: file.path.clone(),
                what: format!("{columns} columns, at most {COLUMNS_MAX}"),
                advice: "break the line (rustfmt leaves comments and strings alone)".into(),
            });
        }
    }
}

struct Functions<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line + 1 - first;
        if lines <= FUNCTION_LINES_MAX || self.file.is_test(first) {
            return;
        }
        let name = &signature.ident;
        self.findings.push(Finding {
            path: self.file.path.clone(),
            line: first,
            rule: "function-lines",
            subject: format!("{}::{name}", self.file.path),
            what: format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"),
            advice: "give its parts names: aim at 25 lines a function".into(),
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}
