//! One table: its columns and keys in MariaDB are those of its description in TiKV.

use std::collections::BTreeMap;

use super::mariadb::{Key, MariaColumn, MariaTable};
use super::read::model::{flag, tp};
use super::read::{Column, Table};
use super::table::Check;

/// The key that AUTO_INCREMENT needs in MariaDB.
const OF_AUTO_INCREMENT: &str = "_tidb_auto";
/// An index without a name.
const UNNAMED: &str = "_tidb_unnamed";
const PRIMARY: &str = "primary";
/// What MariaDB keeps of a column in a key.
const MARIADB_KEY_BYTES: i64 = 3072;

impl Check<'_> {
    /// Compares the description with MariaDB's; whether the columns are the same ones, so that rows can be compared.
    pub(super) fn shape(&mut self, theirs: &MariaTable) -> bool {
        if let Some(why) = differing_columns(self.table, &theirs.columns) {
            self.fault(why);
            return false;
        }
        let mut faults = Vec::new();
        for column in self.table.columns.iter().filter(|c| c.is_public()) {
            let same = |c: &&MariaColumn| lower_case(&c.name) == column.name.lower;
            if let Some(theirs) = theirs.columns.iter().find(same) {
                faults.extend(differing_type(self.table, column, theirs));
            }
        }
        let ours = keys(self.table);
        for (name, key) in &ours {
            match theirs.keys.get(name) {
                None => faults.push(format!("MariaDB does not have the key {name}")),
                Some(other) if !is_kept(key, other) => faults.push(format!(
                    "key {name} is {} in TiKV, {} in MariaDB",
                    shown(key),
                    shown(other)
                )),
                Some(_) => {}
            }
        }
        let known = |name: &&String| *name == OF_AUTO_INCREMENT || ours.contains_key(*name);
        for name in theirs.keys.keys().filter(|name| !known(name)) {
            faults.push(format!("key {name} is in MariaDB alone"));
        }
        faults.into_iter().for_each(|fault| self.fault(fault));
        true
    }
}

/// How the columns differ. Those that stand for an index's expression may be anywhere in MariaDB.
fn differing_columns(table: &Table, theirs: &[MariaColumn]) -> Option<String> {
    let public = table.columns.iter().filter(|c| c.is_public());
    let (hidden, ours): (Vec<&Column>, Vec<&Column>) = public.partition(|c| c.hidden);
    let lower = |columns: &[&Column]| -> Vec<String> {
        let names = columns.iter().map(|c| c.name.lower.clone());
        names.collect()
    };
    let (hidden, ours) = (lower(&hidden), lower(&ours));
    let theirs: Vec<String> = theirs.iter().map(|c| lower_case(&c.name)).collect();
    let seen = theirs.iter().filter(|name| !hidden.contains(name));
    let same = seen.eq(&ours) && hidden.iter().all(|name| theirs.contains(name));
    (!same)
        .then(|| format!("its columns are {ours:?} and {hidden:?} in TiKV, {theirs:?} in MariaDB"))
}

/// How a column's type differs. A generated column is NOT NULL by a constraint there, one of AUTO_INCREMENT always.
fn differing_type(table: &Table, column: &Column, theirs: &MariaColumn) -> Option<String> {
    let name = &column.name.original;
    let (ours, there) = (kind(column)?, without_width(column, &theirs.kind));
    if ours != there {
        return Some(format!(
            "{name} is of type {ours} in TiKV, {there} in MariaDB"
        ));
    }
    if let Some(collation) = collation(table, column)
        && collation != theirs.collation
    {
        return Some(format!(
            "{name} needs the collation {collation} in MariaDB, it has {:?}",
            theirs.collation
        ));
    }
    let nullable = !column.field_type.has(flag::NOT_NULL);
    let told = !column.is_generated() && !column.field_type.has(flag::AUTO_INCREMENT);
    (told && nullable != theirs.nullable).then(|| format!("{name} may be NULL on one side alone"))
}

/// A type in MariaDB's words, integers without their widths; none if those do not tell it.
fn kind(column: &Column) -> Option<String> {
    let ft = &column.field_type;
    let pick = |text: &str, bytes: &str| match ft.is_text() {
        true => text.to_owned(),
        false => bytes.to_owned(),
    };
    let fraction = |name: &str| match ft.fraction() {
        0 => name.to_owned(),
        n => format!("{name}({n})"),
    };
    let digits = |name: &str| match ft.decimal {
        ..0 => name.to_owned(),
        scale => format!("{name}({},{scale})", ft.flen),
    };
    let members = |name: &str| {
        let members: Vec<String> = ft.elems.iter().map(|member| literal(member)).collect();
        // MariaDB tells of those in three bytes of UTF-8.
        let told = ft.elems.iter().all(|m| m.chars().all(|c| c <= '\u{ffff}'));
        told.then(|| format!("{name}({})", members.join(",")))
    };
    let mut out = match ft.tp {
        tp::TINY => "tinyint".to_owned(),
        tp::SHORT => "smallint".to_owned(),
        tp::INT24 => "mediumint".to_owned(),
        tp::LONG => "int".to_owned(),
        tp::LONG_LONG => "bigint".to_owned(),
        tp::FLOAT => digits("float"),
        tp::DOUBLE => digits("double"),
        tp::DECIMAL => digits("decimal"),
        tp::DATE => "date".to_owned(),
        tp::DATETIME => fraction("datetime"),
        tp::TIMESTAMP => fraction("timestamp"),
        tp::TIME => fraction("time"),
        tp::YEAR => "year(4)".to_owned(),
        tp::BIT => format!("bit({})", ft.flen),
        tp::JSON => "longtext".to_owned(),
        tp::ENUM => members("enum")?,
        tp::SET => members("set")?,
        tp::VARCHAR | tp::VAR_STRING => format!("{}({})", pick("varchar", "varbinary"), ft.flen),
        tp::STRING => format!("{}({})", pick("char", "binary"), ft.flen),
        tp::TINY_BLOB => pick("tinytext", "tinyblob"),
        tp::BLOB => pick("text", "blob"),
        tp::MEDIUM_BLOB => pick("mediumtext", "mediumblob"),
        tp::LONG_BLOB => pick("longtext", "longblob"),
        _ => return None,
    };
    let is_number = ft.is_integer() || matches!(ft.tp, tp::FLOAT | tp::DOUBLE | tp::DECIMAL);
    if is_number && ft.has(flag::UNSIGNED) {
        out.push_str(" unsigned");
    }
    Some(out)
}

/// MariaDB's type; of an integer without the width, which says nothing about values.
fn without_width(column: &Column, kind: &str) -> String {
    match (kind.split_once('('), column.field_type.is_integer()) {
        (Some((name, rest)), true) => {
            let behind = rest.split_once(')').map_or("", |(_, behind)| behind);
            format!("{name}{behind}")
        }
        _ => kind.to_owned(),
    }
}

fn literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("''"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The collation of MariaDB's by which a text compares as in TiDB; without new collations by its bytes.
fn collation(table: &Table, column: &Column) -> Option<String> {
    let ft = &column.field_type;
    let has_one = ft.is_string() || matches!(ft.tp, tp::ENUM | tp::SET);
    if !has_one || ft.charset == "binary" {
        return None;
    }
    if !table.new_collations() {
        let charset = match ft.charset.as_str() {
            "utf8" => "utf8mb3",
            _ => "utf8mb4",
        };
        return Some(format!("{charset}_nopad_bin"));
    }
    Some(match ft.collate.as_str() {
        "utf8mb4_0900_ai_ci" => "utf8mb4_uca1400_nopad_ai_ci".to_owned(),
        "utf8mb4_0900_bin" => "utf8mb4_nopad_bin".to_owned(),
        // TiDB's latin1 holds UTF-8.
        "latin1_bin" => "utf8mb4_bin".to_owned(),
        other => match other.strip_prefix("utf8_") {
            Some(rest) => format!("utf8mb3_{rest}"),
            None => other.to_owned(),
        },
    })
}

/// The keys that the description asks for, by name in lower case.
fn keys(table: &Table) -> BTreeMap<String, Key> {
    let mut out = BTreeMap::new();
    if let Some(offset) = table.handle_column() {
        let column = table.columns[offset].name.lower.clone();
        let key = Key {
            unique: true,
            parts: vec![(column, None)],
        };
        out.insert(PRIMARY.to_owned(), key);
    }
    for index in table.public_indexes() {
        let parts = index.parts.iter().filter_map(|part| {
            let column = table.columns.get(part.offset)?;
            let whole = part.length < 0 || part.length == column.field_type.flen;
            Some((column.name.lower.clone(), (!whole).then_some(part.length)))
        });
        let key = Key {
            unique: index.is_unique || index.is_primary,
            parts: parts.collect(),
        };
        let name = match index.name.lower.as_str() {
            _ if index.is_primary => PRIMARY,
            "" => UNNAMED,
            name => name,
        };
        out.insert(name.to_owned(), key);
    }
    out
}

/// Whether MariaDB has the key, though it may hold less of long values: that is no matter of what is unique.
fn is_kept(key: &Key, theirs: &Key) -> bool {
    let shortened = |own: Option<i64>, length: Option<i64>| {
        let is_limit = |length| (1..=4).any(|width| length == MARIADB_KEY_BYTES / width);
        length.is_some_and(|length| is_limit(length) && own.is_none_or(|own| own > length))
    };
    key.unique == theirs.unique
        && key.parts.len() == theirs.parts.len()
        && key.parts.iter().zip(&theirs.parts).all(|(own, other)| {
            own.0 == other.0 && (own.1 == other.1 || !key.unique && shortened(own.1, other.1))
        })
}

fn shown(key: &Key) -> String {
    let parts = key.parts.iter().map(|(column, length)| match length {
        Some(length) => format!("{column}({length})"),
        None => column.clone(),
    });
    let parts: Vec<String> = parts.collect();
    let unique = if key.unique { "unique " } else { "" };
    format!("{unique}({})", parts.join(", "))
}

/// As TiDB has it: each character by itself, which becomes one other.
fn lower_case(name: &str) -> String {
    let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
    name.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_may_hold_less_of_long_values_in_keys_that_are_not_unique() {
        let key = |unique, length| Key {
            unique,
            parts: vec![("a".to_owned(), length)],
        };
        assert!(is_kept(&key(false, None), &key(false, Some(768))));
        assert!(is_kept(&key(false, Some(2000)), &key(false, Some(1024))));
        assert!(is_kept(&key(true, Some(9)), &key(true, Some(9))));
        for (own, other) in [
            (key(true, None), key(true, Some(768))),
            (key(false, None), key(false, Some(700))),
            (key(false, Some(9)), key(false, Some(768))),
            (key(false, None), key(true, None)),
        ] {
            assert!(!is_kept(&own, &other), "{own:?} {other:?}");
        }
    }
}
