//! JSON in expressions. MariaDB's JSON is text, and so is what it extracts: the piece of the document as it was written. It
//! is TiDB's value where that piece is a scalar that is spelt as TiDB spells it; what else there may be has to be refused
//! row by row, by a CHECK.

use super::super::mariadb::string;

/// A path of names and places, as its prefixes: `$.a`, `$.a[0]`.
pub(super) fn prefixes(path: &str) -> Option<Vec<String>> {
    let mut rest = path.strip_prefix('$')?;
    let mut out = vec![];
    let mut so_far = "$".to_owned();
    while !rest.is_empty() {
        let leg = leg(rest)?;
        so_far.push_str(leg);
        rest = &rest[leg.len()..];
        out.push(so_far.clone());
    }
    Some(out)
}

/// The first leg of a path: `.name`, `."name"`. A place in an array is none: of what is no array MariaDB and TiDB take
/// different things by it.
fn leg(path: &str) -> Option<&str> {
    let name = path.strip_prefix('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = match name.strip_prefix('"') {
        Some(quoted) => {
            let len = quoted.find('"')?;
            let fits = |c: char| plain(c) || matches!(c, ' ' | '-' | '.' | ':');
            if len == 0 || !quoted[..len].chars().all(fits) {
                return None;
            }
            len + 3
        }
        None => {
            let len = name.find(|c: char| !plain(c)).unwrap_or(name.len());
            if len == 0 || name.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            len + 1
        }
    };
    Some(&path[..end])
}

/// The condition under which MariaDB finds in a document what TiDB does: no key of the path is there twice (TiDB takes the
/// last, MariaDB the first), and no key is spelt with codes (which MariaDB does not read).
pub(super) fn found_alike(document: &str, prefixes: &[String]) -> String {
    let mut out = format!(
        "{document} NOT REGEXP {}",
        string(r#"\\u00[0-7][0-9a-fA-F][^"]*"\s*:"#)
    );
    for prefix in prefixes {
        let path = string(prefix);
        out.push_str(&format!(
            " AND JSON_EXTRACT(JSON_REMOVE({document}, {path}), {path}) IS NULL"
        ));
    }
    out
}

/// The condition under which a piece of a document is a scalar spelt as TiDB spells it.
pub(super) fn is_plain_scalar(piece: &str) -> String {
    let pattern = r#"^(?:true|false|null|0|-?[1-9][0-9]{0,17}|"[^"\\]*")$"#;
    format!("{piece} REGEXP {}", string(pattern))
}

/// The condition under which a piece is one whose text without quotes is TiDB's: escapes may be in it.
pub(super) fn is_unquotable(piece: &str) -> String {
    // Half a character of two codes is another one in each.
    let escapes = [
        r#"\\["\\/bfnrt]"#,
        r"\\u(?![dD][89a-fA-F])",
        r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]",
    ];
    let pattern = format!(
        r#"^(?:true|false|null|0|-?[1-9][0-9]{{0,17}}|"(?:[^"\\]|{})*")$"#,
        escapes.join("|")
    );
    format!("{piece} REGEXP {}", string(&pattern))
}

/// A piece as a whole number.
pub(super) fn to_integer(piece: &str) -> String {
    format!(
        "(CASE JSON_TYPE({piece}) WHEN 'BOOLEAN' THEN {piece} = 'true' WHEN 'NULL' THEN 0 \
         WHEN 'STRING' THEN JSON_UNQUOTE({piece}) ELSE {piece} END)"
    )
}

/// The condition under which [`to_integer`] is TiDB's number: a number with a point or exponent is rounded otherwise there.
pub(super) fn is_no_double(piece: &str) -> String {
    format!("JSON_TYPE({piece}) <> 'DOUBLE'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_names_are_read() {
        assert_eq!(prefixes("$.a"), Some(vec!["$.a".to_owned()]));
        assert_eq!(
            prefixes(r#"$.a."b c"._d9"#),
            Some(vec![
                "$.a".to_owned(),
                r#"$.a."b c""#.to_owned(),
                r#"$.a."b c"._d9"#.to_owned()
            ])
        );
        assert_eq!(prefixes("$"), Some(vec![]));
    }

    #[test]
    fn other_paths_are_not() {
        for path in [
            "", "a", "$.", "$.*", "$[0]", "$**.a", "$.9a", r#"$."""#, "$.é", "$ .a", r#"$."a"#,
        ] {
            assert_eq!(prefixes(path), None, "{path}");
        }
    }
}
