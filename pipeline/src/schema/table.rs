//! A table as the hot path needs it: the columns that go out, the handle, the keys.

use crate::{compat::Compat, model::Ts, mount::Value};

use super::{
    absent,
    field::{FLAG_NOT_NULL, FLAG_PRIMARY, FLAG_UNSIGNED, FLAG_ZEROFILL},
    model::{FieldType, IndexModel, STATE_PUBLIC, TableModel},
};

/// A column that goes out: neither virtual nor still being added.
#[derive(Debug, Clone)]
pub struct Column {
    /// The id inside row values.
    pub id: i64,
    /// The name as the user wrote it.
    pub name: String,
    /// Type, width, charset, members.
    pub field: FieldType,
    /// Part of the primary key.
    pub is_primary: bool,
    /// Part of a unique index (of the primary one only if MySQL says so too).
    pub is_unique: bool,
    /// Part of the key by which a consumer recognises the row (spec/canal-json.md §6).
    pub is_handle: bool,
    /// The charset is `binary`.
    pub is_binary: bool,
    /// What a row has that does not carry the column (spec/canal-json.md §8).
    pub absent: Value<'static>,
}

impl Column {
    /// MySQL's type code.
    pub fn tp(&self) -> u8 {
        self.field.tp
    }

    /// `UNSIGNED`.
    pub fn is_unsigned(&self) -> bool {
        self.field.flag & FLAG_UNSIGNED != 0
    }

    /// `ZEROFILL`.
    pub fn is_zerofill(&self) -> bool {
        self.field.flag & FLAG_ZEROFILL != 0
    }

    /// Digits of fractional seconds, 0 to 6.
    pub fn fsp(&self) -> usize {
        self.field.decimal.clamp(0, 6) as usize
    }
}

/// Where the columns come from that are not in the row's value but in its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handle {
    /// `_tidb_rowid`: no column.
    RowId,
    /// The integer primary key: index into [`TableInfo::columns`].
    Int(usize),
    /// The clustered primary key: indexes into [`TableInfo::columns`], in key order.
    Common(Vec<usize>),
}

/// What kind of object a table's metadata describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// A table with rows.
    Table,
    /// A view: DDL only.
    View,
    /// A sequence: neither rows nor DDL go out.
    Sequence,
}

/// A column of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexColumn {
    /// Its name.
    pub name: String,
    /// Index into [`TableInfo::columns`]; `None` for a column that does not go out.
    pub column: Option<usize>,
}

/// An index, for dispatching by its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// UNIQUE.
    pub unique: bool,
    /// PRIMARY KEY.
    pub primary: bool,
    /// Its columns in key order.
    pub columns: Vec<IndexColumn>,
}

/// A table's schema from one version on.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// The database's id.
    pub schema_id: i64,
    /// The database's name as written.
    pub schema: String,
    /// The logical id.
    pub id: i64,
    /// The name as written.
    pub name: String,
    /// Commit TSO of the DDL that made this version, or the snapshot's TSO.
    pub version: Ts,
    /// What goes out, in table order.
    pub columns: Vec<Column>,
    /// Names of virtual generated columns, which do not go out.
    pub virtual_columns: Vec<String>,
    /// What the row's key holds.
    pub handle: Handle,
    /// Public indexes.
    pub indexes: Vec<Index>,
    /// Physical ids: one a partition, or the logical id.
    pub physical_ids: Vec<i64>,
    /// Whether it is partitioned.
    pub partitioned: bool,
    /// Table, view or sequence.
    pub kind: TableKind,
    has_valid_key: bool,
    /// `(column id, index into columns)`, by id.
    by_id: Vec<(i64, usize)>,
}

impl TableInfo {
    /// Derives what is needed from TiDB's document `model`; `version` is the commit TSO of the DDL that wrote it.
    pub fn new(
        schema_id: i64,
        schema: &str,
        version: Ts,
        model: &TableModel,
        compat: Compat,
    ) -> Self {
        let (mut columns, mut virtual_columns) = (Vec::with_capacity(model.cols.len()), Vec::new());
        let mut visible = Vec::with_capacity(model.cols.len());
        for column in &model.cols {
            if column.state != STATE_PUBLIC || is_virtual(model, visible.len()) {
                if column.state == STATE_PUBLIC {
                    virtual_columns.push(column.name.original.clone());
                }
                visible.push(None);
                continue;
            }
            visible.push(Some(columns.len()));
            columns.push(Column {
                id: column.id,
                name: column.name.original.clone(),
                is_primary: column.field_type.flag & FLAG_PRIMARY != 0,
                is_unique: column.field_type.flag & (1 << 2) != 0,
                is_handle: false,
                is_binary: column.field_type.charset == "binary",
                absent: absent::value(column, compat),
                field: column.field_type.clone(),
            });
        }
        let handle = handle_of(model, &visible, &columns);
        let handle_index = mark_keys(model, &visible, &handle, &mut columns);
        let by_name = |offset: usize| {
            model
                .cols
                .get(offset)
                .map_or(String::new(), |c| c.name.original.clone())
        };
        let indexes = public_indexes(model)
            .map(|index| Index {
                id: index.id,
                name: index.name.original.clone(),
                unique: index.unique,
                primary: index.primary,
                columns: index
                    .columns
                    .iter()
                    .map(|c| IndexColumn {
                        name: by_name(c.offset),
                        column: visible.get(c.offset).copied().flatten(),
                    })
                    .collect(),
            })
            .collect();
        let mut by_id: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(index, c)| (c.id, index))
            .collect();
        by_id.sort_unstable();
        let partitions = model.partition.as_ref().filter(|p| p.enable);
        TableInfo {
            schema_id,
            schema: schema.to_owned(),
            id: model.id,
            name: model.name.original.clone(),
            version,
            has_valid_key: handle_index || handle != Handle::RowId,
            columns,
            virtual_columns,
            handle,
            indexes,
            physical_ids: match partitions {
                Some(partition) => partition.definitions.iter().map(|d| d.id).collect(),
                None => vec![model.id],
            },
            partitioned: partitions.is_some(),
            kind: match (&model.view, &model.sequence) {
                (_, Some(_)) => TableKind::Sequence,
                (Some(_), _) => TableKind::View,
                _ => TableKind::Table,
            },
            by_id,
        }
    }

    /// Whether the table is replicated: it has a primary key or a unique key of NOT NULL columns, or the changefeed
    /// forces it; views count, sequences never (spec/canal-json.md §13).
    pub fn is_eligible(&self, force_replicate: bool) -> bool {
        match self.kind {
            TableKind::Sequence => false,
            TableKind::View => true,
            TableKind::Table => force_replicate || self.has_valid_key,
        }
    }

    /// In v4.0.9 a table that could not be replicated once never can be until it is dropped.
    pub(super) fn inherit_eligibility(&mut self, before: &TableInfo) {
        self.has_valid_key &= before.has_valid_key;
    }

    /// The column with this id, as an index into [`TableInfo::columns`].
    pub fn column_by_id(&self, id: i64) -> Option<usize> {
        let at = self.by_id.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(self.by_id[at].1)
    }

    /// The column with this name, without regard to case, as an index into [`TableInfo::columns`].
    pub fn column_by_name(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        self.columns
            .iter()
            .position(|c| c.name.to_lowercase() == name)
    }
}

fn is_virtual(model: &TableModel, offset: usize) -> bool {
    let column = &model.cols[offset];
    !column.generated_expr_string.is_empty() && !column.generated_stored
}

fn public_indexes(model: &TableModel) -> impl Iterator<Item = &IndexModel> {
    model
        .index_info
        .iter()
        .filter(|index| index.state == STATE_PUBLIC)
}

fn handle_of(model: &TableModel, visible: &[Option<usize>], columns: &[Column]) -> Handle {
    let in_primary = |c: &Column| c.field.flag & FLAG_PRIMARY != 0;
    if model.pk_is_handle
        && let Some(at) = columns.iter().position(in_primary)
    {
        return Handle::Int(at);
    }
    let primary = public_indexes(model).find(|index| index.primary);
    if let (true, Some(primary)) = (model.is_common_handle, primary) {
        let parts = primary
            .columns
            .iter()
            .map(|c| visible.get(c.offset).copied().flatten());
        if let Some(parts) = parts.collect() {
            return Handle::Common(parts);
        }
    }
    Handle::RowId
}

/// A unique index by which each row can be told from the others: the primary one, or one of NOT NULL, stored columns.
fn identifies_rows(model: &TableModel, index: &IndexModel) -> bool {
    index.primary
        || (index.unique
            && index.columns.iter().all(|c| {
                model
                    .cols
                    .get(c.offset)
                    .is_some_and(|column| column.field_type.flag & FLAG_NOT_NULL != 0)
                    && !is_virtual(model, c.offset)
            }))
}

/// Sets the key flags of the columns (spec/canal-json.md §6) and tells whether an index identifies the rows.
fn mark_keys(
    model: &TableModel,
    visible: &[Option<usize>],
    handle: &Handle,
    columns: &mut [Column],
) -> bool {
    let clustered = *handle != Handle::RowId;
    if clustered {
        for column in columns.iter_mut() {
            column.is_handle = column.is_primary;
        }
    }
    let handle_index = public_indexes(model)
        .filter(|index| identifies_rows(model, index))
        .min_by_key(|index| (!index.primary, index.columns.len(), index.id));
    for index in public_indexes(model) {
        for part in &index.columns {
            let Some(column) = visible.get(part.offset).copied().flatten() else {
                continue;
            };
            let column = &mut columns[column];
            column.is_primary |= index.primary;
            column.is_unique |= index.unique && !index.primary;
            column.is_handle |= !clustered && handle_index.is_some_and(|h| h.id == index.id);
        }
    }
    handle_index.is_some()
}
