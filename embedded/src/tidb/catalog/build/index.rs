//! From an index definition to its description.

use super::super::model::{CiStr, ColumnInfo, IndexColumn, IndexInfo, SchemaState, Tp};
use super::super::{DdlError, TidbVersion, charset, ddl::sql_error};
use super::statement::{IndexDef, IndexKind};

/// Name of every primary index.
pub(crate) const PRIMARY: &str = "PRIMARY";
/// Bytes that an index's columns may take together.
const MAX_KEY_BYTES: i64 = 3072;
/// BTREE.
const DEFAULT_TYPE: u8 = 1;

/// Makes a public index on `columns`; its id is given by the caller.
pub(crate) fn index(
    version: TidbVersion,
    def: &IndexDef,
    name: CiStr,
    columns: &[ColumnInfo],
) -> Result<IndexInfo, DdlError> {
    let modern = version >= TidbVersion::V8_5;
    let is_primary = matches!(def.kind, IndexKind::Primary(_));
    Ok(IndexInfo {
        id: 0,
        name,
        tbl_name: CiStr::default(),
        columns: parts(version, def, columns)?,
        state: SchemaState::Public,
        backfill_state: modern.then_some(0),
        comment: if modern || def.has_options {
            def.comment.clone().unwrap_or_default()
        } else {
            String::new()
        },
        index_type: def.index_type.unwrap_or(DEFAULT_TYPE),
        is_unique: def.kind != IndexKind::Plain,
        is_primary,
        is_invisible: def.invisible,
        is_global: modern.then_some(false),
        mv_index: modern.then_some(false),
        vector_index: modern.then_some(None),
    })
}

fn parts(
    version: TidbVersion,
    def: &IndexDef,
    columns: &[ColumnInfo],
) -> Result<Vec<IndexColumn>, DdlError> {
    let mut out: Vec<IndexColumn> = vec![];
    let mut bytes = 0;
    for (name, length) in &def.columns {
        let column = columns
            .iter()
            .find(|c| c.name.is(name))
            .ok_or_else(|| sql_error::key_column_missing(name))?;
        if out.iter().any(|p| p.offset == column.offset) {
            return Err(sql_error::duplicate_column(name));
        }
        let length = prefix(column, *length)?;
        bytes += key_bytes(column, length);
        if bytes > MAX_KEY_BYTES {
            return Err(match version {
                TidbVersion::V4_0 => sql_error::key_too_long(MAX_KEY_BYTES),
                TidbVersion::V8_5 => sql_error::key_too_long_by(bytes, MAX_KEY_BYTES),
            });
        }
        out.push(IndexColumn {
            name: column.name.clone(),
            offset: column.offset,
            length,
        });
    }
    Ok(out)
}

/// The prefix length as stored: -1 for the whole column.
fn prefix(column: &ColumnInfo, length: Option<u64>) -> Result<i64, DdlError> {
    let ft = &column.field_type;
    if ft.tp == Tp::Json {
        return Err(sql_error::json_key(&column.name.o));
    }
    let Some(length) = length else {
        return if ft.tp.is_blob() {
            Err(sql_error::blob_key_without_length(&column.name.o))
        } else {
            Ok(-1)
        };
    };
    let length = i64::try_from(length).map_err(|_| sql_error::wrong_sub_key())?;
    if length == 0 {
        return Err(sql_error::refused(
            1391,
            format!("Key part '{}' length cannot be 0", column.name.o),
        ));
    }
    if !ft.tp.is_string() || !ft.tp.is_blob() && length > ft.flen {
        return Err(sql_error::wrong_sub_key());
    }
    // A prefix as long as the column is the column.
    Ok(if !ft.tp.is_blob() && length == ft.flen {
        -1
    } else {
        length
    })
}

/// Bytes that a column may take in a key, as TiDB counts them.
fn key_bytes(column: &ColumnInfo, length: i64) -> i64 {
    let ft = &column.field_type;
    if ft.tp.is_string() {
        let chars = if length < 0 { ft.flen } else { length };
        return chars * charset::max_len(&ft.charset);
    }
    match ft.tp {
        Tp::Tiny | Tp::Year => 1,
        Tp::Short => 2,
        Tp::Int24 | Tp::Date | Tp::Duration => 3,
        Tp::Long | Tp::Float | Tp::Timestamp => 4,
        Tp::NewDecimal => ft.flen / 9 * 4,
        Tp::Bit => (ft.flen + 7) / 8,
        _ => 8,
    }
}

/// A name for an index that has none: that of its first column, numbered if it is taken.
pub(crate) fn unused_name(first_column: &str, taken: &dyn Fn(&str) -> bool) -> String {
    // An index must not be called like the primary one.
    let base = if first_column.eq_ignore_ascii_case(PRIMARY) {
        format!("{first_column}_2")
    } else {
        first_column.to_owned()
    };
    if !taken(&base) {
        return base;
    }
    let mut n = 2;
    loop {
        let name = format!("{first_column}_{n}");
        if !taken(&name) {
            return name;
        }
        n += 1;
    }
}
