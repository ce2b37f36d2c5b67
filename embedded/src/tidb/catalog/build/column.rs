//! From a column's definition to its description.

use super::super::model::{CiStr, ColumnInfo, SchemaState, Tp, flag};
use super::super::{DdlError, Session, TidbVersion, ddl::sql_error, generated, mariadb::ROW_ID};
use super::default;
use super::statement::ColumnDef;
use super::types;
use crate::tidb::catalog::build::default::DefaultValue;

/// Longest name of anything, in characters.
const MAX_NAME: usize = 64;

/// Makes a public column. Flags that keys give are set later, and [`finish`] after them.
pub(crate) fn column(
    version: TidbVersion,
    session: &Session,
    def: &ColumnDef,
    inherited: (&str, &str),
) -> Result<ColumnInfo, DdlError> {
    check_name("column", &def.name)?;
    let ft = types::field_type(version, &def.name, &def.spec, inherited)?;
    let mut column = ColumnInfo::new(version, CiStr::new(&def.name), ft);
    column.state = SchemaState::Public;
    let ft = &mut column.field_type;
    if def.not_null == Some(true) || def.auto_increment && version >= TidbVersion::V8_5 {
        ft.flag |= flag::NOT_NULL;
    }
    if def.auto_increment {
        if !ft.tp.is_integer() && !matches!(ft.tp, Tp::Float | Tp::Double) {
            return Err(sql_error::refused(
                1063,
                format!("Incorrect column specifier for column '{}'", def.name),
            ));
        }
        if def.default.is_some() {
            return Err(sql_error::invalid_default(&def.name));
        }
        ft.flag |= flag::AUTO_INCREMENT;
    }
    if def.on_update_now {
        if !matches!(ft.tp, Tp::Timestamp | Tp::Datetime) {
            return Err(sql_error::refused(
                1294,
                format!("Invalid ON UPDATE clause for '{}' column", def.name),
            ));
        }
        ft.flag |= flag::ON_UPDATE_NOW;
    }
    if let Some(value) = &def.default {
        if *value == DefaultValue::Null && (def.not_null == Some(true) || def.primary.is_some()) {
            return Err(sql_error::invalid_default(&def.name));
        }
        let stored = default::stored(session, &def.name, &column.field_type, value)?;
        (column.default, column.default_bit) = (stored.text, stored.bits);
    }
    if let Some(generated) = &def.generated {
        generated::describe(version, &mut column, generated);
    }
    column.comment = def.comment.clone().unwrap_or_default();
    if version == TidbVersion::V4_0 {
        no_default(&mut column, def.default.is_some());
    }
    Ok(column)
}

/// Sets what depends on keys: newer releases judge NOT NULL without a default once the primary key is known.
pub(crate) fn finish(version: TidbVersion, column: &mut ColumnInfo, has_default: bool) {
    if version >= TidbVersion::V8_5 {
        no_default(column, has_default);
    }
}

fn no_default(column: &mut ColumnInfo, has_default: bool) {
    let ft = &mut column.field_type;
    if !has_default && ft.is_not_null() && !ft.has(flag::AUTO_INCREMENT) {
        ft.flag |= flag::NO_DEFAULT;
    }
}

/// Refuses names that TiDB refuses.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), DdlError> {
    let is_row_id = what == "column" && name.eq_ignore_ascii_case(ROW_ID);
    if is_row_id || name.is_empty() || name.ends_with(' ') || name.contains('\0') {
        return Err(sql_error::wrong_name(what, name));
    }
    if name.chars().count() > MAX_NAME {
        return Err(sql_error::name_too_long(name));
    }
    Ok(())
}
