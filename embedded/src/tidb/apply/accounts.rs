//! Statements of the binlog about users and privileges, which MariaDB keeps and TiKV does not.

use tidb_sql::SqlMode;
use tidb_sql::lexer::tokens;

/// Whether a statement of the binlog changes users or privileges. The binlog has it as the front sent it, with its comments.
/// A text that is none of SQL is none of these either.
pub(super) fn is_about_accounts(sql: &str) -> bool {
    // The front lets no session have modes in which texts are read otherwise.
    let Ok(tokens) = tokens(sql, SqlMode::default()) else {
        return false;
    };
    let mut words = tokens.iter().filter(|t| !t.kind.is_trivia());
    let (Some(verb), object) = (words.next(), words.next()) else {
        return false;
    };
    let grants = ["GRANT", "REVOKE"].iter().any(|w| verb.is_word(w));
    let changes = ["CREATE", "ALTER", "DROP", "RENAME"]
        .iter()
        .any(|w| verb.is_word(w));
    let of = |word: &str| object.is_some_and(|t| t.is_word(word));
    grants || changes && of("USER") || verb.is_word("SET") && of("PASSWORD")
}

#[cfg(test)]
mod tests {
    use super::is_about_accounts;

    #[test]
    fn comments_and_case_do_not_hide_them() {
        for sql in [
            "GRANT ALL ON d.* TO u",
            "revoke select on d.* from u",
            "/* hello */ create user u",
            "create/**/user u",
            "-- a\nALTER\tUSER u IDENTIFIED BY 'x'",
            "# a\ndrop /* b */ user if exists u",
            "rename user u to w",
            "SET PASSWORD FOR 'u'@'%'='*AB'",
        ] {
            assert!(is_about_accounts(sql), "{sql}");
        }
    }

    #[test]
    fn other_statements_are_none() {
        for sql in [
            "",
            "/* create user u */ create table t (a int)",
            "create table user (a int)",
            "drop table `user`",
            "create `user` u",
            "create",
            "create user 'u",
        ] {
            assert!(!is_about_accounts(sql), "{sql}");
        }
    }
}
