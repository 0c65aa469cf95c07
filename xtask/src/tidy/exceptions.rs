//! `docs/exceptions.txt`: what is excused, and why. One line each: `rule subject: reason`.

use std::path::Path;

use super::Finding;

const FILE: &str = "docs/exceptions.txt";

/// Rules whose failure no sentence can excuse.
const NEVER_EXCUSED: &[&str] = &["parse", "workspace", "golden", "exception"];

struct Exception {
    line: usize,
    rule: String,
    subject: String,
    used: bool,
}

/// Takes the excused findings away, and reports exceptions that are malformed or excuse nothing.
pub(crate) fn apply(root: &Path, findings: &mut Vec<Finding>) {
    let text = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
    let mut exceptions = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse(index + 1, line) {
            Some(exception) => exceptions.push(exception),
            None => findings.push(finding(
                index + 1,
                line,
                "this line is not `rule subject: reason`",
                "say which rule, what it excuses, and why",
            )),
        }
    }
    findings.retain(|finding| !excused(finding, &mut exceptions));
    for exception in exceptions.iter().filter(|exception| !exception.used) {
        let what = format!("`{} {}` excuses nothing", exception.rule, exception.subject);
        findings.push(finding(
            exception.line,
            &exception.subject,
            &what,
            "delete the line",
        ));
    }
}

fn parse(line: usize, text: &str) -> Option<Exception> {
    let (rule, rest) = text.split_once(' ')?;
    // A subject may hold `::`; the reason starts at the first colon that a space follows.
    let (subject, reason) = rest.split_once(": ")?;
    let (subject, reason) = (subject.trim(), reason.trim());
    if subject.is_empty() || reason.is_empty() || NEVER_EXCUSED.contains(&rule) {
        return None;
    }
    Some(Exception {
        line,
        rule: rule.into(),
        subject: subject.into(),
        used: false,
    })
}

fn excused(finding: &Finding, exceptions: &mut [Exception]) -> bool {
    let mut found = false;
    for exception in exceptions {
        if exception.rule == finding.rule && exception.subject == finding.subject {
            exception.used = true;
            found = true;
        }
    }
    found
}

fn finding(line: usize, subject: &str, what: &str, advice: &str) -> Finding {
    Finding {
        path: FILE.into(),
        line,
        rule: "exception",
        subject: subject.into(),
        what: what.into(),
        advice: advice.into(),
    }
}
