//! Expressions over one row.

use sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    InTarget, Spanned, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::tokenizer::Span;

use super::scope::{Meaning, Relation};
use super::{Planned, SqlError, interval, name_of, tables};
use crate::columns::Type;
use crate::expression::{Binary, Call, Expression, Literal, column, int, text};

/// The functions there are, for messages.
const FUNCTIONS: &str = "there are coalesce, upper, lower, length, concat, abs and date_trunc; \
                         of groups count, sum, min, max, avg and array_agg";

/// How deep the JSON of an expression may be: plans travel as JSON, whose readers give up at 128.
const LEVELS_MAX: usize = 110;

/// What an expression computes from a row of a relation.
pub(super) fn of(expr: &Expr, from: &Relation) -> Planned<Expression> {
    let value = inner(expr, from)?;
    if levels(&value) > LEVELS_MAX {
        return Err(
            SqlError::at(expr.span(), "the expression is nested too deeply")
                .hint("compute a part of it in a query below"),
        );
    }
    Ok(value)
}

/// How deep its JSON is, about.
fn levels(value: &Expression) -> usize {
    let deepest = |of: &mut dyn Iterator<Item = &Expression>| of.map(levels).max().unwrap_or(0);
    match value {
        Expression::Column(_) | Expression::Literal(_) => 2,
        Expression::Binary(left, _, right) => 2 + levels(left).max(levels(right)),
        Expression::Not(of) | Expression::IsNull(of) => 1 + levels(of),
        Expression::Cast(of, _) => 2 + levels(of),
        Expression::Call(_, given) => 3 + deepest(&mut given.iter()),
        Expression::Case { when, otherwise } => {
            let when = when
                .iter()
                .flat_map(|(condition, value)| [condition, value]);
            4 + deepest(&mut when.chain(otherwise.as_deref()))
        }
    }
}

fn inner(expr: &Expr, from: &Relation) -> Planned<Expression> {
    if let Some((_, known)) = from.computed.iter().find(|(computed, _)| computed == expr) {
        return single(known.clone(), expr.span());
    }
    let recur = |part: &Expr| inner(part, from);
    let boxed = |inner: &Expr| recur(inner).map(Box::new);
    Ok(match expr {
        Expr::Nested(inner) => recur(inner)?,
        Expr::Identifier(name) => {
            single(from.find(std::slice::from_ref(name), name.span)?, name.span)?
        }
        Expr::CompoundIdentifier(parts) => single(from.find(parts, expr.span())?, expr.span())?,
        Expr::Value(value) => literal(value)?,
        Expr::TypedString(typed) => {
            let kind = tables::kind(&typed.data_type, expr.span())?;
            Expression::Cast(Box::new(literal(&typed.value)?), kind)
        }
        Expr::Interval(duration) => int(interval::interval_of(duration)?),
        Expr::BinaryOp {
            op: op @ (BinaryOperator::And | BinaryOperator::Or),
            ..
        } => {
            let parts: Planned<Vec<Expression>> = chain(expr, op).into_iter().map(recur).collect();
            let operator = match op {
                BinaryOperator::And => Binary::And,
                _ => Binary::Or,
            };
            balanced(parts?, operator)
                .ok_or_else(|| SqlError::at(expr.span(), "nothing is here"))?
        }
        Expr::BinaryOp { left, op, right } => binary(recur(left)?, op, recur(right)?, expr.span())?,
        Expr::UnaryOp { op, expr: inner } => unary(*op, recur(inner)?, expr.span())?,
        Expr::IsNull(inner) => Expression::IsNull(boxed(inner)?),
        Expr::IsNotNull(inner) => not(Expression::IsNull(boxed(inner)?)),
        Expr::IsTrue(inner) => recur(inner)?,
        Expr::Between { .. } | Expr::In { .. } => within(expr, from)?,
        Expr::Case { .. } => case(expr, from)?,
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } => cast(boxed(inner)?, data_type, expr.span())?,
        Expr::Function(function) => call(function, from)?,
        other => {
            let what = format!("`{other}` is not possible here");
            return Err(SqlError::at(other.span(), what));
        }
    })
}

/// `BETWEEN` and `IN`.
fn within(expr: &Expr, from: &Relation) -> Planned<Expression> {
    let (inside, negated) = match expr {
        Expr::Between {
            expr: value,
            negated,
            low,
            high,
        } => {
            let value = inner(value, from)?;
            let above = value.clone().with(Binary::GreaterEq, inner(low, from)?);
            let below = value.with(Binary::LessEq, inner(high, from)?);
            (above.with(Binary::And, below), *negated)
        }
        Expr::In {
            expr: value,
            target: InTarget::List(list),
            negated,
            ..
        } => {
            let value = inner(value, from)?;
            let equal = |one: &Expr| Ok(value.clone().with(Binary::Eq, inner(one, from)?));
            let equals: Planned<Vec<Expression>> = list.iter().map(equal).collect();
            let any = balanced(equals?, Binary::Or);
            let any = any.ok_or_else(|| SqlError::at(expr.span(), "the list is empty"))?;
            (any, *negated)
        }
        other => {
            return Err(SqlError::at(other.span(), "here is a list expected")
                .hint("to look into another stream, join it"));
        }
    };
    Ok(if negated { not(inside) } else { inside })
}

fn case(expr: &Expr, from: &Relation) -> Planned<Expression> {
    let Expr::Case {
        operand,
        conditions,
        else_result,
        ..
    } = expr
    else {
        return Err(SqlError::at(expr.span(), "here is CASE expected"));
    };
    let mut when = Vec::new();
    for one in conditions {
        let condition = inner(&one.condition, from)?;
        let condition = match operand {
            Some(operand) => inner(operand, from)?.with(Binary::Eq, condition),
            None => condition,
        };
        when.push((condition, inner(&one.result, from)?));
    }
    let otherwise = else_result
        .as_deref()
        .map(|other| inner(other, from).map(Box::new));
    let otherwise = otherwise.transpose()?;
    Ok(Expression::Case { when, otherwise })
}

/// What stands between the same operator, without going down for each.
pub(super) fn chain<'a>(expr: &'a Expr, operator: &BinaryOperator) -> Vec<&'a Expr> {
    let mut parts = Vec::new();
    let mut rest = expr;
    while let Expr::BinaryOp { left, op, right } = rest
        && op == operator
    {
        parts.push(right.as_ref());
        rest = left;
    }
    parts.push(rest);
    parts.reverse();
    parts
}

/// All of them with the operator between, as flat as can be.
pub(super) fn balanced(mut parts: Vec<Expression>, operator: Binary) -> Option<Expression> {
    while parts.len() > 1 {
        let mut halves = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(one) = rest.next() {
            halves.push(match rest.next() {
                Some(other) => one.with(operator, other),
                None => one,
            });
        }
        parts = halves;
    }
    parts.pop()
}

/// A meaning as a value; a window is none.
fn single(meaning: Meaning, at: Span) -> Planned<Expression> {
    match meaning {
        Meaning::Column(name) => Ok(column(name)),
        Meaning::Window(..) => {
            Err(SqlError::at(at, "a window is no value").hint("say window.start or window.end"))
        }
    }
}

fn cast(value: Box<Expression>, to: &DataType, at: Span) -> Planned<Expression> {
    Ok(Expression::Cast(value, tables::kind(to, at)?))
}

fn not(of: Expression) -> Expression {
    Expression::Not(Box::new(of))
}

pub(super) fn literal(value: &ValueWithSpan) -> Planned<Expression> {
    Ok(match &value.value {
        Value::Number(number, _) => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(whole), _) => int(whole),
            (_, Ok(float)) => Expression::Literal(Literal::Float(float)),
            _ => return Err(SqlError::at(value.span, "this is no number")),
        },
        Value::SingleQuotedString(word) => text(word.clone()),
        Value::Boolean(is) => Expression::Literal(Literal::Bool(*is)),
        Value::Null => Expression::Literal(Literal::Null(Type::Text)),
        other => {
            return Err(SqlError::at(
                value.span,
                format!("`{other}` is not possible here"),
            ));
        }
    })
}

fn unary(op: UnaryOperator, of: Expression, at: Span) -> Planned<Expression> {
    match op {
        UnaryOperator::Not => Ok(not(of)),
        UnaryOperator::Plus => Ok(of),
        UnaryOperator::Minus => Ok(match of {
            Expression::Literal(Literal::Int(value)) => int(value.wrapping_neg()),
            Expression::Literal(Literal::Float(value)) => {
                Expression::Literal(Literal::Float(-value))
            }
            value => int(0).with(Binary::Subtract, value),
        }),
        other => Err(SqlError::at(at, format!("there is no operator {other}"))),
    }
}

fn binary(
    left: Expression,
    op: &BinaryOperator,
    right: Expression,
    at: Span,
) -> Planned<Expression> {
    use BinaryOperator as O;
    let operator = match op {
        O::Eq => Binary::Eq,
        O::NotEq => Binary::NotEq,
        O::Lt => Binary::Less,
        O::LtEq => Binary::LessEq,
        O::Gt => Binary::Greater,
        O::GtEq => Binary::GreaterEq,
        O::Plus => Binary::Add,
        O::Minus => Binary::Subtract,
        O::Multiply => Binary::Multiply,
        O::Divide => Binary::Divide,
        O::Modulo => Binary::Remainder,
        O::StringConcat => return Ok(Expression::Call(Call::Concat, vec![left, right])),
        O::Arrow => return Ok(Expression::Call(Call::JsonGet, vec![left, right])),
        O::LongArrow => return Ok(Expression::Call(Call::JsonText, vec![left, right])),
        other => return Err(SqlError::at(at, format!("there is no operator {other}"))),
    };
    Ok(left.with(operator, right))
}

/// The plain arguments of a function.
pub(super) fn arguments(function: &Function) -> Planned<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else {
        return Ok(Vec::new());
    };
    let plain = |argument: &'_ FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => Ok(()),
        _ => Err(SqlError::at(
            function.span(),
            "this argument is not possible here",
        )),
    };
    list.args.iter().try_for_each(plain)?;
    let expressions = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    Ok(expressions.collect())
}

fn call(function: &Function, from: &Relation) -> Planned<Expression> {
    let at = function.span();
    let name = name_of(&function.name).to_ascii_lowercase();
    let given = arguments(function)?;
    if name == "date_trunc" {
        return date_trunc(&given, from, at);
    }
    let call = match name.as_str() {
        "coalesce" => Call::Coalesce,
        "upper" => Call::Upper,
        "lower" => Call::Lower,
        "length" | "char_length" | "character_length" => Call::Length,
        "concat" => Call::Concat,
        "abs" => Call::Abs,
        "tumble" | "hop" | "session" => {
            return Err(SqlError::at(
                at,
                format!("{name} stands in GROUP BY, or under a name there"),
            )
            .hint("SELECT TUMBLE(INTERVAL '1 hour') AS window, count(*) ... GROUP BY window"));
        }
        "count" | "sum" | "min" | "max" | "avg" | "array_agg" => {
            return Err(
                SqlError::at(at, format!("{name} of a group is not possible here"))
                    .hint("aggregates stand in SELECT and HAVING of a query with GROUP BY"),
            );
        }
        _ => {
            let error = SqlError::at(at, format!("there is no function `{name}`"));
            return Err(error.hint(FUNCTIONS));
        }
    };
    let given: Planned<Vec<Expression>> = given.into_iter().map(|one| inner(one, from)).collect();
    Ok(Expression::Call(call, given?))
}

fn date_trunc(given: &[&Expr], from: &Relation, at: Span) -> Planned<Expression> {
    let wrong = || {
        SqlError::at(at, "date_trunc takes a unit and a time")
            .hint("write it as date_trunc('hour', time); the longest unit is 'day'")
    };
    let [unit, time] = given else {
        return Err(wrong());
    };
    let Expr::Value(unit) = unit else {
        return Err(wrong());
    };
    let micros = match &unit.value {
        // Weeks begin on Mondays, and 1970 did on a Thursday.
        Value::SingleQuotedString(word) if !word.starts_with("week") => interval::unit(word),
        _ => None,
    };
    let micros = micros.ok_or_else(wrong)?;
    Ok(Expression::Call(
        Call::Floor,
        vec![of(time, from)?, int(micros)],
    ))
}
