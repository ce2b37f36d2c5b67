//! Places in a statement where TiDB's answer is not MariaDB's: TiDB's variables and functions.
//!
//! Such a place becomes a user variable that is given TiDB's value just before; in column names the original text is put
//! back.

use super::errors;
use super::session::Session;
use super::text::{Kind, Text, literal};
use super::variables::Scope;
use super::{FrontError, functions, tls_told, variables};
use crate::tidb::mariadb::sql_mode;
use crate::tidb::wire::ErrPacket;

/// Prefix of the user variables that carry TiDB's values.
pub(super) const CARRIER: &str = "@__embedded_tidb_";

/// What the names of TiDB's own variables and functions begin with.
const TIDB: &str = "tidb_";

/// Words that may follow a table and are no alias of it.
const AFTER_TABLE: [&str; 19] = [
    "WHERE",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "CROSS",
    "NATURAL",
    "STRAIGHT_JOIN",
    "ON",
    "USING",
    "ORDER",
    "GROUP",
    "HAVING",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "FOR",
    "WINDOW",
];

/// Whether a word behind a table's name is no alias of it.
pub(super) fn follows_table(word: &str) -> bool {
    AFTER_TABLE.iter().any(|k| k.eq_ignore_ascii_case(word))
}

/// A statement for MariaDB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) sql: String,
    /// User variables to set before, with SQL literals of their values.
    pub(super) carriers: Vec<(String, String)>,
    /// In column names: what stands there, what is shown.
    pub(super) renames: Vec<(String, String)>,
}

/// Scope, and name in lower case, of `@@name`, `@@session.name`, `` @@`name` ``.
pub(super) fn variable_name(token: &str) -> (Option<String>, String) {
    let plain = token.trim_start_matches('@').replace(['`', '\'', '"'], "");
    let plain = plain.to_ascii_lowercase();
    match plain.split_once('.') {
        Some((scope, name)) => (Some(scope.to_owned()), name.to_owned()),
        None => (None, plain),
    }
}

impl Session {
    /// Puts TiDB's values into a statement.
    pub(super) async fn rewrite(
        &mut self,
        text: &Text<'_>,
    ) -> Result<Result<Rewritten, ErrPacket>, FrontError> {
        let mut out = Rewritten::default();
        let mut copied = 0;
        let mut skip = 0;
        let edits = functions::edits(text);
        for (n, token) in text.tokens.iter().enumerate() {
            if n < skip {
                continue;
            }
            let partitions = match self.partition_clause(text, n) {
                Some(Err(refusal)) => return Ok(Err(refusal)),
                Some(Ok(replaced)) => Some(replaced),
                None => None,
            };
            let made = match &partitions {
                Some(_) => None,
                None => match self.memtable(text, n).await? {
                    Ok(made) => made,
                    Err(refusal) => return Ok(Err(refusal)),
                },
            };
            let made = made.map(|standing| {
                // A table that stands in the statement twice is carried once.
                let carrier = standing.carrier;
                let known =
                    |(name, _): &(String, String)| out.carriers.iter().any(|(n, _)| n == name);
                let carrier = carrier.filter(|carrier| !known(carrier));
                out.carriers.extend(carrier);
                (standing.sql, standing.after)
            });
            if let Some((replacement, after)) = partitions.or(made) {
                out.sql.push_str(&text.sql[copied..token.range.start]);
                out.sql.push_str(&replacement);
                copied = text.tokens[after - 1].range.end;
                skip = after;
                continue;
            }
            if let Some((len, replacement)) = edits.get(&n) {
                let end = text.tokens[n + len - 1].range.end;
                let original = &text.sql[token.range.start..end];
                out.sql.push_str(&text.sql[copied..token.range.start]);
                out.sql.push_str(replacement);
                let known = |(standing, _): &(String, String)| standing == replacement;
                if !replacement.is_empty() && !out.renames.iter().any(known) {
                    out.renames.push((replacement.clone(), original.to_owned()));
                }
                copied = end;
                skip = n + len;
                continue;
            }
            let original = text.of(token);
            let mut end = token.range.end;
            let replacement = match token.kind {
                Kind::SystemVariable => {
                    let (scope, name) = variable_name(original);
                    if let Some(renamed) = mariadb_name(&name) {
                        let scope = scope.map(|s| format!("{s}.")).unwrap_or_default();
                        Some((format!("@@{scope}{renamed}"), None))
                    } else if name == "sql_mode" {
                        Some((sql_mode::of_client(original), None))
                    } else if let Some(value) = self.variable(scope.as_deref(), &name).await? {
                        // The same name may stand for another value in another scope.
                        let scope = scope.filter(|s| s == "global").map(|s| format!("{s}_"));
                        let carrier = format!("{CARRIER}{}{name}", scope.unwrap_or_default());
                        Some((carrier, Some(value)))
                    } else if name.starts_with(TIDB)
                        || variables::is_mariadbs_alone(self.shared.version, &name)
                    {
                        return Ok(Err(errors::unknown_variable(&name)));
                    } else {
                        None
                    }
                }
                Kind::Word if is_tidb_function(text, n) => {
                    let name = original.to_ascii_lowercase();
                    let value = match name.as_str() {
                        "tidb_version" => Some(literal(&self.shared.build_text)),
                        "tidb_is_ddl_owner" => Some("1".to_owned()),
                        "tidb_current_tso" => Some(self.current_ts().await?.to_string()),
                        _ => None,
                    };
                    let Some(value) = value.filter(|_| text.is_sign(n + 2, ')')) else {
                        let what = format!("the function {name}");
                        return Ok(Err(errors::unsupported(&what)));
                    };
                    end = text.tokens[n + 2].range.end;
                    Some((format!("{CARRIER}{name}"), Some(value)))
                }
                Kind::Word if is_user_function(text, n) => {
                    let name = original.to_ascii_lowercase();
                    if text.is_sign(n + 1, '(') {
                        end = text.tokens[n + 2].range.end;
                    }
                    let account = name == "current_user";
                    let value = match account {
                        true => format!("{}@%", self.user),
                        false => format!("{}@{}", self.user, self.peer().ip()),
                    };
                    // Of other accounts MariaDB knows the host.
                    let own = !account || self.user == super::accounts::ROOT;
                    own.then(|| (format!("{CARRIER}{name}"), Some(literal(&value))))
                }
                _ => None,
            };
            let Some((standing, value)) = replacement else {
                continue;
            };
            out.sql.push_str(&text.sql[copied..token.range.start]);
            out.sql.push_str(&standing);
            copied = end;
            let shown = text.sql[token.range.start..end].to_owned();
            if !out.renames.iter().any(|(s, _)| *s == standing) {
                out.renames.push((standing.clone(), shown));
                out.carriers.extend(value.map(|v| (standing, v)));
            }
        }
        out.sql.push_str(&text.sql[copied..]);
        // One may hold another.
        out.renames
            .sort_by_key(|(standing, _)| std::cmp::Reverse(standing.len()));
        Ok(Ok(out))
    }

    /// The value of a variable that is not MariaDB's to tell, as a SQL literal.
    async fn variable(
        &mut self,
        scope: Option<&str>,
        name: &str,
    ) -> Result<Option<String>, FrontError> {
        if name == "tidb_current_ts" {
            return Ok(Some(self.current_ts().await?.to_string()));
        }
        if let Some(value) = self.charsets.told(name).filter(|_| scope != Some("global")) {
            return Ok(Some(literal(value)));
        }
        let release = self.shared.version;
        if let Some((name, value)) = self.shared.told().into_iter().find(|(n, _)| *n == name) {
            if tls_told::reads_as_off(release, name) {
                return Ok(Some("0".to_owned()));
            }
            return Ok(Some(number_or_literal(&value)));
        }
        let Some(variable) = variables::tidb(release, name) else {
            return Ok(None);
        };
        Ok(Some(number_or_literal(
            &self.tidb_value(variable, scope == Some("global")),
        )))
    }

    /// Whether a switch of TiDB's is on in this session.
    pub(super) fn switched_on(&self, name: &str) -> bool {
        variables::tidb(self.shared.version, name)
            .is_some_and(|variable| self.tidb_value(variable, false) == "ON")
    }

    /// The value of a variable of TiDB for this session, or globally.
    pub(super) fn tidb_value(&self, variable: &variables::Variable, global: bool) -> String {
        let value = if global || variable.scope == Scope::Global {
            self.shared.globals().get(variable.name).cloned()
        } else {
            self.variables.get(variable.name).cloned()
        };
        value.unwrap_or_else(|| variable.default.to_owned())
    }

    /// The start TSO of the open transaction; 0 outside one.
    async fn current_ts(&mut self) -> Result<u64, FrontError> {
        if !self.in_transaction {
            return Ok(0);
        }
        if let Some(ts) = self.transaction_ts {
            return Ok(ts);
        }
        let ts = self.shared.client.tso().await?;
        self.transaction_ts = Some(ts);
        Ok(ts)
    }
}

/// Whether a call of a function of TiDB's stands at the n-th token.
fn is_tidb_function(text: &Text<'_>, n: usize) -> bool {
    let start = text.get(n).get(..TIDB.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(TIDB)) && text.is_sign(n + 1, '(')
}

/// Whether a call stands at the n-th token that tells who the user is: MariaDB would tell its own.
fn is_user_function(text: &Text<'_>, n: usize) -> bool {
    if n > 0 && (text.is_sign(n - 1, '.') || text.is(n - 1, "AS")) {
        return false;
    }
    let called = text.is_sign(n + 1, '(') && text.is_sign(n + 2, ')');
    let named = |word: &&str| text.is(n, word);
    (called && ["USER", "SESSION_USER", "SYSTEM_USER"].iter().any(named))
        || (text.is(n, "CURRENT_USER") && (called || !text.is_sign(n + 1, '(')))
}

/// Variables that MariaDB 10.11 has under an older name, spelt as nobody spells it: the names of columns show the new one.
pub(super) fn mariadb_name(name: &str) -> Option<&'static str> {
    match name {
        "transaction_isolation" => Some("tX_isolation"),
        "transaction_read_only" => Some("tX_read_only"),
        _ => None,
    }
}

fn number_or_literal(value: &str) -> String {
    let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    // Switches read back as numbers, as they do in TiDB.
    match value {
        "ON" => "1".to_owned(),
        "OFF" => "0".to_owned(),
        number if is_number => number.to_owned(),
        text => literal(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidb::catalog::TidbVersion;
    use crate::tidb::front::{accounts, policy};
    use proptest::prelude::*;

    #[test]
    fn functions_of_tidb_are_found_among_names_of_any_letters() {
        let found = |sql: &str| is_tidb_function(&Text::new(sql).unwrap(), 0);
        assert!(found("TiDB_version()"));
        for sql in [
            "ñandú()",
            "tidbé()",
            "tidb_version",
            "tidb",
            "数据库表()",
            "",
        ] {
            assert!(!found(sql), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn texts_like_sql_never_panic(
            sql in "(?i)(select|insert into|grant|alter user|create user|set|tidb_|json_extract|cast|as json|current_user|identified with|to|on|é|数|`x`|'y'|\"z\"|@|@@|\\.|,|\\(|\\)|->|/\\*!|\\*/|--|[0-9]| ){0,12}"
        ) {
            let Ok(text) = Text::new(&sql) else { return Ok(()) };
            let _ = (policy::classify(&text), policy::target(&text), policy::writes_row_id(&text));
            let _ = (functions::edits(&text), functions::has_invalid_json(&text, TidbVersion::V8_5));
            let _ = accounts::for_mariadb(&text, "u");
            for n in 0..text.tokens.len() {
                let _ = (is_tidb_function(&text, n), is_user_function(&text, n));
                let _ = (variable_name(text.get(n)), text.string(n), text.full_name(n));
            }
        }
    }

    #[test]
    fn names_are_read_with_and_without_scope() {
        assert_eq!(variable_name("@@Version"), (None, "version".to_owned()));
        assert_eq!(
            variable_name("@@SESSION.`tidb_txn_mode`"),
            (Some("session".to_owned()), "tidb_txn_mode".to_owned())
        );
    }
}
