//! The decision crates are pure: what they link, all the way down, stands in a golden file, and
//! each has a `clippy.toml` that forbids clocks and hidden orders.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Finding;
use super::golden::Goldens;
use super::workspace::{Member, Workspace};

const FILE: &str = "docs/decisions-dependencies.txt";
const HEADER: &str = "What each decision crate links, all the way down (procedural macros apart),
written by `cargo xtask tidy --bless`. No runtime, no I/O, no randomness.";

/// What a decision crate may not link, whoever brings it.
const IMPURE: &[&str] = &["tokio", "mio", "getrandom", "rand"];

/// What each decision crate's `clippy.toml` forbids at least: its table and the path.
const FORBIDDEN: &[(&str, &str)] = &[
    ("disallowed-methods", "std::time::Instant::now"),
    ("disallowed-methods", "std::time::SystemTime::now"),
    ("disallowed-types", "std::collections::HashMap"),
    ("disallowed-types", "std::collections::HashSet"),
];

pub(crate) fn check(workspace: &Workspace, goldens: &mut Goldens, findings: &mut Vec<Finding>) {
    let decisions = workspace
        .members
        .iter()
        .filter(|m| m.folder.starts_with("decisions/"));
    let mut lines = Vec::new();
    for member in decisions {
        clippy_file(&workspace.root, member, findings);
        match linked(&workspace.root, &member.name) {
            Ok(names) => {
                impure(member, &names, findings);
                lines.extend(names.iter().map(|name| format!("{}: {name}", member.name)));
            }
            Err(why) => findings.push(finding(
                member.manifest(),
                member,
                format!("cargo tree cannot list what {} links: {why}", member.name),
                "repair what it names",
            )),
        }
    }
    goldens.settle(FILE, HEADER, &lines, findings);
}

fn impure(member: &Member, names: &[String], findings: &mut Vec<Finding>) {
    for name in names.iter().filter(|name| IMPURE.contains(&name.as_str())) {
        let advice = format!(
            "`cargo tree -p {} -e normal -i {name}` says who brings it; time, randomness and I/O \
             are arguments",
            member.name
        );
        let what = format!("{} links {name}, and a decision is pure", member.name);
        findings.push(finding(member.manifest(), member, what, &advice));
    }
}

/// The names of all crates that `package` links, sorted; macros run in the compiler, so they do
/// not count.
fn linked(root: &Path, package: &str) -> Result<Vec<String>, String> {
    let output = Command::new("cargo")
        .args([
            "tree",
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--package", package])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let words = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<String> = words
        .filter(|name| *name != package)
        .map(String::from)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn clippy_file(root: &Path, member: &Member, findings: &mut Vec<Finding>) {
    let path = format!("{}/clippy.toml", member.folder);
    let advice = "copy clippy.toml of another decision crate; clippy reads the nearest one only";
    let parsed = std::fs::read_to_string(root.join(&path))
        .map_err(|error| format!("failed to read: {error}"))
        .and_then(|text| {
            text.parse::<toml::Table>()
                .map_err(|error| error.to_string())
        });
    let table = match parsed {
        Ok(table) => table,
        Err(why) => return findings.push(finding(path, member, why, advice)),
    };
    for (list, forbidden) in FORBIDDEN {
        let entries = table
            .get(*list)
            .and_then(toml::Value::as_array)
            .cloned()
            .unwrap_or_default();
        let named = entries.iter().any(|entry| {
            let path = entry.get("path").unwrap_or(entry);
            path.as_str() == Some(forbidden)
        });
        if !named {
            let what = format!("{forbidden} is not among its {list}");
            findings.push(finding(path.clone(), member, what, advice));
        }
    }
}

fn finding(path: String, member: &Member, what: String, advice: &str) -> Finding {
    let (subject, advice) = (member.name.clone(), advice.into());
    Finding {
        path,
        line: 0,
        rule: "purity",
        subject,
        what,
        advice,
    }
}
