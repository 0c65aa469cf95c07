//! Programs as SQL: statements in, a [`Plan`] out.
//!
//! Tables are declared with where they are read or written; a view is a query under a name; each
//! `INSERT INTO` a sink, or a bare query, is something the pipeline computes.
//!
//! | module | what |
//! |---|---|
//! | `tables` | `CREATE TABLE`: columns, types, options |
//! | `watermark` | `WATERMARK FOR`, which the parser does not know |
//! | `scope` | which columns an expression may name |
//! | `scalar`, `interval` | expressions over one row |
//! | `query`, `select` | queries: sources, filters, projections, unions |
//! | `group` | `GROUP BY`: windows and aggregates |
//! | `join`, `ranking` | joins of windows; `ROW_NUMBER` |
//!
//! ```
//! let clicks = "CREATE TABLE clicks (at TIMESTAMP, page TEXT)
//!   WITH (connector = 'files', path = '/data/clicks', event_time_field = 'at');";
//! let query = "SELECT page, count(*) AS n, TUMBLE(INTERVAL '1 minute') AS w
//!   FROM clicks GROUP BY page, w";
//! let plan = dataflow::sql::plan(&format!("{clicks}\n{query}")).expect("it can be planned");
//! assert_eq!(plan.nodes.last().expect("a sink").id, "result");
//!
//! let error = dataflow::sql::plan(&format!("{clicks}\nSELECT pag FROM clicks")).unwrap_err();
//! let says = "line 3, column 8: there is no column `pag`; did you mean `page`?";
//! assert_eq!(error.to_string(), says);
//! ```

mod group;
mod interval;
mod join;
mod query;
mod ranking;
mod scalar;
mod scope;
mod select;
mod tables;
mod watermark;

use std::collections::BTreeMap;

use sqlparser::ast::{Insert, ObjectName, Query, Spanned, Statement, TableObject};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span, Token, Tokenizer};

use crate::columns::{Column, SchemaRef};
use crate::plan::{Node, Operator, Plan, PlanError, SinkTarget, output_of};
use scope::{Meaning, Name, Relation};
use tables::Table;

/// Why a program cannot be planned, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}{}", or_nothing(.hint))]
pub struct SqlError {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong.
    pub what: String,
    /// What would be right; empty if that is not known.
    pub hint: String,
}

fn or_nothing(hint: &str) -> String {
    match hint {
        "" => String::new(),
        hint => format!("; {hint}"),
    }
}

impl SqlError {
    pub(crate) fn at(span: Span, what: impl Into<String>) -> Self {
        Self::at_location(span.start, what)
    }

    fn at_location(location: Location, what: impl Into<String>) -> Self {
        Self {
            line: location.line.max(1),
            column: location.column.max(1),
            what: what.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Operators in a program, at most.
const OPERATORS_MAX: usize = 4_000;
/// For a chain of as many operators.
const STACK_BYTES: usize = 256 << 20;

/// Whether a token is no operator between two values.
fn is_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => ![
            "AND", "OR", "NOT", "IS", "BETWEEN", "UNION", "JOIN", "COLLATE", "AT",
        ]
        .contains(&word.value.to_ascii_uppercase().as_str()),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Whitespace(_) => true,
        Token::Comma | Token::SemiColon | Token::Period | Token::EOF => true,
        _ => false,
    }
}

/// What planning anything answers.
type Planned<T> = Result<T, SqlError>;

/// Plans a program.
///
/// # Errors
/// Where something stands that cannot be planned, and what could stand there.
pub fn plan(text: &str) -> Result<Plan, SqlError> {
    // What nests deeply is gone through deeply: on a stack that is large enough for OPERATORS_MAX.
    std::thread::scope(|scope| {
        let planner = std::thread::Builder::new()
            .name("sql".into())
            .stack_size(STACK_BYTES);
        let planned = planner.spawn_scoped(scope, || planned(text));
        let planned = planned.map(std::thread::ScopedJoinHandle::join);
        match planned {
            Ok(Ok(plan)) => plan,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(SqlError::at(
                Span::empty(),
                format!("no thread to plan on: {error}"),
            )),
        }
    })
}

fn planned(text: &str) -> Planned<Plan> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let mut tokens =
        tokens.map_err(|error| SqlError::at_location(error.location, error.message))?;
    let operators = tokens.iter().filter(|token| !is_operand(&token.token));
    if let Some(first) = operators.clone().nth(OPERATORS_MAX) {
        let what = format!("the program has more than {OPERATORS_MAX} operators");
        return Err(SqlError::at(first.span, what));
    }
    let watermarks = watermark::cut_out(&mut tokens, &dialect)?;
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let parsed = parser.parse_statements();
    let statements = parsed.map_err(|error| {
        let place = parser.get_current_token().span;
        unparsed(&error.to_string(), place)
    })?;
    let mut planner = Planner::default();
    for statement in &statements {
        planner.statement(statement, &watermarks)?;
    }
    planner.finish()
}

/// The parser says where in words; its place is read off them, or is where it stopped.
fn unparsed(message: &str, place: Span) -> SqlError {
    let message = message.trim_start_matches("sql parser error: ");
    let (what, location) = match message.rsplit_once(" at Line: ") {
        Some((what, rest)) => (what, rest.split_once(", Column: ")),
        None => (message, None),
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let found = location.and_then(|(line, column)| Some((number(line)?, number(column)?)));
    let (line, column) = found.unwrap_or((place.start.line, place.start.column));
    SqlError::at_location(Location { line, column }, what)
}

/// A program under way: the nodes so far, and what names mean.
#[derive(Default)]
struct Planner {
    nodes: Vec<Node>,
    schemas: BTreeMap<String, SchemaRef>,
    tables: BTreeMap<String, Table>,
    views: BTreeMap<String, Query>,
    /// Tables and views that something reads, planned once.
    read: BTreeMap<String, Relation>,
    /// What goes into each sink, in the order of the statements.
    written: Vec<(String, Vec<String>)>,
    /// `ROW_NUMBER` without a bound yet: its node and place.
    unbound: BTreeMap<String, Span>,
    /// Views being planned, to notice one that reads itself.
    open: Vec<String>,
}

impl Planner {
    fn statement(&mut self, statement: &Statement, marks: &watermark::Watermarks) -> Planned<()> {
        match statement {
            Statement::CreateTable(create) => match &create.query {
                Some(query) => self.view(&create.name, query),
                None => {
                    let table = tables::declared(create, marks)?;
                    self.declare(&create.name)?;
                    self.tables.insert(name_of(&create.name), table);
                    Ok(())
                }
            },
            Statement::CreateView(create) => self.view(&create.name, &create.query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Query(query) => {
                let relation = self.query(query)?;
                self.written.push((String::new(), vec![relation.node]));
                Ok(())
            }
            other => Err(
                SqlError::at(other.span(), "this statement is not known here")
                    .hint("there are CREATE TABLE, CREATE VIEW, INSERT INTO and SELECT"),
            ),
        }
    }

    /// Takes a name for a table or view.
    fn declare(&self, name: &ObjectName) -> Planned<()> {
        let text = name_of(name);
        if self.tables.contains_key(&text) || self.views.contains_key(&text) {
            return Err(SqlError::at(
                name.span(),
                format!("there are two of `{text}`"),
            ));
        }
        Ok(())
    }

    fn view(&mut self, name: &ObjectName, query: &Query) -> Planned<()> {
        self.declare(name)?;
        self.views.insert(name_of(name), query.clone());
        Ok(())
    }

    fn insert(&mut self, insert: &Insert) -> Planned<()> {
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::at(insert.span(), "INSERT goes into a table"));
        };
        let text = name_of(name);
        let Some(query) = &insert.source else {
            return Err(SqlError::at(insert.span(), "INSERT takes a SELECT"));
        };
        let relation = self.query(query)?;
        let Some(table) = self.tables.get(&text) else {
            let known = self.tables.keys();
            return Err(unknown(
                "table",
                &text,
                known.map(String::as_str),
                name.span(),
            ));
        };
        if table.sink.is_none() && table.source.is_none() {
            let columns = table.columns.clone();
            let node = self.as_written(&relation, &columns, query.span())?;
            return self.kept(text, node, &columns, relation.windowed, name.span());
        }
        if table.sink.is_none() {
            let what = format!("`{text}` is a source: nothing can be written to it");
            return Err(SqlError::at(name.span(), what).hint("give it type = 'sink'"));
        }
        let columns = table.columns.clone();
        let node = self.as_written(&relation, &columns, query.span())?;
        match self.written.iter_mut().find(|(sink, _)| *sink == text) {
            Some((_, inputs)) => inputs.push(node),
            None => self.written.push((text, vec![node])),
        }
        Ok(())
    }

    /// What was inserted into a table that is only a name is what is read from it.
    fn kept(
        &mut self,
        name: String,
        node: String,
        columns: &[Column],
        windowed: bool,
        at: Span,
    ) -> Planned<()> {
        let named = columns.iter().map(|column| Name {
            table: String::new(),
            name: column.name.clone(),
            meaning: Meaning::Column(column.name.clone()),
        });
        let relation = Relation::new(node, named.collect(), windowed);
        match self.read.insert(name, relation) {
            None => Ok(()),
            Some(_) => Err(SqlError::at(
                at,
                "there are two INSERTs into this table, or it was read before",
            )
            .hint("one INSERT fills a table without WITH; UNION ALL puts two queries together")),
        }
    }

    /// Adds a node and answers its id.
    fn add(
        &mut self,
        name: &str,
        inputs: &[&str],
        operator: Operator,
        at: Span,
    ) -> Planned<String> {
        let id = self.free_id(name);
        let node = Node {
            id: id.clone(),
            parallelism: 1,
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            operator,
        };
        let schemas: Vec<SchemaRef> = inputs
            .iter()
            .filter_map(|input| self.schemas.get(*input).cloned())
            .collect();
        let schema = output_of(&node, &schemas).map_err(|error| {
            let what = match error {
                PlanError::Node { detail, .. } => detail,
                PlanError::Type { source, .. } => source.to_string(),
                other @ PlanError::Json { .. } | other @ PlanError::Sql(_) => other.to_string(),
            };
            SqlError::at(at, what)
        })?;
        self.schemas.insert(id.clone(), schema);
        self.nodes.push(node);
        Ok(id)
    }

    /// State is kept under a node's id, so the same program always gets the same ids.
    fn free_id(&self, name: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let name: String = name.chars().take(80).map(plain).collect();
        let mut candidates =
            std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}_{number}")));
        let free = candidates.find(|candidate| !self.schemas.contains_key(candidate));
        free.unwrap_or(name)
    }

    fn finish(mut self) -> Planned<Plan> {
        if let Some(place) = self.unbound.values().next() {
            return Err(SqlError::at(*place, "ROW_NUMBER has no bound")
                .hint("put it into a subquery, with WHERE number <= 10 around it"));
        }
        let nowhere = Span::empty();
        if self.written.is_empty() {
            return Err(SqlError::at(nowhere, "the program computes nothing")
                .hint("end it with INSERT INTO a sink, or with a SELECT"));
        }
        for (sink, inputs) in std::mem::take(&mut self.written) {
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let input = match inputs.as_slice() {
                [one] => (*one).to_owned(),
                several => self.add(&format!("{sink}_all"), several, Operator::Union, nowhere)?,
            };
            let table = self.tables.get(&sink);
            let target = table.and_then(|table| table.sink.clone());
            let target = target.unwrap_or(SinkTarget::Stdout);
            let name = if sink.is_empty() { "result" } else { &sink };
            self.add(name, &[&input], Operator::Sink { target }, nowhere)?;
        }
        Ok(Plan { nodes: self.nodes })
    }
}

fn name_of(name: &ObjectName) -> String {
    let parts = name.0.iter().filter_map(|part| part.as_ident());
    let parts: Vec<&str> = parts.map(|part| part.value.as_str()).collect();
    parts.join(".")
}

/// A name that nothing has, with the one that is most like it.
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>, at: Span) -> SqlError {
    let error = SqlError::at(at, format!("there is no {what} `{name}`"));
    let distance = |known: &&str| crate::expression::distance(known, name);
    match known.min_by_key(distance) {
        Some(near) if distance(&near) <= 3 => error.hint(format!("did you mean `{near}`?")),
        _ => error,
    }
}
