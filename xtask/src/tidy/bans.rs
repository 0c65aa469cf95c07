//! What may not be written, or only in one place. Rules look at tokens, so they see into macros
//! and never trip over a comment or a string.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Finding;
use super::source::SourceFile;
use super::workspace::Workspace;

/// The one file that names the wire codec's crate, and the crate that may depend on it.
const CODEC_FILE: &str = "rpc/src/codec.rs";
const CODEC_CRATE: &str = "rpc";

pub(crate) fn check(workspace: &Workspace, sources: &[SourceFile], findings: &mut Vec<Finding>) {
    codec_dependencies(workspace, findings);
    for file in sources {
        ignored_examples(file, findings);
        let mut scan = Scan { file, findings };
        scan.walk(file.tokens.clone(), false);
    }
}

fn codec_dependencies(workspace: &Workspace, findings: &mut Vec<Finding>) {
    for member in workspace
        .members
        .iter()
        .filter(|member| member.name != CODEC_CRATE)
    {
        if member
            .dependencies
            .iter()
            .any(|dependency| dependency.name == "bincode")
        {
            findings.push(Finding {
                path: member.manifest(),
                line: member.dependency_line(&workspace.root, "bincode"),
                rule: "bincode",
                subject: member.manifest(),
                what: format!("{} depends on bincode, only {CODEC_CRATE} may", member.name),
                advice: "use rpc's Serializable and Deserializable".into(),
            });
        }
    }
}

fn ignored_examples(file: &SourceFile, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        if (line.starts_with("///") || line.starts_with("//!")) && line.contains("```ignore") {
            findings.push(Finding {
                path: file.path.clone(),
                line: index + 1,
                rule: "ignored-test",
                subject: file.path.clone(),
                what: "an example that is not compiled".into(),
                advice: "make it run, or `no_run`; mark what is not Rust as `text`".into(),
            });
        }
    }
}

struct Scan<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Finding>,
}

impl Scan<'_> {
    /// Visits all tokens; `polling` says whether they stand in the body of a `loop` or `while`.
    fn walk(&mut self, tokens: TokenStream, polling: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut loop_ahead = false;
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "loop" || word == "while" => loop_ahead = true,
                TokenTree::Ident(_) => self.word(&tokens, index, polling),
                TokenTree::Group(group) => {
                    self.attribute(&tokens, index);
                    let body = loop_ahead && group.delimiter() == Delimiter::Brace;
                    self.walk(group.stream(), polling || body);
                    loop_ahead &= !body;
                }
                _ => {}
            }
        }
    }

    fn word(&mut self, tokens: &[TokenTree], index: usize, polling: bool) {
        let line = tokens[index].span().start().line;
        let word = tokens[index].to_string();
        let next = tokens.get(index + 1);
        let previous = index
            .checked_sub(1)
            .map(|before| tokens[before].to_string());
        let previous = previous.as_deref();
        match word.as_str() {
            "bincode" => {
                let names_it = is_punct(next, ':') || matches!(previous, Some("use" | "crate"));
                if names_it && self.file.path != CODEC_FILE {
                    let advice =
                        format!("only {CODEC_FILE} names it: use Serializable and Deserializable");
                    self.report(line, "bincode", "bincode outside its one file", &advice);
                }
            }
            "todo" | "unimplemented" if is_punct(next, '!') => {
                self.report(line, "todo", "unfinished code", "finish it, or take it out");
            }
            "sleep" if is_call(next) && sleeps(&tokens[..index]) => self.sleep(line, polling),
            _ => {}
        }
    }

    fn sleep(&mut self, line: usize, polling: bool) {
        if self.file.is_test(line) && !polling && !self.has_reason(line) {
            let advice = "wait for a condition with a deadline (a sleep inside the `loop` or \
                `while` that polls it is fine), or end the line with `// why: ...`";
            self.report(line, "sleep-in-test", "a test sleeps for luck", advice);
        }
    }

    fn attribute(&mut self, tokens: &[TokenTree], index: usize) {
        let TokenTree::Group(group) = &tokens[index] else {
            return;
        };
        let after_hash = index > 0 && is_punct(tokens.get(index - 1), '#');
        if !after_hash || group.delimiter() != Delimiter::Bracket {
            return;
        }
        let first = group
            .stream()
            .into_iter()
            .next()
            .map(|token| token.to_string());
        if first.as_deref() == Some("ignore") {
            let line = group.span().start().line;
            let advice = "make it pass, or delete it: a test that does not run says nothing";
            self.report(line, "ignored-test", "an ignored test", advice);
        }
    }

    fn has_reason(&self, line: usize) -> bool {
        let text = self.file.text.lines().nth(line - 1).unwrap_or_default();
        text.split_once("// why:")
            .is_some_and(|(_, reason)| !reason.trim().is_empty())
    }

    fn report(&mut self, line: usize, rule: &'static str, what: &str, advice: &str) {
        self.findings.push(Finding {
            path: self.file.path.clone(),
            line,
            rule,
            subject: self.file.path.clone(),
            what: what.into(),
            advice: advice.into(),
        });
    }
}

fn is_punct(token: Option<&TokenTree>, expected: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == expected)
}

fn is_call(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
}

/// Whether `sleep(` after these tokens is the standard library's or tokio's: in a path through
/// `thread` or `time`, or imported; not a method, a declaration or somebody else's function.
fn sleeps(before: &[TokenTree]) -> bool {
    match before {
        [
            ..,
            TokenTree::Ident(module),
            TokenTree::Punct(first),
            TokenTree::Punct(second),
        ] if first.as_char() == ':' && second.as_char() == ':' => {
            module == "thread" || module == "time"
        }
        [.., TokenTree::Punct(punct)] => punct.as_char() != '.',
        [.., TokenTree::Ident(word)] => word == "return",
        _ => true,
    }
}
