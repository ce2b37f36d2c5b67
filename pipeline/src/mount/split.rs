//! Updates that change a key go out as a delete and an insert (spec/canal-json.md §9).

use bytes::Bytes;

use crate::{
    compat::Release,
    model::{ChangeKind, Op, RawKv},
};

use super::{MountError, RowEvent, TextRules};

/// What is done with an update that changes a key column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitRule {
    /// It stays one update.
    Keep,
    /// It becomes a delete and an insert, and its transaction is re-sorted delete, update, insert; if the transaction has as
    /// many changes in the table.
    Split {
        /// How many.
        from: usize,
    },
}

impl SplitRule {
    /// The rule of `release`; `output_raw_change_event` is the changefeed's option.
    pub fn new(release: Release, output_raw_change_event: bool) -> Self {
        match release.splits_updates_from() {
            Some(from) if !(output_raw_change_event && release.has_raw_changes()) => {
                SplitRule::Split { from }
            }
            _ => SplitRule::Keep,
        }
    }

    /// Whether the updates of so many changes are looked at.
    fn splits(self, changes: usize) -> bool {
        matches!(self, SplitRule::Split { from } if changes >= from)
    }

    /// Applies the rule to the events of one transaction in one table.
    pub(super) fn apply<'a>(
        self,
        text: &TextRules,
        events: Vec<RowEvent<'a>>,
    ) -> Result<Vec<RowEvent<'a>>, MountError> {
        if !self.splits(events.len()) {
            return Ok(events);
        }
        let mut out = Vec::with_capacity(events.len());
        let mut split = false;
        for mut event in events {
            if changes_key(text, &event)? {
                split = true;
                let mut delete = event.clone();
                delete.new = None;
                event.old = None;
                out.push(delete);
            }
            out.push(event);
        }
        if split {
            out.sort_by_key(RowEvent::kind);
        }
        Ok(out)
    }
}

impl SplitRule {
    /// Applies the rule to some events of a transaction in one table, in the order of the sorter: deletes, updates,
    /// inserts. Deletes out of updates stand where the update did. Inserts out of updates come behind all updates of the
    /// transaction; if these events end before it is certain that all have come, they are given back as changes.
    ///
    /// So each key sees what it sees if the rule is applied to the whole: a value that an update gives up may be one that
    /// another one takes, wherever in the transaction.
    pub(super) fn apply_to_part<'a>(
        self,
        text: &TextRules,
        events: impl IntoIterator<Item = (&'a RawKv, RowEvent<'a>)>,
    ) -> Result<(Vec<RowEvent<'a>>, Vec<RawKv>), MountError> {
        let mut out = Vec::new();
        let mut inserts: Vec<(&RawKv, RowEvent<'_>)> = Vec::new();
        for (change, mut event) in events {
            if change.kind() == ChangeKind::Insert {
                out.extend(inserts.drain(..).map(|(_, insert)| insert));
            }
            // Of a transaction that goes out in parts there are always enough.
            if self.splits(usize::MAX) && changes_key(text, &event)? {
                let mut delete = event.clone();
                delete.new = None;
                out.push(delete);
                event.old = None;
                inserts.push((change, event));
            } else {
                out.push(event);
            }
        }
        // What is kept for later must not keep the messages of the store that it came in.
        let insert = |(change, _): (&RawKv, _)| RawKv {
            op: Op::Rest,
            key: Bytes::copy_from_slice(&change.key),
            value: Bytes::copy_from_slice(&change.value),
            old_value: Bytes::new(),
            ..*change
        };
        Ok((out, inserts.into_iter().map(insert).collect()))
    }
}

/// Whether an update gives another text to a column of a unique index or of the handle key.
fn changes_key(text: &TextRules, event: &RowEvent<'_>) -> Result<bool, MountError> {
    let (Some(new), Some(old)) = (&event.new, &event.old) else {
        return Ok(false);
    };
    for (at, column) in event.table.columns.iter().enumerate() {
        if (column.is_unique || column.is_handle) && !text.same(&new[at], &old[at], column)? {
            return Ok(true);
        }
    }
    Ok(false)
}
