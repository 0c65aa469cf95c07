//! `WATERMARK FOR time AS time - INTERVAL '1 minute'` among the columns of a table: the parser does
//! not know it, so it is cut out of the tokens before.

use std::collections::BTreeMap;

use sqlparser::ast::{BinaryOperator, Expr, Spanned};
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::{Planned, SqlError, interval};

/// What a table says of event time.
#[derive(Clone)]
pub(super) struct Watermark {
    /// The column with the event time.
    pub(super) column: String,
    /// By how many microseconds the watermark stays behind.
    pub(super) delay: i64,
}

/// By the place of the table's first column.
pub(super) struct Watermarks(BTreeMap<(u64, u64), Watermark>);

impl Watermarks {
    /// What stood in the table whose first column is at this place.
    pub(super) fn of(&self, first_column: Span) -> Option<&Watermark> {
        let at = first_column.start;
        self.0.get(&(at.line, at.column))
    }
}

/// Takes the clauses out, each with the comma before or after it.
pub(super) fn cut_out(
    tokens: &mut Vec<TokenWithSpan>,
    dialect: &dyn Dialect,
) -> Planned<Watermarks> {
    let mut found = BTreeMap::new();
    while let Some(start) = (0..tokens.len()).find(|at| begins(&tokens[*at..])) {
        let mut depth = 0;
        let ends = |token: &TokenWithSpan| {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::EOF | Token::SemiColon => depth = -1,
                _ => {}
            }
            depth < 0 || (depth == 0 && token.token == Token::Comma)
        };
        let rest = tokens[start..].iter().position(ends);
        let end = start + rest.unwrap_or(tokens.len() - start);
        let open = opening(&tokens[..start]).ok_or_else(|| {
            SqlError::at(
                tokens[start].span,
                "WATERMARK stands among a table's columns",
            )
        })?;
        let watermark = read(&tokens[start..end], dialect)?;
        let before = tokens[..start].iter().rposition(is_solid);
        match before.filter(|at| tokens[*at].token == Token::Comma) {
            Some(comma) => drop(tokens.drain(comma..end)),
            None => drop(tokens.drain(start..(end + 1).min(tokens.len()))),
        }
        if let Some(first) = tokens[open + 1..].iter().find(|token| is_solid(token)) {
            let at = first.span.start;
            found.insert((at.line, at.column), watermark);
        }
    }
    Ok(Watermarks(found))
}

/// `WATERMARK FOR`: either word alone may be a name.
fn begins(tokens: &[TokenWithSpan]) -> bool {
    let mut solid = tokens.iter().filter(|token| is_solid(token));
    tokens
        .first()
        .is_some_and(|first| is_word(first, "WATERMARK"))
        && solid.nth(1).is_some_and(|second| is_word(second, "FOR"))
}

fn is_solid(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(found) if found.value.eq_ignore_ascii_case(word))
}

/// The parenthesis that is open at the end of these tokens.
fn opening(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0;
    tokens.iter().rposition(|token| {
        match token.token {
            Token::RParen => depth += 1,
            Token::LParen => depth -= 1,
            _ => {}
        }
        depth < 0
    })
}

fn read(clause: &[TokenWithSpan], dialect: &dyn Dialect) -> Planned<Watermark> {
    let place = clause[0].span;
    let wrong = || {
        SqlError::at(place, "the watermark cannot be read")
            .hint("write it as WATERMARK FOR time AS time - INTERVAL '1 minute'")
    };
    let solid: Vec<TokenWithSpan> = clause.iter().filter(|t| is_solid(t)).cloned().collect();
    let [_, _, column, rest @ ..] = solid.as_slice() else {
        return Err(wrong());
    };
    let Token::Word(column) = &column.token else {
        return Err(wrong());
    };
    let column = column.value.clone();
    let delay = match rest {
        [] => 0,
        [first, expression @ ..] if is_word(first, "AS") => {
            let mut parser = Parser::new(dialect).with_tokens_with_locations(expression.to_vec());
            behind(&parser.parse_expr().map_err(|_| wrong())?, &column)?
        }
        _ => return Err(wrong()),
    };
    Ok(Watermark { column, delay })
}

/// `time` or `time - INTERVAL ...`.
fn behind(expression: &Expr, column: &str) -> Planned<i64> {
    let is_column = |of: &Expr| matches!(of, Expr::Identifier(name) if name.value == column);
    match expression {
        Expr::Nested(inner) => behind(inner, column),
        this if is_column(this) => Ok(0),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Minus,
            right,
        } if is_column(left) => interval::of(right),
        other => Err(
            SqlError::at(other.span(), "the watermark is the event time, or less")
                .hint(format!("write it as {column} - INTERVAL '1 minute'")),
        ),
    }
}
