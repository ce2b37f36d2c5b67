//! What changed, from whoever tells it: of each key the rows before and after, transaction by transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use harness::observe::flink::table::Column;
use harness::scenario::cell::Cell;

/// Differences that are shown.
const SHOWN: usize = 12;

/// A value: what is compared, and how it was told.
#[derive(Debug, Clone)]
pub struct Value {
    pub cell: Cell,
    pub told: String,
}

/// A row by column.
pub type Image = BTreeMap<String, Value>;
/// A table and the cells of a key.
pub type Key = (String, Vec<Cell>);

/// One change of one row, as it is told.
pub struct Told {
    pub table: String,
    /// Of one transaction they have the same number, and later ones a greater one.
    pub transaction: u64,
    pub before: Option<Image>,
    pub after: Option<Image>,
}

/// The rows of a key before and after a transaction.
#[derive(Debug, Clone)]
pub struct Change {
    pub transaction: u64,
    pub before: Option<Image>,
    pub after: Option<Image>,
}

/// Of a table its columns, in order, and those of its key.
pub struct Shape {
    pub columns: Vec<Column>,
    pub key: &'static [&'static str],
}

/// The tables that are compared.
pub type Shapes = BTreeMap<&'static str, Shape>;

/// All changes.
#[derive(Debug, Default)]
pub struct History {
    pub by_key: BTreeMap<Key, Vec<Change>>,
    /// Transactions that told of a row what it had been before: they change nothing.
    pub unchanged: usize,
}

fn same(left: Option<&Image>, right: Option<&Image>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| {
                    right
                        .get(name)
                        .is_some_and(|other| other.cell == value.cell)
                })
        }
        _ => false,
    }
}

fn key(shapes: &Shapes, table: &str, image: &Image) -> Result<Key, String> {
    let shape = shapes
        .get(table)
        .ok_or_else(|| format!("a row of table {table}, which nobody follows"))?;
    let cells = shape.key.iter().map(|column| {
        let value = image
            .get(*column)
            .ok_or_else(|| format!("a row of {table} without {column}"))?;
        Ok(value.cell.clone())
    });
    Ok((table.to_owned(), cells.collect::<Result<_, String>>()?))
}

impl History {
    /// From changes in the order in which they were told, the transactions of each table one after the other. What happens to a key
    /// in one transaction is told as one change, whatever the number it is told in: TiKV has one version of a row by transaction.
    pub fn of(shapes: &Shapes, told: impl IntoIterator<Item = Told>) -> Result<History, String> {
        let mut history = History::default();
        for Told {
            table,
            transaction,
            before,
            after,
        } in told
        {
            let of = |image: &Option<Image>| {
                image
                    .as_ref()
                    .map(|image| key(shapes, &table, image))
                    .transpose()
            };
            let (from, to) = (of(&before)?, of(&after)?);
            match (from, to) {
                (Some(from), Some(to)) if from == to => {
                    history.add(from, transaction, before, after)?
                }
                (from, to) => {
                    if let Some(from) = from {
                        history.add(from, transaction, before, None)?;
                    }
                    if let Some(to) = to {
                        history.add(to, transaction, None, after)?;
                    }
                }
            }
        }
        for changes in history.by_key.values_mut() {
            let all = changes.len();
            changes.retain(|change| !same(change.before.as_ref(), change.after.as_ref()));
            history.unchanged += all - changes.len();
        }
        history.by_key.retain(|_, changes| !changes.is_empty());
        Ok(history)
    }

    fn add(
        &mut self,
        key: Key,
        transaction: u64,
        before: Option<Image>,
        after: Option<Image>,
    ) -> Result<(), String> {
        let (table, cells) = &key;
        let place = format!("{table} {cells:?}, transaction {transaction}");
        let changes = self.by_key.entry(key).or_default();
        if let Some(last) = changes.last() {
            if last.transaction > transaction {
                return Err(format!(
                    "{place} is told after transaction {}",
                    last.transaction
                ));
            }
            // A statement may insert a row before it tells that the one there was deleted, in messages that are ordered by kind.
            if !same(last.after.as_ref(), before.as_ref()) {
                let (last, before) = (shown(last.after.as_ref()), shown(before.as_ref()));
                return Err(format!(
                    "{place}: the row was\n    {last}\n  and is told to have been\n    {before}"
                ));
            }
        }
        match changes
            .last_mut()
            .filter(|last| last.transaction == transaction)
        {
            Some(last) => last.after = after,
            None => changes.push(Change {
                transaction,
                before,
                after,
            }),
        }
        Ok(())
    }

    /// Changes of rows, all keys'.
    pub fn len(&self) -> usize {
        self.by_key.values().map(Vec::len).sum()
    }

    /// The keys that are changed by each transaction, in order.
    fn transactions(&self) -> Vec<Vec<&Key>> {
        let mut by_transaction: BTreeMap<u64, Vec<&Key>> = BTreeMap::new();
        for (key, changes) in &self.by_key {
            for change in changes {
                by_transaction
                    .entry(change.transaction)
                    .or_default()
                    .push(key);
            }
        }
        by_transaction.into_values().collect()
    }

    /// How another history differs from this one in substance; none if it does not.
    pub fn differs(&self, other: &History, with_transactions: bool) -> Option<String> {
        let mut found = Vec::new();
        let keys = self.by_key.keys().chain(
            other
                .by_key
                .keys()
                .filter(|key| !self.by_key.contains_key(*key)),
        );
        let none = Vec::new();
        for key in keys {
            let of = |history: &'_ History| history.by_key.get(key).cloned().unwrap_or_default();
            let (ours, theirs) = (self.by_key.get(key).unwrap_or(&none), of(other));
            let equal = |(ours, theirs): (&Change, &Change)| {
                same(ours.before.as_ref(), theirs.before.as_ref())
                    && same(ours.after.as_ref(), theirs.after.as_ref())
            };
            if ours.len() == theirs.len() && ours.iter().zip(&theirs).all(equal) {
                continue;
            }
            let at = ours
                .iter()
                .zip(&theirs)
                .take_while(|pair| equal(*pair))
                .count();
            let (table, cells) = key;
            let mut text = format!(
                "{table} {cells:?}: {} changes and {}, from change {}:",
                ours.len(),
                theirs.len(),
                at + 1
            );
            match (ours.get(at), theirs.get(at)) {
                (Some(ours), Some(theirs)) => {
                    text += &unlike("before", ours.before.as_ref(), theirs.before.as_ref());
                    text += &unlike("after", ours.after.as_ref(), theirs.after.as_ref());
                }
                (ours, theirs) => {
                    for (who, change) in [("ours", ours), ("theirs", theirs)] {
                        let Some(change) = change else {
                            let _ = write!(text, "\n  {who}: none");
                            continue;
                        };
                        let (before, after) =
                            (shown(change.before.as_ref()), shown(change.after.as_ref()));
                        let _ = write!(text, "\n  {who}: {before}\n    -> {after}");
                    }
                }
            }
            found.push(text);
        }
        if found.is_empty() && with_transactions && self.transactions() != other.transactions() {
            found.push("the same changes, but not in the same transactions".to_owned());
        }
        let count = found.len();
        found.truncate(SHOWN);
        (count > 0).then(|| format!("{count} keys differ\n{}", found.join("\n")))
    }

    /// Where values are told in another way, by type: an example of each, ours first.
    pub fn encodings(
        &self,
        other: &History,
        shapes: &Shapes,
    ) -> BTreeMap<String, (String, String)> {
        let mut found = BTreeMap::new();
        for (key, changes) in &self.by_key {
            let theirs = other.by_key.get(key).into_iter().flatten();
            for (ours, theirs) in changes.iter().zip(theirs) {
                for (ours, theirs) in [(&ours.before, &theirs.before), (&ours.after, &theirs.after)]
                {
                    let (Some(ours), Some(theirs)) = (ours, theirs) else {
                        continue;
                    };
                    for column in shapes
                        .get(key.0.as_str())
                        .iter()
                        .flat_map(|shape| &shape.columns)
                    {
                        let (Some(ours), Some(theirs)) =
                            (ours.get(&column.name), theirs.get(&column.name))
                        else {
                            continue;
                        };
                        if ours.told != theirs.told {
                            let pair = (brief(&ours.told), brief(&theirs.told));
                            found.entry(column.column_type.clone()).or_insert(pair);
                        }
                    }
                }
            }
        }
        found
    }
}

/// How two rows differ: columns with other values, ours first.
fn unlike(when: &str, ours: Option<&Image>, theirs: Option<&Image>) -> String {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return match same(ours, theirs) {
            true => String::new(),
            false => format!("\n  {when}: {} | {}", shown(ours), shown(theirs)),
        };
    };
    let mut text = String::new();
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        let (ours, theirs) = (
            ours.get(name).map(|value| &value.cell),
            theirs.get(name).map(|value| &value.cell),
        );
        if ours != theirs {
            let _ = write!(text, "\n  {when}: {name} is {ours:?} | {theirs:?}");
        }
    }
    text
}

fn brief(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn shown(image: Option<&Image>) -> String {
    let Some(image) = image else {
        return "no row".to_owned();
    };
    let cells = image.iter().map(|(name, value)| match &value.cell {
        None => format!("{name}=NULL"),
        Some(cell) => format!("{name}={}", brief(cell)),
    });
    cells.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> Shapes {
        let column = |name: &str| Column {
            name: name.to_owned(),
            data_type: "int".to_owned(),
            column_type: "int(11)".to_owned(),
            primary: name == "id",
        };
        let columns = vec![column("id"), column("v")];
        Shapes::from([(
            "t",
            Shape {
                columns,
                key: &["id"],
            },
        )])
    }

    fn row(id: i32, v: i32) -> Option<Image> {
        let value = |number: i32| Value {
            cell: Some(number.to_string()),
            told: number.to_string(),
        };
        Some(Image::from([
            ("id".to_owned(), value(id)),
            ("v".to_owned(), value(v)),
        ]))
    }

    fn history(told: Vec<(u64, Option<Image>, Option<Image>)>) -> Result<History, String> {
        let told = told.into_iter().map(|(transaction, before, after)| Told {
            table: "t".to_owned(),
            transaction,
            before,
            after,
        });
        History::of(&shapes(), told)
    }

    #[test]
    fn what_a_transaction_does_to_a_key_is_one_change() {
        let once = vec![
            (1, None, row(1, 1)),
            (7, row(1, 1), None),
            (7, None, row(2, 3)),
        ];
        let once = history(once).unwrap();
        let twice = vec![
            (1, None, row(1, 1)),
            (2, row(1, 1), row(1, 2)),
            (2, row(1, 2), row(2, 3)),
        ];
        let twice = history(twice).unwrap();
        assert_eq!(once.differs(&twice, true), None);
        let and_back = vec![
            (1, None, row(1, 1)),
            (2, row(1, 1), None),
            (2, None, row(1, 1)),
        ];
        assert_eq!(history(and_back).unwrap().unchanged, 1);
    }

    #[test]
    fn what_differs_is_found() {
        let ours = history(vec![(1, None, row(1, 1)), (2, None, row(2, 2))]).unwrap();
        let value = history(vec![(1, None, row(1, 1)), (2, None, row(2, 9))]).unwrap();
        assert!(ours.differs(&value, true).unwrap().contains("Some(\"9\")"));
        let lost = history(vec![(1, None, row(1, 1))]).unwrap();
        assert!(ours.differs(&lost, true).unwrap().contains("theirs: none"));
        let together = history(vec![(1, None, row(1, 1)), (1, None, row(2, 2))]).unwrap();
        assert!(
            ours.differs(&together, true)
                .unwrap()
                .contains("transactions")
        );
        assert_eq!(ours.differs(&together, false), None);
        let gap = history(vec![(1, None, row(1, 1)), (2, row(1, 5), row(1, 6))]);
        assert!(gap.unwrap_err().contains("told to have been"));
    }
}
