//! Queries: what is read, unions, and what goes into a sink.

use sqlparser::ast::{
    ObjectName, Query, SetExpr, SetOperator, SetQuantifier, Spanned, TableFactor,
};
use sqlparser::tokenizer::Span;

use super::scope::{Meaning, Name, Relation};
use super::{Planned, Planner, SqlError, name_of, unknown};
use crate::columns::Column;
use crate::expression::{Expression, column};
use crate::plan::{Named, Operator};

impl Planner {
    pub(super) fn query(&mut self, query: &Query) -> Planned<Relation> {
        if let Some(order) = &query.order_by {
            return Err(SqlError::at(order.span(), "a stream has no order").hint(
                "the first rows of a window are those of ROW_NUMBER() OVER (... ORDER BY ...)",
            ));
        }
        if query.limit_clause.is_some() || query.fetch.is_some() {
            return Err(
                SqlError::at(query.span(), "a stream has no end to count to").hint(
                    "the first rows of a window are those of ROW_NUMBER() OVER (... ORDER BY ...)",
                ),
            );
        }
        let Some(with) = &query.with else {
            return self.body(&query.body);
        };
        // Names of this query alone: what they hid is there again after it.
        let before = (self.views.clone(), self.read.clone());
        for table in &with.cte_tables {
            self.views
                .insert(table.alias.name.value.clone(), (*table.query).clone());
            self.read.remove(&table.alias.name.value);
        }
        let relation = self.body(&query.body);
        (self.views, self.read) = before;
        relation
    }

    fn body(&mut self, body: &SetExpr) -> Planned<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation {
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                left,
                right,
            } => {
                let (first, second) = (self.body(left)?, self.body(right)?);
                self.union(first, &second, right.span())
            }
            SetExpr::SetOperation { op, .. } => Err(SqlError::at(
                body.span(),
                format!("{op} is not possible on streams"),
            )
            .hint("UNION ALL is")),
            other => Err(SqlError::at(other.span(), "here is a SELECT expected")),
        }
    }

    /// All rows of both, with the names of the first.
    fn union(&mut self, first: Relation, second: &Relation, at: Span) -> Planned<Relation> {
        let (wanted, given) = (first.flat(), second.flat());
        if wanted.len() != given.len() {
            let (a, b) = (wanted.len(), given.len());
            return Err(SqlError::at(
                at,
                format!("this has {b} columns, the other {a}"),
            ));
        }
        let same = wanted
            .iter()
            .map(|(_, column)| column)
            .eq(given.iter().map(|(_, c)| c));
        let second = match same {
            true => second.node.clone(),
            false => {
                let named = wanted
                    .iter()
                    .zip(&given)
                    .map(|((_, name), (_, from))| Named {
                        name: name.clone(),
                        value: column(from),
                    });
                let columns = named.collect();
                self.add(
                    "columns",
                    &[&second.node],
                    Operator::Project { columns },
                    at,
                )?
            }
        };
        let node = self.add("union", &[&first.node, &second], Operator::Union, at)?;
        Ok(Relation { node, ..first })
    }

    /// The rows of a table, view or subquery.
    pub(super) fn relation(&mut self, factor: &TableFactor) -> Planned<Relation> {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let relation = self.named(name)?;
                let text = name_of(name);
                let alias = alias.as_ref().map(|alias| alias.name.value.as_str());
                Ok(relation.named(alias.unwrap_or(&text)))
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => {
                let relation = self.query(subquery)?;
                let alias = alias.as_ref().map(|alias| alias.name.value.as_str());
                Ok(relation.named(alias.unwrap_or_default()))
            }
            other => Err(SqlError::at(
                other.span(),
                "here is a table or a query expected",
            )),
        }
    }

    fn named(&mut self, name: &ObjectName) -> Planned<Relation> {
        let (text, at) = (name_of(name), name.span());
        if let Some(known) = self.read.get(&text) {
            return Ok(known.clone());
        }
        let relation = if let Some(view) = self.views.get(&text).cloned() {
            if self.open.contains(&text) {
                return Err(SqlError::at(at, format!("`{text}` reads itself")));
            }
            self.open.push(text.clone());
            let planned = self.query(&view);
            self.open.pop();
            planned?
        } else if let Some(table) = self.tables.get(&text) {
            let Some(source) = table.source.clone() else {
                let error = SqlError::at(at, format!("nothing can be read from `{text}`"));
                return Err(match &table.sink {
                    Some(_) => error.hint("it is a sink"),
                    None => error.hint("nothing was inserted into it before this"),
                });
            };
            let names = source.columns.iter().map(|column| Name {
                table: String::new(),
                name: column.name.clone(),
                meaning: Meaning::Column(column.name.clone()),
            });
            let names = names.collect();
            let node = self.add(&text, &[], Operator::Source(source), at)?;
            Relation::new(node, names, false)
        } else {
            let known = self.tables.keys().chain(self.views.keys());
            return Err(unknown(
                "table or view",
                &text,
                known.map(String::as_str),
                at,
            ));
        };
        self.read.insert(text, relation.clone());
        Ok(relation)
    }

    /// The rows as a sink's columns, by their places; all as they are if it declares none.
    pub(super) fn as_written(
        &mut self,
        relation: &Relation,
        columns: &[Column],
        at: Span,
    ) -> Planned<String> {
        let given = relation.flat();
        if columns.is_empty() {
            return Ok(relation.node.clone());
        }
        if given.len() != columns.len() {
            let names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
            let (has, takes) = (given.len(), columns.len());
            let what = format!("the query has {has} columns, the table {takes}");
            return Err(SqlError::at(at, what).hint(format!("they are {}", names.join(", "))));
        }
        let named = columns.iter().zip(given).map(|(wanted, (_, from))| Named {
            name: wanted.name.clone(),
            value: Expression::Cast(Box::new(column(from)), wanted.kind.clone()),
        });
        let columns = named.collect();
        self.add(
            "written",
            &[&relation.node],
            Operator::Project { columns },
            at,
        )
    }
}

impl Relation {
    /// What its columns are called, and what they are; a window is two.
    pub(super) fn flat(&self) -> Vec<(String, String)> {
        let mut columns = Vec::new();
        for Name { name, meaning, .. } in &self.names {
            match meaning {
                Meaning::Column(column) => columns.push((name.clone(), column.clone())),
                Meaning::Window(start, end) => {
                    columns.push((format!("{name}.start"), start.clone()));
                    columns.push((format!("{name}.end"), end.clone()));
                }
            }
        }
        columns
    }
}
