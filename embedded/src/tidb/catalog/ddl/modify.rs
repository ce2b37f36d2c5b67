//! Changes of a column: what they leave of it, and which of them need no reorganisation of its rows.

use super::super::build::column as build_column;
use super::super::build::statement::{Clustering, ColumnDef, IndexDef, IndexKind};
use super::super::model::{ColumnInfo, FieldType, TableInfo, Tp, flag};
use super::super::{DdlError, mariadb, show};
use super::planner::Planner;
use super::rewrite::{self, integer_bytes};
use super::sql_error;

/// The new description of a column that `def` changes, and whether its rows have to be written again, which 4.0 refuses.
pub(crate) fn checked(
    p: &Planner<'_>,
    table: &TableInfo,
    old: &ColumnInfo,
    def: &ColumnDef,
) -> Result<(ColumnInfo, bool), DdlError> {
    const KEY_FLAGS: u64 = flag::PRI_KEY | flag::UNIQUE_KEY | flag::MULTIPLE_KEY;
    if def.primary.is_some() || def.unique {
        return Err(refuse(
            "can't modify column with unique or primary key option",
        ));
    }
    // A column keeps its character set only if it names none and the table's is the same.
    let mut column = build_column::column(
        p.version(),
        p.session,
        def,
        (&table.charset, &table.collate),
    )?;
    build_column::finish(p.version(), &mut column, def.default.is_some());
    column.id = old.id;
    column.offset = old.offset;
    column.origin_default = old.origin_default.clone();
    column.origin_default_bit = old.origin_default_bit.clone();
    let (from, to) = (&old.field_type, &mut column.field_type);
    to.flag |= from.flag & KEY_FLAGS;
    if from.has(flag::PRI_KEY) {
        to.flag |= flag::NOT_NULL;
    }
    if from.has(flag::AUTO_INCREMENT) != to.has(flag::AUTO_INCREMENT) {
        return Err(refuse(if to.has(flag::AUTO_INCREMENT) {
            "can't set auto_increment"
        } else {
            "can't remove auto_increment without @@tidb_allow_remove_auto_inc enabled"
        }));
    }
    let rewrites = p.modern() && rewrite::is_needed(from, to);
    check_unique(p, table, &column)?;
    let (from, to) = (&old.field_type, &column.field_type);
    let indexed = table
        .indexes
        .iter()
        .any(|i| i.columns.iter().any(|c| c.offset == old.offset));
    if from.charset != to.charset || from.collate != to.collate {
        // Where rows are written again, that takes care of the character set.
        if !rewrites {
            check_charset_change(&from.charset, &to.charset)?;
        }
        let both_texts = from.tp.is_string() && to.tp.is_string();
        if indexed && p.modern() && both_texts {
            return Err(p.unsupported(format!(
                "another collation of the indexed column {:?}",
                old.name.o
            )));
        }
    }
    if rewrites {
        rewrite::check(p, table, old, &column)?;
        return Ok((column, true));
    }
    if p.modern() && mariadb_changes_rows(old, to) {
        return Err(p.unsupported(format!(
            "a change of type from {} to {}: MariaDB would write other values",
            show::type_text(from, true),
            show::type_text(to, true)
        )));
    }
    match obstacle(from, to).filter(|_| !p.modern()) {
        None => Ok((column, false)),
        Some(why) => Err(refuse(&why)),
    }
}

/// The unique indexes of a column that is changed.
fn check_unique(p: &Planner<'_>, table: &TableInfo, column: &ColumnInfo) -> Result<(), DdlError> {
    let mut columns = table.columns.clone();
    columns[column.offset] = column.clone();
    let mut indexes = table.indexes.iter();
    indexes.try_for_each(|index| mariadb::check_unique(p.query, p.version(), &columns, index))
}

fn refuse(why: &str) -> DdlError {
    sql_error::refused(8200, format!("Unsupported modify column: {why}"))
}

/// Whether MariaDB gives rows other values in a change after which TiDB leaves them as they are: it rounds, fills up with
/// zero bytes or lets blanks at the end go.
fn mariadb_changes_rows(old: &ColumnInfo, to: &FieldType) -> bool {
    let from = &old.field_type;
    let is_float = |tp| matches!(tp, Tp::Float | Tp::Double);
    if is_float(from.tp) && is_float(to.tp) {
        let begins_to_round = to.decimal >= 0 && (from.decimal < 0 || from.tp != to.tp);
        // Rows without the column get more digits of its first default than MariaDB kept.
        let widens = from.tp != to.tp && old.origin_default.is_some();
        return begins_to_round || widens;
    }
    from.tp.is_blob() && to.tp == Tp::String
}

/// Why values of one type are not values of the other as they stand, in the words of 4.0.
fn obstacle(from: &FieldType, to: &FieldType) -> Option<String> {
    let mismatch = || {
        Some(format!(
            "type {} not match origin {}",
            show::type_text(to, false),
            show::type_text(from, false)
        ))
    };
    let same_kind = from.tp == to.tp
        || from.tp.is_integer() && to.tp.is_integer()
        || is_varying(from.tp)
            && is_varying(to.tp)
            && from.is_binary_string() == to.is_binary_string();
    if !same_kind {
        return mismatch();
    }
    match to.tp {
        Tp::Enum | Tp::Set => {
            let (old, new) = (
                from.elems.as_deref().unwrap_or(&[]),
                to.elems.as_deref().unwrap_or(&[]),
            );
            return (!new.starts_with(old))
                .then(|| "cannot modify enum type column's to type other enum type".to_owned());
        }
        Tp::NewDecimal if from.flen != to.flen || from.decimal != to.decimal => {
            return Some(if from.decimal == to.decimal {
                "can't change decimal column precision".to_owned()
            } else {
                format!(
                    "decimal {} is not match origin {}",
                    to.decimal, from.decimal
                )
            });
        }
        Tp::Float | Tp::Double if (from.flen, from.decimal) != (to.flen, to.decimal) => {
            return Some(format!(
                "length {} is less than origin {}",
                to.flen, from.flen
            ));
        }
        Tp::String if from.is_binary_string() && from.flen != to.flen => {
            return Some(format!(
                "length {} is not match origin {}",
                to.flen, from.flen
            ));
        }
        Tp::Bit if from.flen != to.flen => {
            return Some(format!(
                "length {} is less than origin {}",
                to.flen, from.flen
            ));
        }
        tp if tp.is_calendar() || tp == Tp::Duration => {
            return (from.decimal != to.decimal).then(|| {
                format!(
                    "decimal {} is not match origin {}",
                    to.decimal, from.decimal
                )
            });
        }
        _ => {}
    }
    let widths_shrink = if to.tp.is_integer() {
        integer_bytes(to.tp) < integer_bytes(from.tp)
    } else {
        to.flen < from.flen
    };
    if widths_shrink {
        return Some(format!(
            "length {} is less than origin {}",
            to.flen, from.flen
        ));
    }
    (from.is_unsigned() != to.is_unsigned())
        .then(|| "can't change unsigned integer to signed or vice versa".to_owned())
}

fn is_varying(tp: Tp) -> bool {
    tp == Tp::Varchar || tp.is_blob()
}

/// Only UTF-8 may grow in place.
pub(crate) fn check_charset_change(from: &str, to: &str) -> Result<(), DdlError> {
    if from == to || from == "utf8" && to == "utf8mb4" {
        return Ok(());
    }
    Err(sql_error::refused(
        8200,
        format!("Unsupported modify charset from {from} to {to}"),
    ))
}

/// A primary key can be added only as a nonclustered one, on columns that are NOT NULL.
pub(crate) fn check_new_primary_key(
    p: &Planner<'_>,
    table: &TableInfo,
    def: &IndexDef,
) -> Result<(), DdlError> {
    if !p.modern() {
        return Err(sql_error::refused(
            8200,
            "Unsupported add primary key, alter-primary-key is false",
        ));
    }
    if matches!(def.kind, IndexKind::Primary(Clustering::Clustered)) {
        return Err(sql_error::refused(
            8200,
            "Adding clustered primary key is not supported. Please consider adding NONCLUSTERED primary key instead",
        ));
    }
    let nullable = def
        .columns
        .iter()
        .filter_map(|(name, _)| table.column(name))
        .find(|c| !c.field_type.is_not_null());
    match nullable {
        // The real one makes it NOT NULL on the way.
        Some(column) => Err(p.unsupported(format!(
            "a primary key on the nullable column {:?}",
            column.name.o
        ))),
        None => Ok(()),
    }
}
