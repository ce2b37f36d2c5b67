//! Views and sequences: MariaDB has those of the schema in TiKV, and sequences are as far as there.

use std::collections::BTreeMap;

use super::mariadb::{Object, SequenceRow, TableName};
use super::read::Table;
use super::read::model::Sequence;
use super::read::schema::{Database, Schema};
use super::report::Report;

/// What MariaDB has beside tables.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    pub(super) schema: &'a Schema,
    /// Before MariaDB's snapshot was taken.
    pub(super) before: &'a BTreeMap<TableName, SequenceRow>,
    /// After it.
    pub(super) after: &'a BTreeMap<TableName, SequenceRow>,
}

impl Objects<'_> {
    /// Checks a view or a sequence. `theirs` is what MariaDB has under its name.
    pub(super) fn check(
        &self,
        database: &Database,
        table: &Table,
        theirs: Option<Object>,
        report: &mut Report,
    ) {
        let name = format!("{}.{}", database.name, table.name.original);
        match (&table.sequence, theirs) {
            (None, Some(Object::View)) => report.views += 1,
            (None, _) => report.fault(format!("MariaDB does not have the view {name}")),
            (Some(sequence), Some(Object::Sequence)) => {
                report.sequences += 1;
                let key = (database.name.clone(), table.name.lower.clone());
                let counter = format!("SID:{}", table.id);
                let taken = database.counters.get(&counter).copied();
                match (self.before.get(&key), self.after.get(&key)) {
                    (Some(before), Some(after)) if before == after => {
                        self.sequence(&name, table.id, sequence, taken, after, report);
                    }
                    (_, Some(_)) => report
                        .not_compared
                        .push(format!("sequence {name}: its values were taken meanwhile")),
                    (_, None) => report.fault(format!("sequence {name} has no row in MariaDB")),
                }
            }
            (Some(_), _) => report.fault(format!("MariaDB does not have the sequence {name}")),
        }
    }

    /// Compares a sequence that nobody took a value of meanwhile.
    fn sequence(
        &self,
        name: &str,
        id: i64,
        sequence: &Sequence,
        taken: Option<i64>,
        theirs: &SequenceRow,
        report: &mut Report,
    ) {
        let Sequence {
            start,
            cycle,
            min,
            max,
            increment,
        } = *sequence;
        let options = [min, max, start, increment, i64::from(cycle)];
        if options != theirs.options {
            report.fault(format!(
                "sequence {name}: minimum, maximum, start, increment and cycle are {options:?} in TiKV, {:?} in MariaDB",
                theirs.options
            ));
        }
        let next = theirs.next;
        // Before the first value TiKV has the one before it; ALTER SEQUENCE changes the increment and not the last value.
        let made = self.schema.made.get(&id);
        let increments = made.into_iter().flat_map(|made| made.increments.iter());
        let steps = increments.copied().chain([increment, increment.signum()]);
        let mut may_be = steps.map(|step| next.saturating_sub(step));
        if taken.is_none_or(|taken| !may_be.any(|last| last == taken)) {
            let taken = taken.map_or_else(|| "nowhere".to_owned(), |n| n.to_string());
            report.fault(format!(
                "sequence {name}: its last value, SID, stands at {taken} in TiKV, the next one is {next} in MariaDB"
            ));
        }
    }
}
