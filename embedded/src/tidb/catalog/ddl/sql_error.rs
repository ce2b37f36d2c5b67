//! Errors that TiDB itself gives, with its codes and texts.

use super::super::DdlError;

fn sql(code: u16, message: impl Into<String>) -> DdlError {
    DdlError::Sql {
        code,
        message: message.into(),
    }
}

pub(crate) fn database_exists(name: &str) -> DdlError {
    sql(
        1007,
        format!("Can't create database '{name}'; database exists"),
    )
}

pub(crate) fn no_such_database_to_drop(name: &str) -> DdlError {
    sql(
        1008,
        format!("Can't drop database '{name}'; database doesn't exist"),
    )
}

pub(crate) fn no_database_selected() -> DdlError {
    sql(1046, "No database selected")
}

pub(crate) fn unknown_database(name: &str) -> DdlError {
    sql(1049, format!("Unknown database '{name}'"))
}

pub(crate) fn table_exists(db: &str, table: &str) -> DdlError {
    sql(1050, format!("Table '{db}.{table}' already exists"))
}

/// `tables` are `db.table` names.
pub(crate) fn unknown_tables(tables: &[String]) -> DdlError {
    sql(1051, format!("Unknown table '{}'", tables.join(",")))
}

pub(crate) fn unknown_column(column: &str, place: &str) -> DdlError {
    sql(1054, format!("Unknown column '{column}' in '{place}'"))
}

pub(crate) fn duplicate_column(name: &str) -> DdlError {
    sql(1060, format!("Duplicate column name '{name}'"))
}

pub(crate) fn duplicate_key_name(name: &str) -> DdlError {
    sql(1061, format!("Duplicate key name '{name}'"))
}

/// The same in 4.0.
pub(crate) fn index_exists(name: &str) -> DdlError {
    sql(1061, format!("index already exist {name}"))
}

pub(crate) fn invalid_default(column: &str) -> DdlError {
    sql(1067, format!("Invalid default value for '{column}'"))
}

pub(crate) fn multiple_primary_keys() -> DdlError {
    sql(1068, "Multiple primary key defined")
}

pub(crate) fn key_too_long(max: i64) -> DdlError {
    sql(
        1071,
        format!("Specified key was too long; max key length is {max} bytes"),
    )
}

pub(crate) fn key_column_missing(column: &str) -> DdlError {
    sql(
        1072,
        format!("Key column '{column}' doesn't exist in table"),
    )
}

pub(crate) fn column_too_big(column: &str, max: i64) -> DdlError {
    sql(
        1074,
        format!(
            "Column length too big for column '{column}' (max = {max}); use BLOB or TEXT instead"
        ),
    )
}

pub(crate) fn wrong_auto_key() -> DdlError {
    sql(
        1075,
        "Incorrect table definition; there can be only one auto column and it must be defined as a key",
    )
}

pub(crate) fn no_columns_left(column: &str) -> DdlError {
    sql(1090, format!("can't drop only column {column} in table"))
}

pub(crate) fn cannot_drop(name: &str) -> DdlError {
    sql(
        1091,
        format!("Can't DROP '{name}'; check that column/key exists"),
    )
}

pub(crate) fn no_such_index(name: &str) -> DdlError {
    sql(1091, format!("index {name} doesn't exist"))
}

pub(crate) fn no_such_column_to_drop(name: &str) -> DdlError {
    sql(1091, format!("column {name} doesn't exist"))
}

pub(crate) fn blob_default(column: &str) -> DdlError {
    sql(
        1101,
        format!("BLOB/TEXT/JSON column '{column}' can't have a default value"),
    )
}

pub(crate) fn wrong_name(what: &str, name: &str) -> DdlError {
    let (code, kind) = match what {
        "database" => (1102, "database"),
        "table" => (1103, "table"),
        "column" => (1166, "column"),
        _ => (1280, "index"),
    };
    sql(code, format!("Incorrect {kind} name '{name}'"))
}

pub(crate) fn name_too_long(name: &str) -> DdlError {
    sql(1059, format!("Identifier name '{name}' is too long"))
}

pub(crate) fn no_visible_column() -> DdlError {
    sql(1113, "A table must have at least 1 column")
}

pub(crate) fn unknown_charset(name: &str) -> DdlError {
    sql(1115, format!("Unknown character set: '{name}'"))
}

pub(crate) fn no_such_table(db: &str, table: &str) -> DdlError {
    sql(1146, format!("Table '{db}.{table}' doesn't exist"))
}

/// `kind` is what it had to be.
pub(crate) fn wrong_object(db: &str, name: &str, kind: &str) -> DdlError {
    sql(1347, format!("'{db}.{name}' is not {kind}"))
}

pub(crate) fn blob_key_without_length(column: &str) -> DdlError {
    sql(
        1170,
        format!("BLOB/TEXT column '{column}' used in key specification without a key length"),
    )
}

pub(crate) fn json_key(column: &str) -> DdlError {
    sql(
        3152,
        format!("JSON column '{column}' cannot be used in key specification."),
    )
}

pub(crate) fn wrong_sub_key() -> DdlError {
    sql(
        1089,
        "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, \
         or the storage engine doesn't support unique prefix keys",
    )
}

pub(crate) fn charset_collation_mismatch(collation: &str, charset: &str) -> DdlError {
    sql(
        1253,
        format!("COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'"),
    )
}

pub(crate) fn unknown_collation(name: &str) -> DdlError {
    sql(1273, format!("Unknown collation: '{name}'"))
}

pub(crate) fn unsupported_collation(name: &str) -> DdlError {
    sql(
        1273,
        format!("Unsupported collation when new collation is enabled: '{name}'"),
    )
}

pub(crate) fn duplicate_member(column: &str, member: &str, kind: &str) -> DdlError {
    sql(
        1291,
        format!("Column '{column}' has duplicated value '{member}' in {kind}"),
    )
}

pub(crate) fn too_big_scale(column: &str, scale: u64) -> DdlError {
    sql(
        1425,
        format!("Too big scale {scale} specified for column '{column}'. Maximum is 30."),
    )
}

pub(crate) fn too_big_precision(column: &str, precision: u64) -> DdlError {
    sql(
        1426,
        format!("Too big precision {precision} specified for column '{column}'. Maximum is 65."),
    )
}

pub(crate) fn scale_above_precision(column: &str) -> DdlError {
    sql(
        1427,
        format!("For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{column}')."),
    )
}

pub(crate) fn too_big_fsp(column: &str, fsp: u64) -> DdlError {
    sql(
        1426,
        format!("Too-big precision {fsp} specified for '{column}'. Maximum is 6."),
    )
}

pub(crate) fn key_does_not_exist(name: &str, table: &str) -> DdlError {
    sql(
        1176,
        format!("Key '{name}' doesn't exist in table '{table}'"),
    )
}

/// Any other error, by its code and text.
pub(crate) fn refused(code: u16, message: impl Into<String>) -> DdlError {
    sql(code, message)
}

pub(crate) fn key_too_long_by(bytes: i64, max: i64) -> DdlError {
    sql(
        1071,
        format!("Specified key was too long ({bytes} bytes); max key length is {max} bytes"),
    )
}
