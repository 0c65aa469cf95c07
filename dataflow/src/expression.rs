//! Expressions over the columns of a batch.
//!
//! Types are settled before anything runs ([`Expression::kind`]); after that, evaluation fails for
//! no row: a division by zero or a cast that cannot be done is null.

mod evaluate;
mod functions;
mod kind;

use serde::{Deserialize, Serialize};

use crate::columns::Type;

pub use functions::Call;
pub use kind::TypeError;
pub(crate) use kind::{column_kind, distance};

/// A value computed from a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expression {
    /// The column of this name.
    Column(String),
    /// Always this.
    Literal(Literal),
    /// Two values and what is between them.
    Binary(Box<Expression>, Binary, Box<Expression>),
    /// True for false.
    Not(Box<Expression>),
    /// Whether it is null.
    IsNull(Box<Expression>),
    /// The first value whose condition is true, else the last, else null.
    Case {
        /// Conditions and values.
        when: Vec<(Expression, Expression)>,
        /// Otherwise.
        otherwise: Option<Box<Expression>>,
    },
    /// As another type; null where that cannot be.
    Cast(Box<Expression>, Type),
    /// A function of its arguments.
    Call(Call, Vec<Expression>),
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// Nothing, of a type.
    Null(Type),
    /// True or false.
    Bool(bool),
    /// A number; a duration is its microseconds.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Text(String),
    /// Microseconds since 1970.
    Timestamp(i64),
}

/// What is between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    /// Both; null is unknown.
    And,
    /// Either; null is unknown.
    Or,
    /// Equal.
    Eq,
    /// Different.
    NotEq,
    /// Less.
    Less,
    /// Less or equal.
    LessEq,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterEq,
    /// Sum; a time and microseconds give a time. Integers wrap.
    Add,
    /// Difference; of two times in microseconds. Integers wrap.
    Subtract,
    /// Product. Integers wrap.
    Multiply,
    /// Quotient; of integers rounded towards zero; null by zero.
    Divide,
    /// Remainder with the sign of the first; null by zero.
    Remainder,
}

impl Binary {
    /// Whether it gives a boolean from two values of one type.
    pub fn compares(self) -> bool {
        use Binary::*;
        matches!(self, Eq | NotEq | Less | LessEq | Greater | GreaterEq)
    }
}

/// The column of this name.
pub fn column(name: impl Into<String>) -> Expression {
    Expression::Column(name.into())
}

/// A constant number.
pub fn int(value: i64) -> Expression {
    Expression::Literal(Literal::Int(value))
}

/// A constant text.
pub fn text(value: impl Into<String>) -> Expression {
    Expression::Literal(Literal::Text(value.into()))
}

impl Expression {
    /// This and another with something between.
    pub fn with(self, operator: Binary, other: Expression) -> Expression {
        Expression::Binary(Box::new(self), operator, Box::new(other))
    }

    /// The columns that it reads.
    pub fn columns(&self, found: &mut Vec<String>) {
        match self {
            Expression::Column(name) => found.push(name.clone()),
            Expression::Literal(_) => {}
            Expression::Binary(left, _, right) => {
                left.columns(found);
                right.columns(found);
            }
            Expression::Not(of) | Expression::IsNull(of) | Expression::Cast(of, _) => {
                of.columns(found);
            }
            Expression::Case { when, otherwise } => {
                for (condition, value) in when {
                    condition.columns(found);
                    value.columns(found);
                }
                otherwise.iter().for_each(|value| value.columns(found));
            }
            Expression::Call(_, arguments) => {
                arguments
                    .iter()
                    .for_each(|argument| argument.columns(found));
            }
        }
    }
}
