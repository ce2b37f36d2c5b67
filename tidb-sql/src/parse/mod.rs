//! From tokens to trees: a recursive descent.

mod alter;
mod alter_partition;
mod call;
mod column;
mod cursor;
mod data_type;
mod expr;
mod key;
mod names;
mod option;
mod other;
mod partition;
mod query;
mod statement;
mod table;

use cursor::Cursor;

use crate::ast::{Expr, Statement};
use crate::{ParseError, ParseOptions, Place, lexer};

/// Reads a text of any number of statements.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Vec<Statement>, ParseError> {
    let mut cursor = Cursor::new(text, options)?;
    let mut out = Vec::new();
    loop {
        while cursor.eat_sign(";") {}
        if cursor.at_end() {
            return Ok(out);
        }
        out.push(cursor.statement()?);
        if !cursor.at_end() && !cursor.is_sign(";") {
            return Err(cursor.unexpected());
        }
    }
}

/// Reads a text of exactly one statement.
pub fn parse_one(text: &str, options: &ParseOptions) -> Result<Statement, ParseError> {
    let mut statements = parse(text, options)?;
    match (statements.pop(), statements.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(ParseError::NotOne { found: 0 }),
        (Some(_), others) => Err(ParseError::NotOne { found: others + 1 }),
    }
}

/// Reads a text that is one expression.
pub fn parse_expr(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    let mut cursor = Cursor::new(text, options)?;
    let expr = cursor.expr()?;
    match cursor.at_end() {
        true => Ok(expr),
        false => Err(cursor.unexpected()),
    }
}

/// The statements of a text, as written but without the semicolons between them. Semicolons in strings, names and
/// comments are no ends.
pub fn split<'a>(text: &'a str, options: &ParseOptions) -> Result<Vec<&'a str>, ParseError> {
    let tokens = lexer::tokens_of(text, options.mode, options.release)?;
    let mut out = Vec::new();
    let mut start = 0;
    let mut any = false;
    let mut push = |start: usize, end: usize, any: bool| {
        if any {
            out.push(text.get(start..end).unwrap_or_default().trim());
        }
    };
    for token in &tokens {
        if token.is_sign(";") {
            push(start, token.start, any);
            (start, any) = (token.end(), false);
        } else if !token.kind.is_trivia() {
            any = true;
        }
    }
    push(start, text.len(), any);
    Ok(out)
}

/// A place in a text for an error about its end.
fn end_of(text: &str) -> Place {
    Place::new(text, text.len(), text.len())
}
