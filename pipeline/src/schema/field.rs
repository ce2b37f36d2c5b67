//! MySQL's type codes and column flags, by the numbers TiDB stores (spec/tidb-schema.md §3.2).

/// `TINYINT`.
pub const TINY: u8 = 1;
/// `SMALLINT`.
pub const SHORT: u8 = 2;
/// `INT`.
pub const LONG: u8 = 3;
/// `FLOAT`.
pub const FLOAT: u8 = 4;
/// `DOUBLE`.
pub const DOUBLE: u8 = 5;
/// `TIMESTAMP`.
pub const TIMESTAMP: u8 = 7;
/// `BIGINT`.
pub const LONGLONG: u8 = 8;
/// `MEDIUMINT`.
pub const INT24: u8 = 9;
/// `DATE`.
pub const DATE: u8 = 10;
/// `TIME`.
pub const DURATION: u8 = 11;
/// `DATETIME`.
pub const DATETIME: u8 = 12;
/// `YEAR`.
pub const YEAR: u8 = 13;
/// An internal spelling of `DATE`.
pub const NEWDATE: u8 = 14;
/// `VARCHAR`, `VARBINARY`.
pub const VARCHAR: u8 = 15;
/// `BIT`.
pub const BIT: u8 = 16;
/// `VECTOR`.
pub const VECTOR: u8 = 225;
/// `JSON`.
pub const JSON: u8 = 245;
/// `DECIMAL`.
pub const NEWDECIMAL: u8 = 246;
/// `ENUM`.
pub const ENUM: u8 = 247;
/// `SET`.
pub const SET: u8 = 248;
/// `TINYTEXT`, `TINYBLOB`.
pub const TINY_BLOB: u8 = 249;
/// `MEDIUMTEXT`, `MEDIUMBLOB`.
pub const MEDIUM_BLOB: u8 = 250;
/// `LONGTEXT`, `LONGBLOB`.
pub const LONG_BLOB: u8 = 251;
/// `TEXT`, `BLOB`.
pub const BLOB: u8 = 252;
/// A variable string of expressions.
pub const VAR_STRING: u8 = 253;
/// `CHAR`, `BINARY`.
pub const STRING: u8 = 254;

/// `NOT NULL`.
pub const FLAG_NOT_NULL: u64 = 1;
/// Part of the primary key.
pub const FLAG_PRIMARY: u64 = 1 << 1;
/// `UNSIGNED`.
pub const FLAG_UNSIGNED: u64 = 1 << 5;
/// `ZEROFILL`.
pub const FLAG_ZEROFILL: u64 = 1 << 6;
/// The binary collation of a string type.
pub const FLAG_BINARY: u64 = 1 << 7;

/// Whether the type is one of the integers that promote by size (YEAR and BIT are not).
pub fn is_integer(tp: u8) -> bool {
    matches!(tp, TINY | SHORT | INT24 | LONG | LONGLONG)
}

/// Whether the type is a `TEXT` or `BLOB` of any size.
pub fn is_blob(tp: u8) -> bool {
    matches!(tp, TINY_BLOB | MEDIUM_BLOB | LONG_BLOB | BLOB)
}

/// Whether values of the type are strings of bytes: CHAR, VARCHAR, TEXT and their binary kin.
pub fn is_string(tp: u8) -> bool {
    is_blob(tp) || matches!(tp, VARCHAR | VAR_STRING | STRING)
}
