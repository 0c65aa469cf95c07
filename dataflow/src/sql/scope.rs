//! What names mean within a query.

use sqlparser::ast::{Expr, Ident};
use sqlparser::tokenizer::Span;

use super::{Planned, SqlError, unknown};

/// What a name stands for: a column of a node, or a window, which is two.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// This column of the node.
    Column(String),
    /// The columns with a window's start and end.
    Window(String, String),
}

/// A name that a query can use.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The table or alias before the dot; empty where there is none.
    pub(super) table: String,
    pub(super) name: String,
    pub(super) meaning: Meaning,
}

/// The rows of a node, and what its columns are called.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) node: String,
    pub(super) names: Vec<Name>,
    /// Whether its rows come out of windows.
    pub(super) windowed: bool,
    /// Expressions that were computed already, as after a grouping.
    pub(super) computed: Vec<(Expr, Meaning)>,
    /// A column with a row's number, whose node waits for its bound.
    pub(super) ranked: Option<(String, String)>,
}

impl Relation {
    pub(super) fn new(node: String, names: Vec<Name>, windowed: bool) -> Self {
        Self {
            node,
            names,
            windowed,
            computed: Vec::new(),
            ranked: None,
        }
    }

    /// The same rows under another name.
    pub(super) fn named(mut self, alias: &str) -> Self {
        for name in &mut self.names {
            alias.clone_into(&mut name.table);
        }
        self
    }

    /// What a name or `table.name` stands for; `window.start` is a column.
    pub(super) fn find(&self, parts: &[Ident], at: Span) -> Planned<Meaning> {
        let words: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        let found = match words.as_slice() {
            [name] => self.one("", name, at)?,
            [first, second] => match self.one(first, second, at)? {
                None => bound(self.one("", first, at)?, second),
                known => known,
            },
            [table, name, field] => bound(self.one(table, name, at)?, field),
            _ => None,
        };
        found.ok_or_else(|| {
            let last = words.last().copied().unwrap_or_default();
            let known = self.names.iter().map(|name| name.name.as_str());
            let error = unknown("column", &words.join("."), known.clone(), at);
            if error.hint.is_empty() && last != "start" && last != "end" {
                let all: Vec<&str> = known.take(12).collect();
                return error.hint(format!("there are {}", all.join(", ")));
            }
            error
        })
    }

    fn one(&self, table: &str, name: &str, at: Span) -> Planned<Option<Meaning>> {
        let is = |known: &&Name| {
            let of_table = table.is_empty() || known.table.eq_ignore_ascii_case(table);
            of_table && known.name.eq_ignore_ascii_case(name)
        };
        let mut found = self.names.iter().filter(is);
        let first = found.next();
        match (first, found.next()) {
            (Some(one), Some(other)) if one.meaning != other.meaning => {
                let (a, b) = (&one.table, &other.table);
                if a == b {
                    return Err(SqlError::at(at, format!("two columns are called `{name}`"))
                        .hint("give one of them another name with AS"));
                }
                Err(
                    SqlError::at(at, format!("`{name}` is in `{a}` and in `{b}`"))
                        .hint(format!("say {a}.{name}")),
                )
            }
            _ => Ok(first.map(|name| name.meaning.clone())),
        }
    }
}

fn bound(meaning: Option<Meaning>, field: &str) -> Option<Meaning> {
    match meaning? {
        Meaning::Window(start, _) if field.eq_ignore_ascii_case("start") => {
            Some(Meaning::Column(start))
        }
        Meaning::Window(_, end) if field.eq_ignore_ascii_case("end") => Some(Meaning::Column(end)),
        _ => None,
    }
}
