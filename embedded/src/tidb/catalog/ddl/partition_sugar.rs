//! TiDB's shorthand for partitions of equal width, written out: that is the statement that a job keeps.

use super::super::build::partition_interval as interval;
use super::super::model::PartitionInfo;
use super::super::{DdlError, show};
use super::partition_change::{Partitioned, builder};
use super::planner::Planner;
use tidb_sql::ast::Expr;

impl Partitioned<'_> {
    pub(super) fn first(&self, p: &mut Planner<'_>, bound: &Expr) -> Result<(), DdlError> {
        let b = builder(p, self.table);
        let guess = interval::guess(&b, self.partition).ok_or_else(|| {
            interval::refused("FIRST PARTITION, does not seem like an INTERVAL partitioned table")
        })?;
        let ft = interval::column(&b, self.partition)?;
        let to = interval::point(&b, bound, ft)?;
        let gone = interval::series(guess.first, to, guess.width, ft, 0)?.len() - 1;
        let from = usize::from(guess.null);
        let left = self.partition.definitions.len() - from;
        if gone == 0 || gone >= left {
            return Err(interval::refused(
                "FIRST PARTITION, number of partitions does not match",
            ));
        }
        let places: Vec<usize> = (from..from + gone).collect();
        let names = self.quoted(&places);
        p.rewritten = sugar(p.query, "FIRST", &format!("DROP PARTITION {names}"));
        self.drop_places(p, &places);
        Ok(())
    }

    pub(super) fn last(&self, p: &mut Planner<'_>, bound: &Expr) -> Result<(), DdlError> {
        let b = builder(p, self.table);
        let guess = interval::guess(&b, self.partition).ok_or_else(|| {
            interval::refused("LAST PARTITION, does not seem like an INTERVAL partitioned table")
        })?;
        let ft = interval::column(&b, self.partition)?;
        let to = interval::point(&b, bound, ft)?;
        if to <= guess.last {
            return Err(interval::refused(
                "LAST PARTITION, number of partitions does not match",
            ));
        }
        let definitions = interval::series(guess.last, to, guess.width, ft, 1)?;
        let added = self.added(p, &definitions)?;
        let text = show::partition_definitions(&added);
        p.rewritten = sugar(p.query, "LAST", &format!("ADD PARTITION ({text})"));
        self.add(p, &definitions, false)
    }
}

/// The statement with its shorthand about intervals written out, as TiDB keeps it in the job. The shorthand is the last
/// clause of an ALTER TABLE, and ends with a parenthesis.
fn sugar(query: &str, word: &str, clause: &str) -> Option<String> {
    let tokens = tidb_sql::lexer::tokens(query, tidb_sql::SqlMode::default()).ok()?;
    let tokens: Vec<_> = tokens.iter().filter(|t| !t.kind.is_trivia()).collect();
    let at = tokens
        .windows(2)
        .position(|two| two[0].is_word(word) && two[1].is_word("PARTITION"))?;
    let end = tokens.iter().rev().find(|t| t.is_sign(")"))?.end();
    Some(format!(
        "{}{clause}{}",
        query.get(..tokens[at].start)?,
        query.get(end..)?
    ))
}

/// A CREATE TABLE whose INTERVAL is written out.
pub(crate) fn interval_written_out(query: &str, info: &PartitionInfo) -> Option<String> {
    let tokens = tidb_sql::lexer::tokens(query, tidb_sql::SqlMode::default()).ok()?;
    let tokens: Vec<_> = tokens.iter().filter(|t| !t.kind.is_trivia()).collect();
    let range = tokens.iter().position(|t| t.is_word("RANGE"))?;
    let start = range + tokens[range..].iter().position(|t| t.is_word("INTERVAL"))?;
    let last = start + tokens[start..].iter().position(|t| t.is_word("LAST"))?;
    let mut depth = 0;
    let mut end = last;
    for (n, token) in tokens.iter().enumerate().skip(last) {
        depth += i32::from(token.is_sign("(")) - i32::from(token.is_sign(")"));
        if token.is_sign(")") && depth == 0 {
            end = n;
            break;
        }
    }
    while let [a, b] = tokens.get(end + 1..end + 3).unwrap_or_default()
        && (a.is_word("NULL") || a.is_word("MAXVALUE"))
        && b.is_word("PARTITION")
    {
        end += 2;
    }
    Some(format!(
        "{}({}){}",
        query.get(..tokens[start].start)?,
        show::partition_definitions(info),
        query.get(tokens[end].end()..)?
    ))
}
