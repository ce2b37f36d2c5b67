//! The messages, applied one after the other to empty tables, give the rows that TiDB shows.
//!
//! A row's message says what was there before, and it must have been there: nothing is lost, repeated or turned around
//! unseen. A table's columns may change on the way; rows written before are then compared in the columns that they share
//! with the table.

use std::collections::{BTreeMap, HashMap, HashSet};

use regex::Regex;

use super::Evidence;
use crate::scenario::cell::{self, Cell};
use crate::scenario::message::{Message, Row};
use crate::scenario::tables::Table;

/// Differences that are named of one table.
const NAMED: usize = 5;

/// What does not add up.
pub fn check(messages: &[&Message], evidence: &Evidence) -> Vec<String> {
    if evidence.options.filters_events {
        // What is left out on purpose is missing.
        return Vec::new();
    }
    let mut replay = Replay {
        tables: HashMap::new(),
        wrong: Vec::new(),
    };
    for message in in_one_order(messages) {
        replay.apply(message);
    }
    let Replay {
        tables, mut wrong, ..
    } = replay;
    let none = Rows::default();
    for table in &evidence.tables {
        let rows = tables.get(&table.place()).unwrap_or(&none);
        let replicated = table.eligible || evidence.options.force_replicate;
        if replicated {
            wrong.extend(compare(table, rows, evidence));
        }
    }
    let existing: HashSet<String> = evidence.tables.iter().map(Table::place).collect();
    let mut gone: Vec<&String> = tables
        .iter()
        .filter(|(place, rows)| !existing.contains(*place) && !rows.is_empty())
        .map(|(place, _)| place)
        .collect();
    gone.sort();
    wrong.extend(gone.into_iter().map(|place| {
        format!("the messages leave rows in {place}, and there is no such table any more")
    }));
    wrong
}

/// One partition has an order; several are put in the order of commits, and a DDL that is in all of them counts once.
fn in_one_order<'a>(messages: &[&'a Message]) -> Vec<&'a Message> {
    let mut ordered = messages.to_vec();
    let first = messages.first().map(|message| message.partition);
    if messages
        .iter()
        .all(|message| Some(message.partition) == first)
    {
        return ordered;
    }
    let mut ddls = HashSet::new();
    ordered.retain(|message| !message.is_ddl || ddls.insert(&message.text));
    ordered.sort_by_key(|message| (message.es, message.commit_ts));
    ordered
}

/// A table's rows while messages are applied.
#[derive(Default)]
struct Rows {
    /// Of a table with a primary key, by its text.
    keyed: BTreeMap<String, Kept>,
    /// Of a table without.
    others: Vec<Kept>,
}

impl Rows {
    fn all(&self) -> impl Iterator<Item = &Kept> {
        self.keyed.values().chain(&self.others)
    }

    fn is_empty(&self) -> bool {
        self.keyed.is_empty() && self.others.is_empty()
    }
}

/// What the table's DDLs since a row was written leave of our knowledge of it. What they make of its values is in no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// Nothing happened.
    Fresh,
    /// Columns came or went.
    Extended,
    /// Columns may have another type or name.
    Retyped,
}

struct Kept {
    row: Row,
    age: Age,
}

impl Kept {
    /// Whether this can be the row that a later message shows, all of it or some columns.
    fn is(&self, part: &Row) -> bool {
        part.iter().all(|(name, value)| {
            let known = self.row.iter().find(|(known, _)| known == name);
            match known {
                Some((_, known)) => known == value || self.age == Age::Retyped,
                None => self.age != Age::Fresh,
            }
        })
    }
}

struct Replay {
    tables: HashMap<String, Rows>,
    wrong: Vec<String>,
}

impl Replay {
    fn apply(&mut self, message: &Message) {
        if message.is_ddl {
            return self.ddl(message);
        }
        let Some(data) = message.data.row() else {
            return;
        };
        let rows = self.tables.entry(message.place()).or_default();
        let new = || Kept {
            row: data.clone(),
            age: Age::Fresh,
        };
        let keyed = message
            .pk_names
            .as_ref()
            .is_some_and(|names| !names.is_empty());
        // What the row was before, as far as the message says it.
        let before: Option<Row> = match (message.kind.as_str(), message.old.row()) {
            ("INSERT", _) => None,
            ("UPDATE", Some(old)) => Some(old.clone()),
            (_, _) => Some(data.clone()),
        };
        let outcome = match keyed {
            true => {
                let key = |row: &Row| format!("{:?}", message.key_of(row));
                let old_key = before.as_ref().map(|old| key(&over(data, old)));
                let taken = old_key.as_ref().map(|key| rows.keyed.remove(key));
                let outcome = judge(message, before.as_ref(), taken.as_ref());
                if message.kind != "DELETE" && rows.keyed.insert(key(data), new()).is_some() {
                    Err("there is such a row already".to_owned())
                } else {
                    outcome
                }
            }
            false => {
                let place = before
                    .as_ref()
                    .and_then(|old| rows.others.iter().position(|kept| kept.is(old)));
                let taken = before
                    .as_ref()
                    .map(|_| place.map(|place| rows.others.swap_remove(place)));
                if message.kind != "DELETE" {
                    rows.others.push(new());
                }
                judge(message, before.as_ref(), taken.as_ref())
            }
        };
        if let Err(what) = outcome {
            let position = message.position();
            self.wrong.push(format!(
                "{what}, for the message at {position}\n  {}",
                message.text
            ));
        }
    }

    fn ddl(&mut self, message: &Message) {
        let place = message.place();
        match message.kind.as_str() {
            "TRUNCATE" | "ERASE" => drop(self.tables.remove(&place)),
            "RENAME" => match renamed(&message.sql, &message.database) {
                Some(from) => {
                    let rows = self.tables.remove(&from).unwrap_or_default();
                    self.tables.insert(place, rows);
                }
                None => self
                    .wrong
                    .push(format!("which table was renamed? {}", message.text)),
            },
            "QUERY" if message.table.is_empty() => {
                let mut words = message.sql.split_whitespace().map(str::to_uppercase);
                let second = |word: &str| word == "DATABASE" || word == "SCHEMA";
                if words.next().as_deref() == Some("DROP")
                    && words.next().is_some_and(|w| second(&w))
                {
                    let prefix = format!("{}.", message.database);
                    self.tables.retain(|place, _| !place.starts_with(&prefix));
                }
            }
            _ => {
                let rows = self.tables.entry(place).or_default();
                let (age, dropped) = effect(&message.sql);
                for kept in rows.keyed.values_mut().chain(&mut rows.others) {
                    kept.age = kept.age.max(age);
                    kept.row
                        .retain(|(name, _)| !dropped.contains(&name.to_lowercase()));
                }
            }
        }
    }
}

/// A row in which some columns had other values.
fn over(row: &Row, old: &Row) -> Row {
    row.iter()
        .map(|(name, value)| {
            let before = old.iter().find(|(known, _)| known == name);
            (
                name.clone(),
                before.map_or(value, |(_, value)| value).clone(),
            )
        })
        .collect()
}

fn judge(
    message: &Message,
    before: Option<&Row>,
    taken: Option<&Option<Kept>>,
) -> Result<(), String> {
    match (before, taken) {
        (None, _) => Ok(()),
        (Some(before), Some(Some(kept))) if kept.is(before) => Ok(()),
        (Some(_), Some(Some(kept))) => {
            let known = shown(&kept.row);
            Err(format!("the row was {known} before this {}", message.kind))
        }
        (Some(_), _) => Err(format!("there is no such row before this {}", message.kind)),
    }
}

fn shown(row: &Row) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL")))
        .collect();
    format!("({})", cells.join(", "))
}

/// The old place of a renamed table, from the statement.
fn renamed(sql: &str, database: &str) -> Option<String> {
    const NAME: &str = r"(?:(?:`(?P<qd>(?:[^`]|``)+)`|(?P<d>[\w$]+))\s*\.\s*)?(?:`(?P<qt>(?:[^`]|``)+)`|(?P<t>[\w$]+))";
    let pattern = format!(r"(?is)^\s*(?:RENAME\s+TABLE|ALTER\s+TABLE)\s+{NAME}\s+(?:TO|RENAME)\b");
    let found = Regex::new(&pattern).ok()?.captures(sql)?;
    let part = |quoted: &str, plain: &str| {
        let quoted = found.name(quoted).map(|m| m.as_str().replace("``", "`"));
        quoted.or_else(|| found.name(plain).map(|m| m.as_str().to_owned()))
    };
    let database = part("qd", "d").unwrap_or_else(|| database.to_owned());
    Some(format!("{database}.{}", part("qt", "t")?))
}

/// What an ALTER does to the rows that are there, and the columns that it drops, in lower case.
fn effect(sql: &str) -> (Age, Vec<String>) {
    let retypes = Regex::new(r"(?i)\b(MODIFY|CHANGE|RENAME|CONVERT|CHARSET|CHARACTER|COLLATE)\b");
    let drops =
        Regex::new(r"(?i)\bDROP\s+(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?(?:`((?:[^`]|``)+)`|([\w$]+))");
    let (Ok(retypes), Ok(drops)) = (retypes, drops) else {
        return (Age::Retyped, Vec::new());
    };
    let age = if retypes.is_match(sql) {
        Age::Retyped
    } else {
        Age::Extended
    };
    let name = |found: regex::Captures<'_>| {
        let name = found.get(1).or_else(|| found.get(2));
        name.map(|name| name.as_str().replace("``", "`").to_lowercase())
    };
    (age, drops.captures_iter(sql).filter_map(name).collect())
}

/// The rows of the messages against those of TiDB.
fn compare(table: &Table, rows: &Rows, evidence: &Evidence) -> Vec<String> {
    let cells = |kept: &Kept| -> Vec<Option<Cell>> {
        table
            .columns
            .iter()
            .map(|column| {
                let found = kept.row.iter().find(|(name, _)| *name == column.name);
                found.map(|(_, value)| cell::of_canal(column, evidence.dialect, value.as_deref()))
            })
            .collect()
    };
    let mut left: Vec<(Vec<Option<Cell>>, Age)> =
        rows.all().map(|kept| (cells(kept), kept.age)).collect();
    let key = table.primary_key();
    let mut differences = Vec::new();
    for row in &table.rows {
        let equal = |(found, age): &(Vec<Option<Cell>>, Age)| {
            found
                .iter()
                .zip(row)
                .enumerate()
                .all(|(place, (found, cell))| match found {
                    Some(found) => found == cell || (*age == Age::Retyped && !key.contains(&place)),
                    None => *age != Age::Fresh,
                })
        };
        match left.iter().position(equal) {
            Some(place) => drop(left.swap_remove(place)),
            None => differences.push(format!(
                "only in TiDB: {}",
                listed(table, row.iter().map(Some))
            )),
        }
    }
    let surplus = left.iter().map(|(found, _)| {
        format!(
            "only in the messages: {}",
            listed(table, found.iter().map(Option::as_ref))
        )
    });
    differences.extend(surplus);
    if differences.is_empty() {
        return Vec::new();
    }
    let count = differences.len();
    differences.truncate(NAMED);
    let more = if count > NAMED {
        format!("\n  … {} more", count - NAMED)
    } else {
        String::new()
    };
    vec![format!(
        "the rows of {} and of its messages differ\n  {}{more}",
        table.place(),
        differences.join("\n  ")
    )]
}

fn listed<'a>(table: &Table, cells: impl Iterator<Item = Option<&'a Cell>>) -> String {
    let cells: Vec<String> = table
        .columns
        .iter()
        .zip(cells)
        .map(|(column, cell)| {
            let text = match cell {
                None => "(not there)",
                Some(None) => "NULL",
                Some(Some(text)) => text.as_str(),
            };
            format!("{}={text}", column.name)
        })
        .collect();
    format!("({})", cells.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_understood() {
        let sql = "ALTER TABLE `t` DROP COLUMN `A``b`, drop if exists c, ADD COLUMN dropped INT";
        assert_eq!(
            effect(sql),
            (Age::Extended, vec!["a`b".to_owned(), "c".to_owned()])
        );
        assert_eq!(effect("alter table t modify a bigint").0, Age::Retyped);
    }

    #[test]
    fn renames_are_understood_in_both_dialects() {
        for (sql, from) in [
            ("rename table a to d2.a2, b to b2", Some("test.a")),
            ("RENAME TABLE `d2`.`a``x` TO `test`.`a`", Some("d2.a`x")),
            ("alter table d1.t1x rename as d2.t", Some("d1.t1x")),
            ("ALTER TABLE `t` RENAME AS `u`", Some("test.t")),
            ("ALTER TABLE t ADD COLUMN x INT", None),
        ] {
            assert_eq!(renamed(sql, "test").as_deref(), from, "{sql}");
        }
    }
}
