//! `SELECT`: filters and projections.

use sqlparser::ast::{
    BinaryOperator, Expr, Select, SelectItem, SelectItemQualifiedWildcardKind, Spanned, Value,
};
use sqlparser::tokenizer::Span;

use super::scope::{Meaning, Name, Relation};
use super::{Planned, Planner, SqlError, group, name_of, scalar};
use crate::columns::{TIME, Type};
use crate::expression::{Binary, Expression, column};
use crate::plan::{Named, Operator};

/// An item of a projection: what it is called, and what it is.
pub(super) struct Item<'a> {
    pub(super) name: Option<String>,
    pub(super) expr: &'a Expr,
}

impl Planner {
    pub(super) fn select(&mut self, select: &Select) -> Planned<Relation> {
        if let Some(distinct) = &select.distinct {
            let at = select.span();
            return Err(
                SqlError::at(at, format!("SELECT {distinct} is not possible on streams"))
                    .hint("group by the columns and a window"),
            );
        }
        if let Some(qualify) = &select.qualify {
            return Err(SqlError::at(qualify.span(), "QUALIFY is not known here")
                .hint("put ROW_NUMBER into a subquery, with WHERE number <= 10 around it"));
        }
        let mut from = self.from(&select.from, select.span())?;
        if let Some(condition) = &select.selection {
            from = self.filter(from, condition)?;
        }
        if group::is_grouped(select) {
            return self.grouped(select, &from);
        }
        if let Some(having) = &select.having {
            return Err(SqlError::at(having.span(), "HAVING is about groups").hint("say WHERE"));
        }
        let from = self.ranked(from, select)?;
        self.project(&from, &select.projection)
    }

    /// The rows for which a condition is true.
    pub(super) fn filter(&mut self, from: Relation, condition: &Expr) -> Planned<Relation> {
        let mut parts = Vec::new();
        conjuncts(condition, &mut parts);
        let mut conditions = Vec::new();
        let mut from = from;
        for part in parts {
            if self.bounded(&mut from, part)? {
                continue;
            }
            let one = scalar::of(part, &from)?;
            self.check_is(&one, &from, &Type::Bool, part.span())?;
            conditions.push(one);
        }
        if let Some(predicate) = scalar::balanced(conditions, Binary::And) {
            let filter = Operator::Filter { predicate };
            from.node = self.add("filter", &[&from.node], filter, condition.span())?;
        }
        Ok(from)
    }

    /// Whether a condition is the bound of a `ROW_NUMBER`, which is then no condition any more.
    fn bounded(&mut self, from: &mut Relation, condition: &Expr) -> Planned<bool> {
        let (Some((node, number)), Expr::BinaryOp { left, op, right }) = (&from.ranked, condition)
        else {
            return Ok(false);
        };
        let (Ok(Expression::Column(name)), Expr::Value(value)) =
            (scalar::of(left, from), right.as_ref())
        else {
            return Ok(false);
        };
        let Value::Number(bound, _) = &value.value else {
            return Ok(false);
        };
        let bound = bound.parse::<u32>().unwrap_or(0);
        let limit = match op {
            BinaryOperator::LtEq => bound,
            BinaryOperator::Lt => bound.saturating_sub(1),
            BinaryOperator::Eq if bound == 1 => bound,
            _ => return Ok(false),
        };
        if name != *number {
            return Ok(false);
        }
        if limit == 0 {
            return Err(SqlError::at(condition.span(), "no row has such a number"));
        }
        self.unbound.remove(node);
        for known in self.nodes.iter_mut().filter(|known| known.id == *node) {
            if let Operator::Top(top) = &mut known.operator {
                top.limit = limit;
            }
        }
        from.ranked = None;
        Ok(true)
    }

    /// Refuses an expression that makes no sense over these rows, where it stands.
    fn check(&self, value: &Expression, from: &Relation, at: Span) -> Planned<Type> {
        let kind = self
            .schemas
            .get(&from.node)
            .map(|schema| value.kind(schema));
        let kind = kind.unwrap_or(Ok(Type::Bool));
        kind.map_err(|error| SqlError::at(at, error.to_string()))
    }

    fn check_is(
        &self,
        value: &Expression,
        from: &Relation,
        wanted: &Type,
        at: Span,
    ) -> Planned<()> {
        let kind = self.check(value, from, at)?;
        if kind == *wanted {
            return Ok(());
        }
        let (kind, wanted) = (kind.name(), wanted.name());
        Err(SqlError::at(
            at,
            format!("this is {kind}, and has to be {wanted}"),
        ))
    }

    /// The items of a `SELECT`, each computed from a row.
    pub(super) fn project(&mut self, from: &Relation, items: &[SelectItem]) -> Planned<Relation> {
        let mut columns: Vec<Named> = Vec::new();
        let mut names = Vec::new();
        let mut ranked = None;
        let at = items.first().map_or(Span::empty(), Spanned::span);
        for item in items {
            let of = |name: &Name| {
                let (name, meaning) = (name.name.clone(), name.meaning.clone());
                (name, meaning)
            };
            match item {
                SelectItem::Wildcard(_) => {
                    for (name, meaning) in from.names.iter().map(of) {
                        names.push(taken(&mut columns, &name, meaning));
                    }
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(table),
                    _,
                ) => {
                    let table = name_of(table);
                    let own = from.names.iter().filter(|name| name.table == table);
                    for (name, meaning) in own.map(of) {
                        names.push(taken(&mut columns, &name, meaning));
                    }
                }
                _ => {
                    let Item { name, expr } = item_of(item)?;
                    let name = name.unwrap_or_else(|| called(expr, columns.len()));
                    if let Some(window) = window_of(expr, from) {
                        names.push(taken(&mut columns, &name, window));
                        continue;
                    }
                    let value = scalar::of(expr, from)?;
                    self.check(&value, from, expr.span())?;
                    if let (Some((node, number)), Expression::Column(column)) =
                        (&from.ranked, &value)
                        && column == number
                    {
                        ranked = Some((node.clone(), free(&columns, &name)));
                    }
                    let column = free(&columns, &name);
                    columns.push(Named {
                        name: column.clone(),
                        value,
                    });
                    names.push((name, Meaning::Column(column)));
                }
            }
        }
        let node = match self.is_all_of(&columns, &from.node) {
            true => from.node.clone(),
            false => self.add("select", &[&from.node], Operator::Project { columns }, at)?,
        };
        let named = |(name, meaning)| Name {
            table: String::new(),
            name,
            meaning,
        };
        let names = names.into_iter().map(named).collect();
        let mut relation = Relation::new(node, names, from.windowed);
        relation.ranked = ranked;
        Ok(relation)
    }

    /// Whether a projection is the node's own columns, in their order and under their names.
    fn is_all_of(&self, columns: &[Named], node: &str) -> bool {
        let Some(schema) = self.schemas.get(node) else {
            return false;
        };
        let fields = schema.fields().iter().map(|field| field.name().as_str());
        let fields = fields.filter(|name| *name != TIME);
        let same = columns.iter().map(|named| match &named.value {
            Expression::Column(from) if *from == named.name => from.as_str(),
            _ => "",
        });
        fields.eq(same)
    }
}

/// The name, or one like it that no column has yet.
fn free(columns: &[Named], name: &str) -> String {
    let is_free = |candidate: &String| columns.iter().all(|known| known.name != *candidate);
    let more = (2..).map(|number| format!("{name}_{number}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(more);
    candidates.find(is_free).unwrap_or_default()
}

/// Takes what a name stands for over, under a new name.
fn taken(columns: &mut Vec<Named>, name: &str, meaning: Meaning) -> (String, Meaning) {
    let mut take = |name: String, from: String| {
        let (name, value) = (free(columns, &name), column(from));
        columns.push(Named {
            name: name.clone(),
            value,
        });
        name
    };
    let meaning = match meaning {
        Meaning::Column(from) => Meaning::Column(take(name.to_owned(), from)),
        Meaning::Window(start, end) => Meaning::Window(
            take(format!("{name}.start"), start),
            take(format!("{name}.end"), end),
        ),
    };
    (name.to_owned(), meaning)
}

/// The window that an expression is, if it is one.
fn window_of(expr: &Expr, from: &Relation) -> Option<Meaning> {
    let is_window = |meaning: &Meaning| matches!(meaning, Meaning::Window(..));
    let computed = from.computed.iter().find(|(computed, _)| computed == expr);
    let found = match (computed, expr) {
        (Some((_, meaning)), _) => Some(meaning.clone()),
        (None, Expr::Identifier(name)) => from.find(std::slice::from_ref(name), name.span).ok(),
        (None, Expr::CompoundIdentifier(parts)) => from.find(parts, expr.span()).ok(),
        _ => None,
    };
    found.filter(is_window)
}

pub(super) fn item_of(item: &SelectItem) -> Planned<Item<'_>> {
    match item {
        SelectItem::UnnamedExpr(expr) => Ok(Item { name: None, expr }),
        SelectItem::ExprWithAlias { expr, alias } => Ok(Item {
            name: Some(alias.value.clone()),
            expr,
        }),
        other => Err(SqlError::at(other.span(), "this is not possible here")
            .hint("name the columns one by one")),
    }
}

/// What an expression without a name is called.
fn called(expr: &Expr, place: usize) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(parts) => {
            parts.last().map_or_else(String::new, |p| p.value.clone())
        }
        Expr::Function(function) => name_of(&function.name).to_ascii_lowercase(),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => called(expr, place),
        _ => format!("column_{}", place + 1),
    }
}

/// What all has to be true.
pub(super) fn conjuncts<'a>(condition: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match condition {
        Expr::Nested(inner) => conjuncts(inner, parts),
        Expr::BinaryOp {
            op: op @ BinaryOperator::And,
            ..
        } => scalar::chain(condition, op)
            .into_iter()
            .for_each(|part| conjuncts(part, parts)),
        other => parts.push(other),
    }
}
