//! `GROUP BY`: windows and aggregates.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Select, Spanned, Value,
};
use sqlparser::tokenizer::Span;

use super::scope::{Meaning, Name, Relation};
use super::select::{Item, item_of};
use super::{Planned, Planner, SqlError, interval, name_of, scalar};
use crate::expression::{Expression, column, int};
use crate::plan::{Aggregate, Function as Computed, Named, Operator, Span as Windows, Window};

/// The columns with a new window's start and end.
const BOUNDS: (&str, &str) = ("w.start", "w.end");

/// What rows are grouped by.
#[derive(Default)]
struct Grouping {
    windows: Option<Windows>,
    /// The keys, and the rows' own window if they are grouped by it.
    before: Vec<Named>,
    keys: Vec<String>,
    aggregates: Vec<Aggregate>,
    names: Vec<Name>,
    computed: Vec<(Expr, Meaning)>,
}

/// Whether a `SELECT` is about groups.
pub(super) fn is_grouped(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let mut found = Vec::new();
    let items = select
        .projection
        .iter()
        .filter_map(|item| item_of(item).ok());
    items.for_each(|item| aggregates_in(item.expr, &mut found));
    grouped || !found.is_empty()
}

impl Planner {
    pub(super) fn grouped(&mut self, select: &Select, from: &Relation) -> Planned<Relation> {
        let at = select.span();
        let GroupByExpr::Expressions(by, _) = &select.group_by else {
            return Err(SqlError::at(at, "GROUP BY ALL is not known here"));
        };
        let items: Planned<Vec<Item<'_>>> = select.projection.iter().map(item_of).collect();
        let items = items?;
        let mut grouping = Grouping::default();
        for expr in by {
            grouping.by(expr, &items, from)?;
        }
        let mut found = Vec::new();
        items
            .iter()
            .for_each(|item| aggregates_in(item.expr, &mut found));
        select
            .having
            .iter()
            .for_each(|having| aggregates_in(having, &mut found));
        for function in &found {
            grouping.aggregate(function, from)?;
        }
        let Some(span) = grouping.windows else {
            return Err(
                SqlError::at(at, "groups of a stream that never ends need a window").hint(
                    "add TUMBLE(INTERVAL '1 minute'), HOP(slide, width) or SESSION(gap) to \
                       GROUP BY",
                ),
            );
        };
        let columns = grouping.before;
        let before = self.add("keys", &[&from.node], Operator::Project { columns }, at)?;
        let window = Window {
            keys: grouping.keys,
            span,
            aggregates: grouping.aggregates,
            bounds: (BOUNDS.0.to_owned(), BOUNDS.1.to_owned()),
        };
        let node = self.add("window", &[&before], Operator::Window(window), at)?;
        let mut relation = Relation::new(node, grouping.names, true);
        relation.computed = grouping.computed;
        if let Some(having) = &select.having {
            relation = self.filter(relation, having)?;
        }
        self.project(&relation, &select.projection)
    }
}

impl Grouping {
    /// Takes one expression of `GROUP BY`: a place or name among the items, or itself.
    fn by(&mut self, expr: &Expr, items: &[Item<'_>], from: &Relation) -> Planned<()> {
        let at = expr.span();
        let place = match expr {
            Expr::Value(value) => match &value.value {
                Value::Number(number, _) => number.parse::<usize>().ok(),
                _ => None,
            },
            _ => None,
        };
        let item = match (place, expr) {
            (Some(place), _) => {
                let item = place.checked_sub(1).and_then(|at| items.get(at));
                let missing = || SqlError::at(at, format!("there is no item {place} in SELECT"));
                Some(item.ok_or_else(missing)?)
            }
            (None, Expr::Identifier(name)) => {
                let called = |item: &&Item<'_>| item.name.as_deref() == Some(&name.value);
                items.iter().find(called)
            }
            _ => None,
        };
        // A name of an item that is no column of what is read stands for the item.
        let is_column = matches!(expr, Expr::Identifier(name)
            if from.find(std::slice::from_ref(name), at).is_ok());
        let meant = match item {
            Some(item) if place.is_some() || !is_column => item.expr,
            _ => expr,
        };
        let name = item.and_then(|item| item.name.clone());
        match windows(meant)? {
            Some(windows) => {
                let meaning = Meaning::Window(BOUNDS.0.to_owned(), BOUNDS.1.to_owned());
                self.window(windows, at)?;
                self.means(&[expr, meant], name, meaning);
                Ok(())
            }
            None => self.key(expr, meant, name, from),
        }
    }

    fn window(&mut self, windows: Windows, at: Span) -> Planned<()> {
        match self.windows.replace(windows) {
            None => Ok(()),
            Some(_) => Err(SqlError::at(at, "rows are grouped by one window")
                .hint("a window over windows is a query around the other")),
        }
    }

    fn key(
        &mut self,
        expr: &Expr,
        meant: &Expr,
        name: Option<String>,
        from: &Relation,
    ) -> Planned<()> {
        let meaning = match meant {
            Expr::Identifier(name) => Some(from.find(std::slice::from_ref(name), name.span)?),
            Expr::CompoundIdentifier(parts) => Some(from.find(parts, meant.span())?),
            _ => None,
        };
        let number = self.keys.len() + 1;
        let mut key = |name: String, value: Expression| {
            self.keys.push(name.clone());
            self.before.push(Named {
                name: name.clone(),
                value,
            });
            name
        };
        let known = match meaning.clone() {
            Some(Meaning::Window(start, end)) => {
                let start = key("same.start".to_owned(), column(start));
                let end = key("same.end".to_owned(), column(end));
                self.window(Windows::Same, meant.span())?;
                Meaning::Window(start, end)
            }
            Some(Meaning::Column(from)) => {
                Meaning::Column(key(format!("key_{number}"), column(from)))
            }
            None => {
                let value = scalar::of(meant, from)?;
                Meaning::Column(key(format!("key_{number}"), value))
            }
        };
        // A column may be named with its table or without.
        let own = from
            .names
            .iter()
            .filter(|name| Some(&name.meaning) == meaning.as_ref());
        self.names.extend(own.map(|name| Name {
            meaning: known.clone(),
            ..name.clone()
        }));
        self.means(&[expr, meant], name, known);
        Ok(())
    }

    /// From here on these expressions, and this name, stand for something computed.
    fn means(&mut self, exprs: &[&Expr], name: Option<String>, meaning: Meaning) {
        for expr in exprs {
            self.computed.push(((*expr).clone(), meaning.clone()));
        }
        self.names.extend(name.map(|name| Name {
            table: String::new(),
            name,
            meaning,
        }));
    }

    fn aggregate(&mut self, function: &Function, from: &Relation) -> Planned<()> {
        let expr = Expr::Function(function.clone());
        if self.computed.iter().any(|(known, _)| *known == expr) {
            return Ok(());
        }
        let number = self.aggregates.len() + 1;
        let (computed, argument) = computed(function, from)?;
        let argument = argument.map(|value| {
            let name = format!("of_{number}");
            self.before.push(Named {
                name: name.clone(),
                value,
            });
            name
        });
        let name = format!("value_{number}");
        self.aggregates.push(Aggregate {
            name: name.clone(),
            function: computed,
            argument,
        });
        self.computed.push((expr, Meaning::Column(name)));
        Ok(())
    }
}

/// What an aggregate computes, and over what of each row.
fn computed(function: &Function, from: &Relation) -> Planned<(Computed, Option<Expression>)> {
    let at = function.span();
    let FunctionArguments::List(list) = &function.args else {
        return Err(SqlError::at(at, "here are arguments expected"));
    };
    let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let name = name_of(&function.name).to_ascii_lowercase();
    let computed = match name.as_str() {
        "count" if distinct => Computed::CountDistinct,
        "count" => Computed::Count,
        _ if distinct => {
            return Err(
                SqlError::at(at, format!("{name} of different values is not known here"))
                    .hint("count(DISTINCT value) is"),
            );
        }
        "sum" => Computed::Sum,
        "min" => Computed::Min,
        "max" => Computed::Max,
        "avg" => Computed::Avg,
        _ => Computed::ArrayAgg,
    };
    let argument = match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "count" && !distinct => None,
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] => Some(scalar::of(value, from)?),
        _ => return Err(SqlError::at(at, format!("{name} takes one argument"))),
    };
    let Some(filter) = &function.filter else {
        return Ok((computed, argument));
    };
    // What does not count is null, which counts as nothing.
    let when = vec![(
        scalar::of(filter, from)?,
        argument.unwrap_or_else(|| int(1)),
    )];
    let otherwise = None;
    Ok((computed, Some(Expression::Case { when, otherwise })))
}

/// The windows that an expression of `GROUP BY` asks for.
fn windows(expr: &Expr) -> Planned<Option<Windows>> {
    let Expr::Function(function) = expr else {
        return Ok(None);
    };
    let name = name_of(&function.name).to_ascii_lowercase();
    let (count, usage) = match name.as_str() {
        "tumble" => (1, "TUMBLE(INTERVAL '1 hour')"),
        "hop" => (
            2,
            "HOP(INTERVAL '1 minute', INTERVAL '1 hour'), the slide first",
        ),
        "session" => (1, "SESSION(INTERVAL '20 seconds')"),
        _ => return Ok(None),
    };
    let given = scalar::arguments(function)?;
    if given.len() != count {
        let what = format!("{name} takes {count} duration(s)");
        return Err(SqlError::at(function.span(), what).hint(format!("write it as {usage}")));
    }
    let micros: Planned<Vec<i64>> = given.into_iter().map(interval::of).collect();
    let micros = micros?;
    let windows = match name.as_str() {
        "tumble" => Windows::Tumbling { width: micros[0] },
        "session" => Windows::Session { gap: micros[0] },
        _ => Windows::Sliding {
            slide: micros[0],
            width: micros[1],
        },
    };
    if let Windows::Sliding { slide, width } = windows
        && (slide <= 0 || width % slide != 0)
    {
        return Err(
            SqlError::at(function.span(), "the width is no multiple of the slide").hint(
                "write it as HOP(slide, width), as in HOP(INTERVAL '1 minute', INTERVAL '1 hour')",
            ),
        );
    }
    Ok(Some(windows))
}

/// The aggregates within an expression.
fn aggregates_in<'a>(expr: &'a Expr, found: &mut Vec<&'a Function>) {
    match expr {
        Expr::Function(function) if function.over.is_none() && is_aggregate(function) => {
            found.push(function);
        }
        Expr::Function(function) => {
            let given = scalar::arguments(function).unwrap_or_default();
            given
                .into_iter()
                .for_each(|inner| aggregates_in(inner, found));
        }
        Expr::BinaryOp { left, right, .. } => {
            aggregates_in(left, found);
            aggregates_in(right, found);
        }
        Expr::Nested(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
            aggregates_in(inner, found);
        }
        Expr::UnaryOp { expr, .. } | Expr::Cast { expr, .. } => aggregates_in(expr, found),
        Expr::Between {
            expr, low, high, ..
        } => [expr, low, high]
            .into_iter()
            .for_each(|inner| aggregates_in(inner, found)),
        Expr::Case {
            operand,
            conditions,
            else_result,
            ..
        } => {
            let ends = operand.iter().chain(else_result);
            ends.for_each(|inner| aggregates_in(inner, found));
            for one in conditions {
                aggregates_in(&one.condition, found);
                aggregates_in(&one.result, found);
            }
        }
        _ => {}
    }
}

fn is_aggregate(function: &Function) -> bool {
    let name = name_of(&function.name).to_ascii_lowercase();
    ["count", "sum", "min", "max", "avg", "array_agg"].contains(&name.as_str())
}
