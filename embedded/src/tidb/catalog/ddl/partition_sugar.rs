//! TiDB's shorthand for partitions of equal width, written out: that is the statement that a job keeps.

use super::super::model::PartitionInfo;
use super::super::show;

/// The statement with its shorthand about intervals written out, as TiDB keeps it in the job. The shorthand is the last
/// clause of an ALTER TABLE, and ends with a parenthesis.
pub(super) fn sugar(query: &str, word: &str, clause: &str) -> Option<String> {
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
