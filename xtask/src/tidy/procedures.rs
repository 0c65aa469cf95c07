//! Every procedure of the fleet in one table: ids are unique, in their service's range, and never
//! used again once retired.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::Finding;
use super::floors::{self, Floor};
use super::golden::Goldens;
use super::source::SourceFile;

const FILE: &str = "docs/procedures.txt";
const HEADER: &str = "Every procedure of the fleet, written by `cargo xtask tidy --bless`.
An id is never used again: a procedure that is gone stays here as retired.
id  service  procedure  access  arguments -> reply";

const ACCESS: &[&str] = &["read", "write", "idempotent", "read_stream", "write_stream"];

/// The ids of each crate: DESIGN section 4. Those of rpc are built into every server.
const RANGES: &[(&str, u32, u32)] = &[
    ("rpc", 1, 99),
    ("echo", 101, 199),
    ("discovery", 201, 299),
    ("configuration", 301, 399),
    ("scheduling", 401, 499),
    ("release", 501, 599),
    ("security", 601, 699),
    ("storage", 701, 799),
    ("caching", 801, 899),
    ("routing", 901, 999),
    ("monitoring", 1001, 1099),
    ("resource-scheduler", 1101, 1199),
    ("passes", 1201, 1299),
    ("pipelines", 1301, 1399),
];

/// One line of a `service!` declaration.
struct Procedure {
    path: String,
    line: usize,
    service: String,
    id: u32,
    access: String,
    name: String,
    arguments: String,
    reply: String,
}

pub(crate) fn check(sources: &[SourceFile], goldens: &mut Goldens, findings: &mut Vec<Finding>) {
    let mut declared: BTreeMap<u32, Procedure> = BTreeMap::new();
    for file in sources.iter().filter(|file| declares_for_the_fleet(file)) {
        let mut declarations = Declarations {
            file,
            found: Vec::new(),
        };
        declarations.visit_file(&file.syntax);
        for procedure in declarations.found {
            in_range(&procedure, findings);
            if let Some(other) = declared.get(&procedure.id) {
                let what = format!(
                    "id {} is {} of {} already",
                    other.id, other.name, other.path
                );
                findings.push(finding(
                    &procedure,
                    what,
                    "take the next free id of the range",
                ));
            } else {
                declared.insert(procedure.id, procedure);
            }
        }
    }
    let mut rows = retired(&declared, goldens, findings);
    for (id, procedure) in &declared {
        rows.entry(*id).or_insert_with(|| row(procedure));
    }
    goldens.settle(
        FILE,
        HEADER,
        &rows.into_values().collect::<Vec<_>>(),
        findings,
    );
}

/// Tests and proof declare services of their own that no fleet ever runs.
fn declares_for_the_fleet(file: &SourceFile) -> bool {
    file.local.starts_with("src/") && floors::floor_of(&file.package) != Some(Floor::Proof)
}

fn in_range(procedure: &Procedure, findings: &mut Vec<Finding>) {
    let range = RANGES
        .iter()
        .find(|(service, ..)| *service == procedure.service);
    let what = match range {
        Some((_, first, last)) if (*first..=*last).contains(&procedure.id) => return,
        Some((_, first, last)) => {
            let Procedure {
                id, name, service, ..
            } = procedure;
            format!("{name} has id {id}, but {service} has {first}-{last}")
        }
        None => format!("{} has no range of ids", procedure.service),
    };
    let advice = "take an id of the service's range (xtask/src/tidy/procedures.rs has them all)";
    findings.push(finding(procedure, what, advice));
}

/// The rows of ids that are gone for ever; blessing retires what no code declares any more, and
/// never brings an id back.
fn retired(
    declared: &BTreeMap<u32, Procedure>,
    goldens: &Goldens,
    findings: &mut Vec<Finding>,
) -> BTreeMap<u32, String> {
    let mut rows = BTreeMap::new();
    for (_, line) in goldens.lines(FILE) {
        let mut words = line.split(' ');
        let Some(Ok(id)) = words.next().map(str::parse::<u32>) else {
            continue;
        };
        let is_retired = line.ends_with(" retired");
        match declared.get(&id) {
            Some(procedure) if is_retired => {
                let what = format!("id {id} was retired and is used again: {line}");
                let advice = "take the next free id: an old caller still means the old procedure";
                findings.push(finding(procedure, what, advice));
                rows.insert(id, line);
            }
            Some(_) => {}
            None if is_retired => _ = rows.insert(id, line),
            None if goldens.blessing() => _ = rows.insert(id, format!("{line} retired")),
            None => {}
        }
    }
    rows
}

fn row(procedure: &Procedure) -> String {
    let Procedure {
        id,
        service,
        name,
        access,
        arguments,
        reply,
        ..
    } = procedure;
    format!("{id:<5} {service:<19} {name:<25} {access:<13} {arguments} -> {reply}")
}

fn finding(procedure: &Procedure, what: String, advice: &str) -> Finding {
    Finding {
        path: procedure.path.clone(),
        line: procedure.line,
        rule: "procedures",
        subject: format!("{}::{}", procedure.path, procedure.name),
        what,
        advice: advice.into(),
    }
}

/// Finds the `service!` macros of a file.
struct Declarations<'a> {
    file: &'a SourceFile,
    found: Vec<Procedure>,
}

impl<'ast> Visit<'ast> for Declarations<'_> {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let last = call.path.segments.last();
        if last.is_some_and(|segment| segment.ident == "service") {
            self.read(call.tokens.clone());
        }
        visit::visit_macro(self, call);
    }
}

impl Declarations<'_> {
    /// Reads every `access id CONSTANT name(Arguments) -> Reply;`, also inside braces.
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            if let TokenTree::Group(group) = token
                && group.delimiter() == Delimiter::Brace
            {
                self.read(group.stream());
            }
            if let Some(procedure) = self.procedure(&tokens[index..])
                && !self.file.is_test(procedure.line)
            {
                self.found.push(procedure);
            }
        }
    }

    fn procedure(&self, tokens: &[TokenTree]) -> Option<Procedure> {
        let [
            access,
            id,
            _constant,
            name,
            TokenTree::Group(arguments),
            rest @ ..,
        ] = tokens
        else {
            return None;
        };
        let access = access.to_string();
        if !ACCESS.contains(&access.as_str()) {
            return None;
        }
        let end = |token: &&TokenTree| token.to_string() != ";";
        let reply: String = rest
            .iter()
            .take_while(end)
            .map(TokenTree::to_string)
            .collect();
        Some(Procedure {
            path: self.file.path.clone(),
            line: id.span().start().line,
            service: self.file.package.clone(),
            id: id.to_string().replace('_', "").parse().ok()?,
            access,
            name: name.to_string(),
            arguments: squeeze(&arguments.stream().to_string()),
            reply: squeeze(reply.trim_start_matches("->")),
        })
    }
}

fn squeeze(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    if text.is_empty() { "()".into() } else { text }
}
