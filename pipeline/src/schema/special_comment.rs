//! v4.0.9's way with TiDB's own syntax in a DDL text: regular expressions put it into special comments and leave the
//! rest as it is (spec/canal-json.md §10).

use std::sync::LazyLock;

use regex::Regex;

/// In the order in which they are tried: comment prefix, patterns over the upper-case text.
static FEATURES: LazyLock<Vec<(&str, Vec<Regex>)>> = LazyLock::new(|| {
    let patterns = |list: &[&str]| -> Vec<Regex> {
        list.iter()
            .map(|pattern| Regex::new(pattern).expect("a constant pattern"))
            .collect()
    };
    vec![
        (
            "/*!90000 ",
            patterns(&[
                r"SHARD_ROW_ID_BITS\s*=\s*\d+\s*",
                r"PRE_SPLIT_REGIONS\s*=\s*\d+\s*",
            ]),
        ),
        (
            "/*T![auto_id_cache] ",
            patterns(&[r"AUTO_ID_CACHE\s*=?\s*\d+\s*"]),
        ),
        (
            "/*T![auto_rand_base] ",
            patterns(&[r"AUTO_RANDOM_BASE\s*=?\s*\d+\s*"]),
        ),
        (
            "/*T![auto_rand] ",
            patterns(&[r"AUTO_RANDOM\b\s*(\(\s*\d+\s*\)\s*)?"]),
        ),
    ]
});

/// Wraps what only TiDB understands.
pub(super) fn wrap(query: &str) -> String {
    if query.contains("/*T!") || query.contains("/*!90000 ") {
        return query.to_owned();
    }
    FEATURES
        .iter()
        .fold(query.to_owned(), |query, (prefix, patterns)| {
            wrap_one(query, prefix, patterns)
        })
}

fn wrap_one(mut query: String, prefix: &str, patterns: &[Regex]) -> String {
    // ASCII only: byte offsets must hold in the query too.
    let mut upper = query.to_ascii_uppercase();
    let (mut found, mut first) = (Vec::new(), usize::MAX);
    for pattern in patterns {
        while let Some(place) = pattern.find(&upper).map(|place| place.range()) {
            first = first.min(place.start);
            upper.replace_range(place.clone(), "");
            found.push(query.drain(place).collect::<String>());
        }
    }
    if found.is_empty() {
        return query;
    }
    let mut text = format!("{}{prefix}", &query[..first]);
    let space = |text: &mut String| {
        if !text.ends_with(' ') {
            text.push(' ');
        }
    };
    for part in found {
        space(&mut text);
        text.push_str(&part);
    }
    space(&mut text);
    text.push_str("*/");
    if first < query.len() {
        text.push(' ');
        text.push_str(&query[first..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn only_what_tidb_understands_is_wrapped() {
        for (query, expected) in [
            ("create table t(id int)", "create table t(id int)"),
            (
                "create table ai (id bigint primary key auto_random(5)) auto_random_base=1000",
                "create table ai (id bigint primary key /*T![auto_rand] auto_random(5) */ ) /*T![auto_rand_base] auto_random_base=1000 */",
            ),
            (
                "create table r (id bigint primary key auto_random, v int)",
                "create table r (id bigint primary key /*T![auto_rand] auto_random */ , v int)",
            ),
            (
                "create table n (a int) pre_split_regions = 2 shard_row_id_bits = 4",
                "create table n (a int) /*!90000 shard_row_id_bits = 4 pre_split_regions = 2 */",
            ),
            (
                "create table n (a int) shard_row_id_bits 4 auto_id_cache 5",
                "create table n (a int) shard_row_id_bits 4 /*T![auto_id_cache] auto_id_cache 5 */",
            ),
            (
                "create table t (id int) /*!90000 SHARD_ROW_ID_BITS=1 */",
                "create table t (id int) /*!90000 SHARD_ROW_ID_BITS=1 */",
            ),
        ] {
            assert_eq!(wrap(query), expected);
        }
    }
}
