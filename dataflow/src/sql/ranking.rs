//! `ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ...)`: the first rows of each group of a window.

use sqlparser::ast::{Expr, Function, OrderBySort, Select, Spanned, WindowSpec, WindowType};

use super::scope::{Meaning, Relation};
use super::select::item_of;
use super::{Planned, Planner, SqlError, name_of};
use crate::plan::{Operator, Order, Top};

/// The column with a row's number.
const NUMBER: &str = "row_number";

impl Planner {
    /// The rows with their numbers, if the `SELECT` asks for them. How many of them is said by a
    /// condition around it.
    pub(super) fn ranked(&mut self, from: Relation, select: &Select) -> Planned<Relation> {
        let items = select
            .projection
            .iter()
            .filter_map(|item| item_of(item).ok());
        let mut found = items.filter_map(|item| match item.expr {
            Expr::Function(function) if function.over.is_some() => Some(function),
            _ => None,
        });
        let Some(function) = found.next() else {
            return Ok(from);
        };
        let at = function.span();
        if found.next().is_some() {
            return Err(SqlError::at(at, "there is one ROW_NUMBER in a SELECT"));
        }
        let over = over(function)?;
        if !from.windowed {
            return Err(
                SqlError::at(at, "rows of a stream that never ends have no last number")
                    .hint("group them by a window before"),
            );
        }
        let mut keys = Vec::new();
        for expr in &over.partition_by {
            // Rows of different windows are apart anyway; as a key the start spreads them.
            let (Meaning::Column(column) | Meaning::Window(column, _)) = named(expr, &from)?;
            keys.push(column);
        }
        let mut order = Vec::new();
        for by in &over.order_by {
            let Meaning::Column(column) = named(&by.expr, &from)? else {
                return Err(SqlError::at(by.expr.span(), "rows are ordered by columns"));
            };
            let descending = matches!(by.options.sort, Some(OrderBySort::Desc));
            order.push(Order { column, descending });
        }
        let top = Operator::Top(Top {
            keys,
            order,
            limit: u32::MAX,
            number: Some(NUMBER.to_owned()),
        });
        let node = self.add("first", &[&from.node], top, at)?;
        self.unbound.insert(node.clone(), at);
        let mut relation = Relation::new(node.clone(), from.names, true);
        relation.computed.push((
            Expr::Function(function.clone()),
            Meaning::Column(NUMBER.to_owned()),
        ));
        relation.ranked = Some((node, NUMBER.to_owned()));
        Ok(relation)
    }
}

fn over(function: &Function) -> Planned<&WindowSpec> {
    let at = function.span();
    match &function.over {
        _ if !name_of(&function.name).eq_ignore_ascii_case("row_number") => Err(SqlError::at(
            at,
            "the only function with OVER is ROW_NUMBER",
        )),
        Some(WindowType::WindowSpec(over)) if !over.order_by.is_empty() => Ok(over),
        _ => Err(SqlError::at(at, "ROW_NUMBER needs an order")
            .hint("write it as ROW_NUMBER() OVER (PARTITION BY window ORDER BY count DESC)")),
    }
}

fn named(expr: &Expr, from: &Relation) -> Planned<Meaning> {
    match expr {
        Expr::Identifier(name) => from.find(std::slice::from_ref(name), name.span),
        Expr::CompoundIdentifier(parts) => from.find(parts, expr.span()),
        other => Err(SqlError::at(other.span(), "here is a column expected")
            .hint("compute it in the query below")),
    }
}
