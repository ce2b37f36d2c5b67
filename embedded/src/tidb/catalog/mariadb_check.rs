//! CHECK constraints of MariaDB's: what TiDB's columns take and MariaDB's types cannot tell.

use std::fmt::Write as _;

use super::TidbVersion;
use super::mariadb::quoted;
use super::model::{ColumnInfo, Tp};

/// The collation of the Unicode Collation Algorithm's version 9. MariaDB has version 14.
pub const UCA_9: &str = "utf8mb4_0900_ai_ci";

/// Characters, from and to, that compare in version 14 as they do in version 9 among one another, whatever stands beside
/// them. Left out are those that have come since, those whose place has changed, Hangul, and scripts in which several
/// characters weigh as one. The test `weights` holds MariaDB to it.
#[rustfmt::skip]
const ALIKE: [(u32, u32); 53] = [
    (0x0001, 0x02ff), (0x0370, 0x047f), (0x048a, 0x052f), (0x05d0, 0x05ea), (0x0620, 0x064a), (0x0660, 0x066f),
    (0x0671, 0x0674), (0x0679, 0x06d3), (0x1e00, 0x20be), (0x2100, 0x23fe), (0x2400, 0x2b96), (0x2b98, 0x2bb9),
    (0x2bbd, 0x2bc8), (0x2bca, 0x2bd1), (0x2bec, 0x2bef), (0x2e80, 0x3029), (0x3030, 0x3096), (0x309b, 0x30ff),
    (0x3105, 0x312d), (0x3131, 0x31ab), (0x31ad, 0x31ba), (0x31c0, 0x32fe), (0x3300, 0x4db5), (0x4e00, 0x9fd5),
    (0xf900, 0xfaff), (0xfe0f, 0xfe0f), (0xfe30, 0xfe4f), (0xff00, 0xffef), (0x1f000, 0x1f10c), (0x1f110, 0x1f12e),
    (0x1f130, 0x1f16b), (0x1f170, 0x1f1ac), (0x1f1ae, 0x1f25f), (0x1f266, 0x1f6d2), (0x1f6d8, 0x1f6dc),
    (0x1f6e0, 0x1f6f6), (0x1f6fd, 0x1f7d4), (0x1f7d9, 0x1f7df), (0x1f7ec, 0x1f7ef), (0x1f7f1, 0x1f8af),
    (0x1f8b2, 0x1f8ff), (0x1f910, 0x1f91e), (0x1f920, 0x1f927), (0x1f930, 0x1f930), (0x1f933, 0x1f93e),
    (0x1f940, 0x1f94b), (0x1f950, 0x1f95e), (0x1f980, 0x1f991), (0x1f9c0, 0x1f9c0), (0x20000, 0x2a6d6),
    (0x2a6e0, 0x2b734), (0x2b739, 0x2ceaf), (0x2ebe1, 0x2f7ff),
];

/// `txn-entry-size-limit`: bytes of a row that TiDB writes, at most.
pub const ENTRY_LIMIT: usize = 6 << 20;

/// The constraint of a column.
pub(super) fn check(version: TidbVersion, column: &ColumnInfo) -> Option<String> {
    let ft = &column.field_type;
    let name = quoted(&column.name.o);
    match ft.tp {
        Tp::Json => Some(json(&name)),
        tp if tp.is_string() && ft.collate == UCA_9 && version >= TidbVersion::V8_5 => {
            Some(uca(&name))
        }
        tp if tp.is_string() => {
            let is_gbk = ft.charset == "gbk" && version >= TidbVersion::V8_5;
            let codes = is_gbk.then(|| gbk(&name));
            let limited = matches!(tp, Tp::MediumBlob | Tp::LongBlob);
            let size = limited.then(|| entry_limit(column, &name));
            let conditions: Vec<String> = codes.into_iter().chain(size).collect();
            (!conditions.is_empty()).then(|| format!(" CHECK ({})", conditions.join(" AND ")))
        }
        _ => None,
    }
}

/// What a text in GBK may hold: codes of characters.
fn gbk(name: &str) -> String {
    format!(
        "CAST({name} AS BINARY) <=> CAST(CONVERT(CONVERT({name} USING utf8mb4) USING gbk) AS BINARY)"
    )
}

/// What a text under [`UCA_9`] may hold: characters that compare [`ALIKE`], and no L before a middle dot, which weigh as one.
fn uca(column: &str) -> String {
    let mut pattern = r"(?s)^(?!.*[Ll][\x{b7}\x{387}])[".to_owned();
    for (from, to) in ALIKE {
        // A String takes all that is written.
        let _ = write!(pattern, r"\x{{{from:x}}}-\x{{{to:x}}}");
    }
    pattern.push_str("]*+$");
    format!(
        " CHECK ({column} COLLATE utf8mb4_bin REGEXP {})",
        literal(&pattern)
    )
}

/// What a value may have for its row to be written; TiDB has it in UTF-8. That the values of a row have more together is not
/// found out.
fn entry_limit(column: &ColumnInfo, name: &str) -> String {
    let held = match column.field_type.charset.as_str() {
        "binary" => name.to_owned(),
        _ => format!("CONVERT({name} USING utf8mb4)"),
    };
    format!("OCTET_LENGTH({held}) <= {ENTRY_LIMIT}")
}

/// A pattern as a literal. Whether backslashes escape depends on the session, hexadecimal digits do not.
fn literal(pattern: &str) -> String {
    format!("CONVERT(x'{}' USING utf8mb4)", hex::encode(pattern))
}

/// What a JSON column takes: what TiDB takes too. MariaDB's JSON_VALID, which sees to the structure, lets pass unknown
/// escapes, numbers without the digits that have to follow a sign, point or exponent, numbers beyond a double (here all that
/// may be beyond it) and keys of more bytes than TiDB's binary form can tell (here all that may have more). So the text has to
/// be made of tokens without those: one pattern, whose quantifiers give nothing back, so that it takes linear time and long
/// strings do not exhaust it; what it cannot tell is refused. JSON_VALID has to be the outermost function: by that MariaDB
/// knows JSON from text.
fn json(column: &str) -> String {
    const ESCAPE: &str = r#"\\["\\/bfnrtu]"#;
    const PLAIN: &str = r#"[^"\\]"#;
    let tokens = [
        r"[\s{}\[\],:]++".to_owned(),
        "true|false|null".to_owned(),
        format!(r#""(?:{PLAIN}++|{ESCAPE})*+"(?!\s*+:)"#),
        // Keys, in at most 2^14 characters.
        format!(r#""{PLAIN}{{0,16383}}+""#),
        format!(r#""(?:{PLAIN}{{0,255}}+{ESCAPE}){{1,63}}+{PLAIN}{{0,255}}+""#),
        // Below 10^300; without so large an exponent after so many digits that the number may have 308.
        r"(?!-?[0-9]{300})".to_owned()
            + r"(?!-?[0-9.]++[eE][+]?0*+(?:[1-9][0-9]{3}|[3-9][0-9]{2}))"
            + r"(?!-?[0-9]{9}[0-9.]*+[eE][+]?0*+[1-9][0-9]{2})"
            + r"(?!-?[0-9]{200}[0-9.]*+[eE][+]?0*+[1-9][0-9])"
            + r"-?+[0-9]++(?:[.][0-9]++)?+(?:[eE][-+]?+[0-9]++)?+",
    ];
    let pattern = format!("^(?:{})*+$", tokens.join("|"));
    let pattern = literal(&pattern);
    format!(
        " CHECK (JSON_VALID(IF(COALESCE({column} REGEXP {pattern}, {column} IS NULL), {column}, '')))"
    )
}
