//! Joins: of rows of the same window.

use sqlparser::ast::{
    BinaryOperator, Expr, Join as Joined, JoinConstraint, JoinOperator, Spanned, TableWithJoins,
};
use sqlparser::tokenizer::Span;

use super::scope::{Meaning, Name, Relation};
use super::select::conjuncts;
use super::{Planned, Planner, SqlError};
use crate::plan::{Join, Operator, Side};

/// Which columns are equal, left and right, and what else has to be true.
#[derive(Default)]
struct Condition<'a> {
    left: Vec<String>,
    right: Vec<String>,
    rest: Vec<&'a Expr>,
}

impl Planner {
    /// What a `SELECT` reads.
    pub(super) fn from(&mut self, tables: &[TableWithJoins], at: Span) -> Planned<Relation> {
        let [table] = tables else {
            let error = SqlError::at(at, "a SELECT reads one table, or tables with JOIN between");
            return Err(error);
        };
        let mut relation = self.relation(&table.relation)?;
        for join in &table.joins {
            relation = self.join(relation, join)?;
        }
        Ok(relation)
    }

    fn join(&mut self, left: Relation, join: &Joined) -> Planned<Relation> {
        let at = join.relation.span();
        let right = self.relation(&join.relation)?;
        use JoinOperator as J;
        let (side, swapped, constraint) = match &join.join_operator {
            J::Join(on) | J::Inner(on) => (Side::Inner, false, on),
            J::Left(on) | J::LeftOuter(on) => (Side::Left, false, on),
            J::Right(on) | J::RightOuter(on) => (Side::Left, true, on),
            J::FullOuter(on) => (Side::Full, false, on),
            _ => {
                return Err(SqlError::at(at, "this join is not known here")
                    .hint("there are INNER, LEFT, RIGHT and FULL JOIN"));
            }
        };
        if !left.windowed || !right.windowed {
            return Err(
                SqlError::at(at, "rows that are not of windows would be kept for ever")
                    .hint("group both sides by a window before they are joined"),
            );
        }
        let JoinConstraint::On(on) = constraint else {
            return Err(SqlError::at(at, "a join needs ON")
                .hint("write it as ON a.window = b.window AND a.id = b.id"));
        };
        let (left, right) = if swapped {
            (right, left)
        } else {
            (left, right)
        };
        let condition = Condition::read(on, &left, &right)?;
        if let (Some(rest), true) = (condition.rest.first(), side != Side::Inner) {
            return Err(SqlError::at(
                rest.span(),
                "an outer join compares columns for equality",
            ));
        }
        let number = self.nodes.len();
        let prefixes = (format!("l{number}."), format!("r{number}."));
        let names = prefixed(left.names, &prefixes.0);
        let names = names.chain(prefixed(right.names, &prefixes.1)).collect();
        let operator = Operator::Join(Join {
            side,
            left: condition.left,
            right: condition.right,
            prefixes,
        });
        let node = self.add("join", &[&left.node, &right.node], operator, at)?;
        let mut relation = Relation::new(node, names, true);
        for rest in condition.rest {
            relation = self.filter(relation, rest)?;
        }
        Ok(relation)
    }
}

impl<'a> Condition<'a> {
    fn read(on: &'a Expr, left: &Relation, right: &Relation) -> Planned<Self> {
        let mut condition = Self::default();
        let mut parts = Vec::new();
        conjuncts(on, &mut parts);
        for part in parts {
            if !condition.equal(part, left, right)? {
                condition.rest.push(part);
            }
        }
        Ok(condition)
    }

    /// Takes `a.x = b.y`, in either order.
    fn equal(&mut self, part: &Expr, left: &Relation, right: &Relation) -> Planned<bool> {
        let Expr::BinaryOp {
            left: one,
            op: BinaryOperator::Eq,
            right: other,
        } = part
        else {
            return Ok(false);
        };
        let pair = match (meaning(one, left), meaning(other, right)) {
            (Some(a), Some(b)) => Some((a, b)),
            _ => meaning(other, left).zip(meaning(one, right)),
        };
        match pair {
            Some((Meaning::Column(a), Meaning::Column(b))) => {
                self.left.push(a);
                self.right.push(b);
            }
            Some((Meaning::Window(a, _), Meaning::Window(b, _))) => {
                self.left.push(a);
                self.right.push(b);
            }
            Some(_) => {
                return Err(
                    SqlError::at(part.span(), "a window is equal to a window only")
                        .hint("compare a.window.start with the other's"),
                );
            }
            None => return Ok(false),
        }
        Ok(true)
    }
}

fn meaning(expr: &Expr, of: &Relation) -> Option<Meaning> {
    match expr {
        Expr::Identifier(name) => of.find(std::slice::from_ref(name), name.span).ok(),
        Expr::CompoundIdentifier(parts) => of.find(parts, expr.span()).ok(),
        Expr::Nested(inner) => meaning(inner, of),
        _ => None,
    }
}

fn prefixed(names: Vec<Name>, prefix: &str) -> impl Iterator<Item = Name> {
    names.into_iter().map(move |name| Name {
        meaning: match &name.meaning {
            Meaning::Column(column) => Meaning::Column(format!("{prefix}{column}")),
            Meaning::Window(start, end) => {
                Meaning::Window(format!("{prefix}{start}"), format!("{prefix}{end}"))
            }
        },
        ..name
    })
}
