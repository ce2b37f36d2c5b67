//! Character sets and collations that TiDB's parser knows; it puts their canonical names into the tree.

/// Character sets with the collations that the parser knows of them.
const CHARSETS: [(&str, &[&str]); 6] = [
    (
        "utf8mb4",
        &[
            "bin",
            "general_ci",
            "unicode_ci",
            "icelandic_ci",
            "latvian_ci",
            "romanian_ci",
            "slovenian_ci",
            "polish_ci",
            "estonian_ci",
            "spanish_ci",
            "swedish_ci",
            "turkish_ci",
            "czech_ci",
            "danish_ci",
            "lithuanian_ci",
            "slovak_ci",
            "spanish2_ci",
            "roman_ci",
            "persian_ci",
            "esperanto_ci",
            "hungarian_ci",
            "sinhala_ci",
            "german2_ci",
            "croatian_ci",
            "unicode_520_ci",
            "vietnamese_ci",
            "0900_ai_ci",
            "0900_bin",
        ],
    ),
    (
        "utf8",
        &[
            "bin",
            "general_ci",
            "unicode_ci",
            "icelandic_ci",
            "latvian_ci",
            "romanian_ci",
            "slovenian_ci",
            "polish_ci",
            "estonian_ci",
            "spanish_ci",
            "swedish_ci",
            "turkish_ci",
            "czech_ci",
            "danish_ci",
            "lithuanian_ci",
            "slovak_ci",
            "spanish2_ci",
            "roman_ci",
            "persian_ci",
            "esperanto_ci",
            "hungarian_ci",
            "sinhala_ci",
            "german2_ci",
            "croatian_ci",
            "unicode_520_ci",
            "vietnamese_ci",
            "general_mysql500_ci",
        ],
    ),
    ("ascii", &["bin", "general_ci"]),
    (
        "latin1",
        &[
            "bin",
            "german1_ci",
            "swedish_ci",
            "danish_ci",
            "german2_ci",
            "general_ci",
            "general_cs",
            "spanish_ci",
        ],
    ),
    ("gbk", &["bin", "chinese_ci"]),
    ("binary", &[]),
];

/// Collations of character sets that TiDB lists but cannot use.
const OTHER_PREFIXES: [&str; 30] = [
    "big5", "dec8", "cp850", "hp8", "koi8r", "latin2", "swe7", "ujis", "sjis", "hebrew", "tis620",
    "euckr", "koi8u", "gb2312", "greek", "cp1250", "latin5", "armscii8", "ucs2", "cp866",
    "keybcs2", "macce", "macroman", "cp852", "latin7", "utf16", "utf16le", "cp1256", "cp1257",
    "utf32",
];

/// The canonical name of a character set.
pub(crate) fn charset(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let lower = if lower == "utf8mb3" { "utf8" } else { &lower };
    CHARSETS
        .iter()
        .find(|(charset, _)| *charset == lower)
        .map(|(charset, _)| *charset)
}

/// The canonical name of a collation.
pub(crate) fn collation(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if lower == "binary" {
        return Some(lower);
    }
    let (prefix, rest) = lower.split_once('_')?;
    if OTHER_PREFIXES.contains(&prefix) {
        return Some(lower);
    }
    let canonical = charset(prefix)?;
    let (_, known) = CHARSETS.iter().find(|(charset, _)| *charset == canonical)?;
    known.contains(&rest).then(|| format!("{canonical}_{rest}"))
}
