//! The type of an expression, before anything runs.

use super::{Binary, Expression, Literal};
use crate::columns::{Schema, Type};

/// An expression that makes no sense over these columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// No such column.
    #[error("there is no column `{name}`{}", hint(.similar))]
    NoColumn {
        /// What was asked for.
        name: String,
        /// The columns that there are, the most similar first.
        similar: Vec<String>,
    },
    /// Types that do not go together.
    #[error("{what} cannot be {found}")]
    Mismatch {
        /// What stands there.
        what: String,
        /// Its types.
        found: String,
    },
}

fn hint(similar: &[String]) -> String {
    match similar {
        [] => String::new(),
        names => format!("; there are {}", names.join(", ")),
    }
}

fn mismatch(what: impl Into<String>, found: impl Into<String>) -> TypeError {
    TypeError::Mismatch {
        what: what.into(),
        found: found.into(),
    }
}

impl Expression {
    /// The type of its value over the columns of `schema`.
    ///
    /// # Errors
    /// A column that is not there, or types that do not go together.
    pub fn kind(&self, schema: &Schema) -> Result<Type, TypeError> {
        match self {
            Expression::Column(name) => column_kind(name, schema),
            Expression::Literal(literal) => Ok(literal.kind()),
            Expression::Binary(left, operator, right) => {
                binary_kind(left.kind(schema)?, *operator, right.kind(schema)?)
            }
            Expression::Not(of) => match of.kind(schema)? {
                Type::Bool => Ok(Type::Bool),
                other => Err(mismatch("the operand of NOT", other.name())),
            },
            Expression::IsNull(of) => of.kind(schema).map(|_| Type::Bool),
            Expression::Case { when, otherwise } => {
                for (condition, _) in when {
                    let kind = condition.kind(schema)?;
                    if kind != Type::Bool {
                        return Err(mismatch("a condition of CASE", kind.name()));
                    }
                }
                let values = when
                    .iter()
                    .map(|(_, value)| value)
                    .chain(otherwise.as_deref());
                common("the values of CASE", values, schema)
            }
            Expression::Cast(of, to) => match (of.kind(schema)?, to) {
                (from, to) if from == *to => Ok(from),
                (Type::List(_), Type::Text | Type::Json) => Ok(to.clone()),
                (from @ Type::List(_), _) => Err(mismatch(
                    format!("a cast to {}", to.name()),
                    format!("from {}", from.name()),
                )),
                (_, to) => Ok(to.clone()),
            },
            Expression::Call(call, arguments) => {
                let kinds: Result<Vec<_>, _> = arguments
                    .iter()
                    .map(|argument| argument.kind(schema))
                    .collect();
                call.kind(&kinds?)
            }
        }
    }
}

impl Literal {
    pub(super) fn kind(&self) -> Type {
        match self {
            Literal::Null(kind) => kind.clone(),
            Literal::Bool(_) => Type::Bool,
            Literal::Int(_) => Type::Int,
            Literal::Float(_) => Type::Float,
            Literal::Text(_) => Type::Text,
            Literal::Timestamp(_) => Type::Timestamp,
        }
    }
}

/// The type of the column of this name.
pub(crate) fn column_kind(name: &str, schema: &Schema) -> Result<Type, TypeError> {
    schema.field_with_name(name).map(Type::of).map_err(|_| {
        let names = schema.fields().iter().map(|field| field.name().clone());
        let mut similar: Vec<String> = names.filter(|name| !name.starts_with('_')).collect();
        similar.sort_by_key(|candidate| distance(candidate, name));
        similar.truncate(4);
        TypeError::NoColumn {
            name: name.into(),
            similar,
        }
    })
}

/// How many letters are to be changed, put in or taken out (Levenshtein), without regard to case.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, letter) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

pub(super) fn binary_kind(left: Type, operator: Binary, right: Type) -> Result<Type, TypeError> {
    use Type::*;
    let numbers = matches!(left, Int | Float) && matches!(right, Int | Float);
    let kind = match operator {
        Binary::And | Binary::Or if left == Bool && right == Bool => Some(Bool),
        _ if operator.compares() => {
            let same = left == right && !matches!(left, List(_));
            let times = matches!((&left, &right), (Timestamp, Text) | (Text, Timestamp));
            (same || numbers || times).then_some(Bool)
        }
        Binary::Add | Binary::Subtract if (&left, &right) == (&Timestamp, &Int) => Some(Timestamp),
        Binary::Add if (&left, &right) == (&Int, &Timestamp) => Some(Timestamp),
        Binary::Subtract if (&left, &right) == (&Timestamp, &Timestamp) => Some(Int),
        Binary::And | Binary::Or => None,
        _ if numbers => Some(if left == Int && right == Int {
            Int
        } else {
            Float
        }),
        _ => None,
    };
    kind.ok_or_else(|| {
        let what = format!("the operands of {operator:?}");
        mismatch(what, format!("{} and {}", left.name(), right.name()))
    })
}

/// The one type of several values: integers give way to doubles.
pub(super) fn common<'a>(
    what: &str,
    values: impl Iterator<Item = &'a Expression>,
    schema: &Schema,
) -> Result<Type, TypeError> {
    let mut found: Option<Type> = None;
    for value in values {
        let kind = value.kind(schema)?;
        let null = matches!(value, Expression::Literal(Literal::Null(_)));
        found =
            match (found, kind) {
                (None, kind) => Some(kind),
                (Some(found), _) if null => Some(found),
                (Some(found), kind) => Some(meet(&found, &kind).ok_or_else(|| {
                    mismatch(what, format!("{} and {}", found.name(), kind.name()))
                })?),
            };
    }
    Ok(found.unwrap_or(Type::Text))
}

/// The type that holds values of both.
pub(super) fn meet(left: &Type, right: &Type) -> Option<Type> {
    match (left, right) {
        (left, right) if left == right => Some(left.clone()),
        (Type::Int, Type::Float) | (Type::Float, Type::Int) => Some(Type::Float),
        _ => None,
    }
}

pub(super) fn refuse(call: &str, kinds: &[Type]) -> TypeError {
    let names: Vec<String> = kinds.iter().map(Type::name).collect();
    mismatch(
        format!("the arguments of {call}"),
        format!("({})", names.join(", ")),
    )
}
