//! From raw key-values to rows: decodes what a change of a row holds, by the table's schema.
//!
//! [`Mounter::mount_txn`] takes the changes of one table in one transaction and gives the events that go out for
//! them, in order. Values stay borrowed from the key-value bytes; texts are made when they are written.

pub mod checksum;
pub mod datum;
pub mod decimal;
mod error;
pub mod json;
pub mod key;
pub mod memcomparable;
pub mod row;
mod split;
pub mod text;
pub mod time;
mod value;

use crate::{
    compat::Compat,
    model::{Op, RawKv, Ts},
    schema::{Handle, TableInfo},
};

pub use error::MountError;
pub use split::SplitRule;
pub use text::TextRules;
pub use value::Value;

use datum::Datum;
use key::RowHandle;
use row::RowValue;

pub use crate::model::ChangeKind;

/// One change of a row. `new` and `old` are aligned with [`TableInfo::columns`]. Both are missing only in v4.0.9, for a
/// row that its transaction inserted and deleted: that version tells it as an insert of nothing.
#[derive(Debug, Clone)]
pub struct RowEvent<'a> {
    /// The table's schema at the row.
    pub table: &'a TableInfo,
    /// The row's key in TiKV, not encoded.
    pub key: &'a [u8],
    /// The physical table id: the partition's, for a partitioned table.
    pub physical_id: i64,
    /// When the transaction began.
    pub start_ts: Ts,
    /// When it committed.
    pub commit_ts: Ts,
    /// The row after the change.
    pub new: Option<Vec<Value<'a>>>,
    /// The row before the change.
    pub old: Option<Vec<Value<'a>>>,
}

impl RowEvent<'_> {
    /// Insert, update or delete, by which of the two rows there are.
    pub fn kind(&self) -> ChangeKind {
        match (&self.new, &self.old) {
            (Some(_), Some(_)) => ChangeKind::Update,
            (None, Some(_)) => ChangeKind::Delete,
            (_, None) => ChangeKind::Insert,
        }
    }

    /// The row that identifies the change: the new one, for a delete the old one.
    pub fn row(&self) -> &[Value<'_>] {
        self.new
            .as_deref()
            .or(self.old.as_deref())
            .unwrap_or_default()
    }
}

/// Decodes rows.
#[derive(Debug, Clone)]
pub struct Mounter {
    /// How values are spelled, which also decides whether two are the same.
    pub text: TextRules,
    /// Whether updates that change a key go out as a delete and an insert.
    pub split: SplitRule,
}

impl Mounter {
    /// Decodes one change; `None` if it is no row's or nothing is left of it (an empty value and no old one).
    pub fn mount<'a>(
        &self,
        kv: &'a RawKv,
        table: &'a TableInfo,
    ) -> Result<Option<RowEvent<'a>>, MountError> {
        let in_row = |source: MountError| match source {
            source @ MountError::Row { .. } => source,
            source => MountError::Row {
                schema: table.schema.clone(),
                table: table.name.clone(),
                key: hex::encode(&kv.key),
                source: Box::new(source),
            },
        };
        let Some((physical_id, handle)) = key::decode_row_key(&kv.key).map_err(in_row)? else {
            return Ok(None);
        };
        let handle = HandleColumns::decode(handle, table).map_err(in_row)?;
        let row = |value: &'a [u8]| match value.is_empty() {
            true => Ok(None),
            false => decode_row(value, &handle, table).map(Some),
        };
        let new = match kv.op {
            Op::Put | Op::Rest => row(&kv.value).map_err(in_row)?,
            Op::Delete => None,
        };
        let old = row(&kv.old_value).map_err(in_row)?;
        if new.is_none() && old.is_none() && self.text.release.compat() > Compat::V4_0_9 {
            return Ok(None);
        }
        Ok(Some(RowEvent {
            table,
            key: &kv.key,
            physical_id,
            start_ts: kv.start_ts,
            commit_ts: kv.commit_ts,
            new,
            old,
        }))
    }

    /// Decodes the changes of one transaction in one table, splits updates that change a key, and gives the events
    /// in the order in which they go out.
    pub fn mount_txn<'a>(
        &self,
        kvs: impl IntoIterator<Item = &'a RawKv>,
        table: &'a TableInfo,
    ) -> Result<Vec<RowEvent<'a>>, MountError> {
        self.mount_txn_of(kvs, table, |_| Ok(true))
    }

    /// As [`mount_txn`](Self::mount_txn), of the changes that `keep` keeps: it sees updates before they are split.
    pub fn mount_txn_of<'a, E: From<MountError>>(
        &self,
        kvs: impl IntoIterator<Item = &'a RawKv>,
        table: &'a TableInfo,
        mut keep: impl FnMut(&RowEvent<'_>) -> Result<bool, E>,
    ) -> Result<Vec<RowEvent<'a>>, E> {
        let mut events = Vec::new();
        for kv in kvs {
            events.extend(self.kept(kv, table, &mut keep)?);
        }
        Ok(self.split.apply(&self.text, events)?)
    }

    fn kept<'a, E: From<MountError>>(
        &self,
        kv: &'a RawKv,
        table: &'a TableInfo,
        keep: &mut impl FnMut(&RowEvent<'_>) -> Result<bool, E>,
    ) -> Result<Option<RowEvent<'a>>, E> {
        let Some(event) = self.mount(kv, table)? else {
            return Ok(None);
        };
        // Of an update that was split the whole has been kept.
        let keeps = kv.op == Op::Rest || keep(&event)?;
        Ok(keeps.then_some(event))
    }

    /// Decodes some changes of one transaction in one table, in the order of the sorter, as
    /// [`mount_txn_of`](Self::mount_txn_of) does all. Gives the events that go out now, and what has to come among the
    /// inserts of the transaction.
    pub fn mount_part_of<'a, E: From<MountError>>(
        &self,
        kvs: impl IntoIterator<Item = &'a RawKv>,
        table: &'a TableInfo,
        mut keep: impl FnMut(&RowEvent<'_>) -> Result<bool, E>,
    ) -> Result<(Vec<RowEvent<'a>>, Vec<RawKv>), E> {
        let mut events = Vec::new();
        for kv in kvs {
            let event = self.kept(kv, table, &mut keep)?;
            events.extend(event.map(|event| (kv, event)));
        }
        Ok(self.split.apply_to_part(&self.text, events)?)
    }
}

/// The columns that the row's key holds.
enum HandleColumns<'a> {
    None,
    Int(usize, i64),
    Common(Vec<(usize, Datum<'a>)>),
}

impl<'a> HandleColumns<'a> {
    fn decode(handle: RowHandle<'a>, table: &TableInfo) -> Result<Self, MountError> {
        Ok(match (handle, &table.handle) {
            (RowHandle::Int(number), Handle::Int(column)) => HandleColumns::Int(*column, number),
            (RowHandle::Int(_), Handle::RowId) => HandleColumns::None,
            (RowHandle::Common(bytes), Handle::Common(columns)) => {
                let datums = key::decode_common_handle(bytes, columns.len())?;
                HandleColumns::Common(columns.iter().copied().zip(datums).collect())
            }
            (found, expected) => {
                return Err(MountError::invalid(
                    "row handle",
                    format!("{found:?} where {expected:?} is expected"),
                ));
            }
        })
    }

    fn column(&self, at: usize, table: &TableInfo) -> Result<Option<Value<'a>>, MountError> {
        match self {
            HandleColumns::Int(column, number) if *column == at => {
                Ok(Some(match table.columns[at].is_unsigned() {
                    true => Value::Uint(*number as u64),
                    false => Value::Int(*number),
                }))
            }
            HandleColumns::Common(columns) => columns
                .iter()
                .find(|(column, _)| *column == at)
                .map(|(_, datum)| row::from_datum(datum.clone(), &table.columns[at]))
                .transpose(),
            _ => Ok(None),
        }
    }
}

/// All columns of a row: what its value holds, else what its key holds, else what stands for an absent column.
fn decode_row<'a>(
    value: &'a [u8],
    handle: &HandleColumns<'a>,
    table: &'a TableInfo,
) -> Result<Vec<Value<'a>>, MountError> {
    let row = RowValue::parse(value)?;
    let mut values = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        let value = match row.column(column) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => handle
                .column(at, table)
                .map(|value| value.unwrap_or_else(|| column.absent.borrowed())),
            Err(source) => Err(source),
        };
        values.push(value.map_err(|source| MountError::Column {
            schema: table.schema.clone(),
            table: table.name.clone(),
            column: column.name.clone(),
            id: column.id,
            tp: column.tp(),
            source: Box::new(source),
        })?);
    }
    Ok(values)
}
