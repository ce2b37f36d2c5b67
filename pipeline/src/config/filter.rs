//! Which tables a changefeed takes: the rules of PingCAP's table filter (`spec/sink-uri.md §3`).
//!
//! A list of patterns `schema.table`, of which the last that matches decides; `!` in front excludes. Names may be
//! plain, quoted, with wildcards, or regular expressions between slashes. Schemas of the system are never taken.

use std::{fs, sync::LazyLock};

use regex::Regex;

use super::golang::quote;
use crate::{
    coded::{Code, Coded},
    compat::Compat,
};

/// Schemas that no changefeed takes, compared without case.
const SYSTEM_SCHEMAS: [&str; 7] = [
    "dm_heartbeat",
    "information_schema",
    "inspection_schema",
    "metrics_schema",
    "mysql",
    "performance_schema",
    "sys",
];
/// Further ones since v5, compared with case.
const TOOL_SCHEMAS: [&str; 2] = ["tidb_cdc", "lightning_task_info"];

/// Whether a schema belongs to the system, so that no filter can let it in.
#[must_use]
pub fn is_system_schema(schema: &str, compat: Compat) -> bool {
    SYSTEM_SCHEMAS
        .iter()
        .any(|name| schema.eq_ignore_ascii_case(name))
        || compat > Compat::V4_0_9 && TOOL_SCHEMAS.contains(&schema)
}

/// The filter of a changefeed: rules, and the schemas of the system left out.
#[derive(Debug, Clone)]
pub struct TableFilter {
    rules: Rules,
    compat: Compat,
}

impl TableFilter {
    /// A filter from the rules of a changefeed file; no rules at all means everything.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`.
    pub fn new(rules: &[String], case_sensitive: bool, compat: Compat) -> Result<Self, Coded> {
        let everything = ["*.*".to_owned()];
        let used = if rules.is_empty() {
            &everything[..]
        } else {
            rules
        };
        let rules = Rules::parse(used, case_sensitive).map_err(|reason| {
            let shown = rules.join(" ");
            Coded::new(
                Code::ErrFilterRuleInvalid,
                format!("filter rule is invalid &{{[{shown}] [] []}}: {reason}"),
            )
        })?;
        Ok(Self { rules, compat })
    }

    /// Whether rows of this table are taken.
    #[must_use]
    pub fn takes_table(&self, schema: &str, table: &str) -> bool {
        !is_system_schema(schema, self.compat) && self.rules.matches_table(schema, table)
    }

    /// Whether DDL of this schema is taken: some table in it could be.
    #[must_use]
    pub fn takes_schema(&self, schema: &str) -> bool {
        !is_system_schema(schema, self.compat) && self.rules.matches_schema(schema)
    }
}

/// Rules over `schema.table` names.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The last rule first: the order in which they decide.
    rules: Vec<Rule>,
    case_sensitive: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    positive: bool,
    schema: Pattern,
    table: Pattern,
}

impl Rules {
    /// Parses a list of rules.
    ///
    /// # Errors
    /// The words of the table filter: `at <cmdline>:1: wrong table pattern`.
    pub fn parse(rules: &[String], case_sensitive: bool) -> Result<Self, String> {
        let mut parsed = Vec::new();
        for line in rules {
            parse_line(line, &Place::argument(), case_sensitive, &mut parsed)?;
        }
        parsed.reverse();
        Ok(Self {
            rules: parsed,
            case_sensitive,
        })
    }

    /// What the last rule that matches says, no if none does.
    #[must_use]
    pub fn matches_table(&self, schema: &str, table: &str) -> bool {
        let (schema, table) = (self.folded(schema), self.folded(table));
        self.rules
            .iter()
            .find(|rule| rule.schema.matches(&schema) && rule.table.matches(&table))
            .is_some_and(|rule| rule.positive)
    }

    /// Whether some table of the schema could match.
    #[must_use]
    pub fn matches_schema(&self, schema: &str) -> bool {
        let schema = self.folded(schema);
        self.rules
            .iter()
            .find(|rule| {
                rule.schema.matches(&schema)
                    && (rule.positive || matches!(rule.table, Pattern::Any))
            })
            .is_some_and(|rule| rule.positive)
    }

    fn folded(&self, name: &str) -> String {
        if self.case_sensitive {
            name.to_owned()
        } else {
            name.to_lowercase()
        }
    }
}

/// Rules over the names of columns, always without case.
#[derive(Debug, Clone)]
pub struct ColumnRules(Vec<(bool, Pattern)>);

impl ColumnRules {
    /// Parses a list of column patterns.
    ///
    /// # Errors
    /// The words of the table filter.
    pub fn parse(rules: &[String]) -> Result<Self, String> {
        let place = Place::argument();
        let mut parsed = Vec::new();
        for line in rules {
            let line = line.trim_matches([' ', '\t']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (positive, line) = line
                .strip_prefix('!')
                .map_or((true, line), |line| (false, line));
            let (pattern, rest) =
                parse_pattern(line, false, false).map_err(|reason| place.error(reason))?;
            if !rest.is_empty() {
                return Err(place.error("syntax error: stray characters after column pattern"));
            }
            parsed.push((positive, pattern));
        }
        parsed.reverse();
        Ok(Self(parsed))
    }

    /// What the last rule that matches says, no if none does.
    #[must_use]
    pub fn matches(&self, column: &str) -> bool {
        let column = column.to_lowercase();
        self.0
            .iter()
            .find(|(_, pattern)| pattern.matches(&column))
            .is_some_and(|(positive, _)| *positive)
    }
}

/// Where a rule stands, for messages.
struct Place {
    file: String,
    line: usize,
}

impl Place {
    fn argument() -> Self {
        Self {
            file: "<cmdline>".to_owned(),
            line: 1,
        }
    }

    fn error(&self, reason: impl AsRef<str>) -> String {
        format!("at {}:{}: {}", self.file, self.line, reason.as_ref())
    }
}

fn parse_line(
    line: &str,
    place: &Place,
    case_sensitive: bool,
    out: &mut Vec<Rule>,
) -> Result<(), String> {
    let line = line.trim_matches([' ', '\t']);
    let (positive, line) = match line.as_bytes().first() {
        None | Some(b'#') => return Ok(()),
        Some(b'!') => (false, &line[1..]),
        Some(b'@') => return import(&line[1..], place, case_sensitive, out),
        Some(_) => (true, line),
    };
    let fail = |reason: String| place.error(reason);
    let (schema, rest) = parse_pattern(line, true, case_sensitive).map_err(fail)?;
    if rest.is_empty() {
        return Err(place.error("wrong table pattern"));
    }
    let Some(rest) = rest.strip_prefix('.') else {
        return Err(place.error("syntax error: missing '.' between schema and table patterns"));
    };
    let (table, rest) = parse_pattern(rest, true, case_sensitive).map_err(fail)?;
    if !rest.is_empty() {
        return Err(place.error("syntax error: stray characters after table pattern"));
    }
    out.push(Rule {
        positive,
        schema,
        table,
    });
    Ok(())
}

fn import(
    file: &str,
    place: &Place,
    case_sensitive: bool,
    out: &mut Vec<Rule>,
) -> Result<(), String> {
    if place.file != "<cmdline>" {
        return Err(place.error("importing filter files recursively is not allowed"));
    }
    let text = fs::read_to_string(file).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        place.error(format!("cannot open filter file: open {file}: {reason}"))
    })?;
    for (number, line) in text.lines().enumerate() {
        let place = Place {
            file: file.to_owned(),
            line: number + 1,
        };
        parse_line(line, &place, case_sensitive, out)?;
    }
    Ok(())
}

#[derive(Debug, Clone)]
enum Pattern {
    Literal(String),
    Any,
    Regex(Regex),
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Literal(literal) => literal == name,
            Pattern::Any => true,
            Pattern::Regex(regex) => regex.is_match(name),
        }
    }

    fn literal(name: &str, case_sensitive: bool) -> Self {
        Pattern::Literal(if case_sensitive {
            name.to_owned()
        } else {
            name.to_lowercase()
        })
    }

    fn regex(pattern: &str, case_sensitive: bool) -> Result<Self, String> {
        let folded = if case_sensitive {
            pattern.to_owned()
        } else {
            format!("(?i){pattern}")
        };
        Regex::new(&folded).map(Pattern::Regex).map_err(|_| {
            format!(
                "invalid pattern: error parsing regexp: {}",
                regex_fault(pattern)
            )
        })
    }
}

/// What is wrong with a regular expression, in the words of Go's `regexp` for the common faults.
fn regex_fault(pattern: &str) -> String {
    use regex_syntax::ast::{ErrorKind, parse::Parser};
    let Err(error) = Parser::new().parse(pattern) else {
        return format!("unsupported expression: `{pattern}`");
    };
    let from = &pattern[error.span().start.offset.min(pattern.len())..];
    match error.kind() {
        ErrorKind::ClassUnclosed => format!("missing closing ]: `{from}`"),
        ErrorKind::GroupUnclosed => format!("missing closing ): `{pattern}`"),
        ErrorKind::GroupUnopened => format!("unexpected ): `{pattern}`"),
        ErrorKind::RepetitionMissing => {
            let operator = from.chars().next().map(String::from).unwrap_or_default();
            format!("missing argument to repetition operator: `{operator}`")
        }
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
        ErrorKind::EscapeUnrecognized => {
            format!("invalid escape sequence: `{}`", error.span_text(pattern))
        }
        ErrorKind::ClassRangeInvalid => format!(
            "invalid character class range: `{}`",
            error.span_text(pattern)
        ),
        kind => format!("{kind}: `{pattern}`"),
    }
}

/// The part of a pattern that an error of its parser points at.
trait SpanText {
    fn span_text<'p>(&self, pattern: &'p str) -> &'p str;
}

impl SpanText for regex_syntax::ast::Error {
    fn span_text<'p>(&self, pattern: &'p str) -> &'p str {
        pattern
            .get(self.span().start.offset..self.span().end.offset)
            .unwrap_or(pattern)
    }
}

macro_rules! token {
    ($name:ident, $pattern:literal) => {
        #[allow(clippy::unwrap_used)]
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).unwrap());
    };
}
token!(REGEX, r"^/(?:\\.|[^/])+/");
token!(DOUBLE_QUOTED, r#"^"(?:""|[^"])+""#);
token!(BACK_QUOTED, r"^`(?:``|[^`])+`");
token!(RANGE, r"^\[!?(?:\\[^0-9a-zA-Z]|[^\\\]])+\]");

/// One name pattern at the start of `line`, and what follows it.
fn parse_pattern(
    line: &str,
    dot_ends: bool,
    case_sensitive: bool,
) -> Result<(Pattern, &str), String> {
    let quoted = |token: &Regex, fault: &str, quote: &str| {
        let found = token
            .find(line)
            .ok_or_else(|| format!("syntax error: incomplete {fault}"))?;
        let inner = &line[1..found.end() - 1];
        Ok::<_, String>((inner.replace(&quote.repeat(2), quote), &line[found.end()..]))
    };
    match line.as_bytes().first() {
        None => Err("syntax error: missing pattern".to_owned()),
        Some(b'/') => {
            let found = REGEX.find(line).ok_or("syntax error: incomplete regexp")?;
            Ok((
                Pattern::regex(&line[1..found.end() - 1], case_sensitive)?,
                &line[found.end()..],
            ))
        }
        Some(b'"') => {
            let (name, rest) = quoted(&DOUBLE_QUOTED, "quoted identifier", "\"")?;
            Ok((Pattern::literal(&name, case_sensitive), rest))
        }
        Some(b'`') => {
            let (name, rest) = quoted(&BACK_QUOTED, "quoted identifier", "`")?;
            Ok((Pattern::literal(&name, case_sensitive), rest))
        }
        Some(_) => parse_wildcard(line, dot_ends, case_sensitive),
    }
}

fn parse_wildcard(
    line: &str,
    dot_ends: bool,
    case_sensitive: bool,
) -> Result<(Pattern, &str), String> {
    let mut literal = String::new();
    let mut pattern = "(?s)^".to_owned();
    let mut is_literal = true;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' => {
                let escaped = rest[1..]
                    .chars()
                    .next()
                    .ok_or(r"syntax error: cannot place \ at end of line")?;
                if escaped.is_ascii_alphanumeric() {
                    return Err(format!(
                        r"cannot escape a letter or number (\{escaped}), it is reserved for future extension"
                    ));
                }
                literal.push(escaped);
                pattern.push_str(&regex::escape(&escaped.to_string()));
                rest = &rest[1 + escaped.len_utf8()..];
                continue;
            }
            '.' if dot_ends => break,
            '*' | '?' => {
                is_literal = false;
                pattern.push_str(if c == '*' { ".*" } else { "." });
            }
            '[' => {
                is_literal = false;
                let found = RANGE
                    .find(rest)
                    .ok_or("syntax error: failed to parse character class")?;
                let inner = &rest[1..found.end() - 1];
                let (negated, inner) = inner
                    .strip_prefix('!')
                    .map_or(("", inner), |inner| ("^", inner));
                pattern.push('[');
                pattern.push_str(negated);
                push_class(inner, &mut pattern);
                pattern.push(']');
                rest = &rest[found.end()..];
                continue;
            }
            c if matches!(c, '$' | '_') || c.is_ascii_alphanumeric() || !c.is_ascii() => {
                literal.push(c);
                pattern.push_str(&regex::escape(&c.to_string()));
            }
            c => return Err(format!("unexpected special character '{c}'")),
        }
        rest = &rest[c.len_utf8()..];
    }
    let parsed = match pattern.as_str() {
        _ if is_literal => Pattern::literal(&literal, case_sensitive),
        "(?s)^.*" => Pattern::Any,
        _ => Pattern::regex(&format!("{pattern}$"), case_sensitive)?,
    };
    Ok((parsed, rest))
}

/// Members of a character class: `-` and escapes keep their meaning, what only Rust's classes give one is escaped.
fn push_class(inner: &str, pattern: &mut String) {
    for c in inner.chars() {
        if matches!(c, '[' | '&' | '~' | '^') && !pattern.ends_with('\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
}

/// Shows a list of rules as Go prints a slice, for messages.
#[must_use]
pub fn shown(rules: &[String]) -> String {
    format!("[{}]", rules.join(" "))
}

/// Shows a list of rules with quotes, for hints.
#[must_use]
pub fn quoted(rules: &[String]) -> String {
    rules
        .iter()
        .map(|rule| quote(rule))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read};

    use flate2::read::GzDecoder;
    use serde::Deserialize;

    use super::*;
    use crate::testing::recording;

    #[derive(Deserialize)]
    struct Case {
        case_sensitive: bool,
        rules: Option<Vec<String>>,
        error: Option<String>,
        schemas_in: Option<Vec<String>>,
        tables_in: Option<Vec<String>>,
    }

    fn tables() -> Vec<String> {
        #[derive(Deserialize)]
        struct Head {
            tables: Vec<String>,
        }
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../fixtures/golden/ticdc/table-filters.jsonl.gz"
        );
        let mut text = String::new();
        GzDecoder::new(File::open(path).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        serde_json::from_str::<Head>(text.lines().next().unwrap())
            .unwrap()
            .tables
    }

    #[test]
    fn recorded_filters() {
        let tables = tables();
        let cases: Vec<Case> = recording("ticdc/table-filters.jsonl.gz");
        assert_eq!(cases.len(), 56);
        for case in cases {
            let rules = case.rules.unwrap_or_default();
            let filter = match (
                TableFilter::new(&rules, case.case_sensitive, Compat::V8_5),
                case.error,
            ) {
                (Ok(filter), None) => filter,
                (result, error) => {
                    assert_eq!(
                        result.map(|_| ()).unwrap_err().to_string(),
                        error.unwrap_or_default(),
                        "{rules:?}"
                    );
                    continue;
                }
            };
            let names = tables.iter().map(|name| name.split_once(" / ").unwrap());
            let taken: Vec<_> = names
                .clone()
                .filter(|(s, t)| filter.takes_table(s, t))
                .map(|(s, t)| format!("{s} / {t}"))
                .collect();
            assert_eq!(
                taken,
                case.tables_in.unwrap_or_default(),
                "{rules:?} {}",
                case.case_sensitive
            );
            let mut schemas: Vec<_> = names
                .filter(|(s, _)| filter.takes_schema(s))
                .map(|(s, _)| s)
                .collect();
            schemas.dedup();
            let mut expected = case.schemas_in.unwrap_or_default();
            expected.sort();
            schemas.sort_unstable();
            schemas.dedup();
            assert_eq!(schemas, expected, "{rules:?} {}", case.case_sensitive);
        }
    }

    #[test]
    fn columns_match_without_case() {
        let rules = ColumnRules::parse(&["*".to_owned(), "!B".to_owned()]).unwrap();
        assert!(rules.matches("a") && !rules.matches("b"));
        let error = ColumnRules::parse(&["!".to_owned()]).unwrap_err();
        assert_eq!(error, "at <cmdline>:1: syntax error: missing pattern");
    }

    #[test]
    fn old_releases_know_fewer_system_schemas() {
        assert!(
            is_system_schema("MySQL", Compat::V4_0_9) && is_system_schema("tidb_cdc", Compat::V8_5)
        );
        assert!(
            !is_system_schema("tidb_cdc", Compat::V4_0_9)
                && !is_system_schema("TIDB_CDC", Compat::V8_5)
        );
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(rule in "[^@].{0,40}", name in ".{0,10}", cased: bool) {
            if let Ok(rules) = Rules::parse(std::slice::from_ref(&rule), cased) {
                let _ = (rules.matches_table(&name, &name), rules.matches_schema(&name));
            }
            let _ = ColumnRules::parse(&[rule]);
        }

        #[test]
        fn a_quoted_name_matches_itself_only(schema in "[^\"@]{1,12}", table in "[^\"]{1,12}", other in "[a-z]{1,12}") {
            let rules = Rules::parse(&[format!("\"{schema}\".\"{table}\"")], true).unwrap();
            proptest::prop_assert!(rules.matches_table(&schema, &table));
            proptest::prop_assert_eq!(rules.matches_table(&schema, &other), other == table);
        }
    }
}
