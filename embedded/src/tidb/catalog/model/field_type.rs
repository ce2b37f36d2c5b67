use crate::tidb::catalog::TidbVersion;
use serde::{Deserialize, Serialize};

/// A column's storage type, by MySQL's protocol number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum Tp {
    /// Nothing yet.
    Unspecified = 0,
    /// TINYINT.
    Tiny = 1,
    /// SMALLINT.
    Short = 2,
    /// INT.
    Long = 3,
    /// FLOAT.
    Float = 4,
    /// DOUBLE.
    Double = 5,
    /// NULL.
    Null = 6,
    /// TIMESTAMP.
    Timestamp = 7,
    /// BIGINT.
    LongLong = 8,
    /// MEDIUMINT.
    Int24 = 9,
    /// DATE.
    Date = 10,
    /// TIME.
    Duration = 11,
    /// DATETIME.
    Datetime = 12,
    /// YEAR.
    Year = 13,
    /// DATE, a form that TiDB does not use.
    NewDate = 14,
    /// VARCHAR, VARBINARY.
    Varchar = 15,
    /// BIT.
    Bit = 16,
    /// VECTOR.
    Vector = 225,
    /// JSON.
    Json = 245,
    /// DECIMAL.
    NewDecimal = 246,
    /// ENUM.
    Enum = 247,
    /// SET.
    Set = 248,
    /// TINYTEXT, TINYBLOB.
    TinyBlob = 249,
    /// MEDIUMTEXT, MEDIUMBLOB.
    MediumBlob = 250,
    /// LONGTEXT, LONGBLOB.
    LongBlob = 251,
    /// TEXT, BLOB.
    Blob = 252,
    /// A string in an expression.
    VarString = 253,
    /// CHAR, BINARY.
    String = 254,
    /// GEOMETRY.
    Geometry = 255,
}

impl Tp {
    const ALL: [Self; 29] = [
        Self::Unspecified,
        Self::Tiny,
        Self::Short,
        Self::Long,
        Self::Float,
        Self::Double,
        Self::Null,
        Self::Timestamp,
        Self::LongLong,
        Self::Int24,
        Self::Date,
        Self::Duration,
        Self::Datetime,
        Self::Year,
        Self::NewDate,
        Self::Varchar,
        Self::Bit,
        Self::Vector,
        Self::Json,
        Self::NewDecimal,
        Self::Enum,
        Self::Set,
        Self::TinyBlob,
        Self::MediumBlob,
        Self::LongBlob,
        Self::Blob,
        Self::VarString,
        Self::String,
        Self::Geometry,
    ];

    /// TINYINT to BIGINT. YEAR and BIT are none.
    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Self::Tiny | Self::Short | Self::Int24 | Self::Long | Self::LongLong
        )
    }

    /// CHAR to LONGTEXT, and their binary kin.
    pub fn is_string(self) -> bool {
        self.is_blob() || matches!(self, Self::Varchar | Self::VarString | Self::String)
    }

    /// TEXT and BLOB of any size.
    pub fn is_blob(self) -> bool {
        matches!(
            self,
            Self::TinyBlob | Self::Blob | Self::MediumBlob | Self::LongBlob
        )
    }

    /// DATE, DATETIME, TIMESTAMP.
    pub fn is_calendar(self) -> bool {
        matches!(
            self,
            Self::Date | Self::NewDate | Self::Datetime | Self::Timestamp
        )
    }
}

impl From<Tp> for u8 {
    fn from(tp: Tp) -> u8 {
        tp as u8
    }
}

impl TryFrom<u8> for Tp {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tp| *tp as u8 == code)
            .ok_or_else(|| format!("column type {code} is unknown"))
    }
}

/// Bits of [`FieldType::flag`].
pub mod flag {
    /// NOT NULL.
    pub const NOT_NULL: u64 = 1;
    /// Part of the primary key.
    pub const PRI_KEY: u64 = 1 << 1;
    /// A unique key of this column alone.
    pub const UNIQUE_KEY: u64 = 1 << 2;
    /// First column of an index.
    pub const MULTIPLE_KEY: u64 = 1 << 3;
    /// UNSIGNED.
    pub const UNSIGNED: u64 = 1 << 5;
    /// ZEROFILL.
    pub const ZEROFILL: u64 = 1 << 6;
    /// A binary string, a date or time, or JSON.
    pub const BINARY: u64 = 1 << 7;
    /// AUTO_INCREMENT.
    pub const AUTO_INCREMENT: u64 = 1 << 9;
    /// NOT NULL without a default.
    pub const NO_DEFAULT: u64 = 1 << 12;
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub const ON_UPDATE_NOW: u64 = 1 << 13;
    /// The result is a boolean (not stored by CREATE TABLE for columns other than BOOL).
    pub const IS_BOOLEAN: u64 = 1 << 19;
    /// NULL may not be inserted any more: a NOT NULL is on its way.
    pub const PREVENT_NULL_INSERT: u64 = 1 << 20;
}

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldType {
    /// The storage type.
    #[serde(rename = "Tp")]
    pub tp: Tp,
    /// Bits of [`flag`].
    #[serde(rename = "Flag")]
    pub flag: u64,
    /// Length: characters, digits, or display width.
    #[serde(rename = "Flen")]
    pub flen: i64,
    /// Fraction digits; -1 unspecified.
    #[serde(rename = "Decimal")]
    pub decimal: i64,
    /// Character set; `binary` for anything that is no text.
    #[serde(rename = "Charset")]
    pub charset: String,
    /// Collation.
    #[serde(rename = "Collate")]
    pub collate: String,
    /// Members of ENUM and SET.
    #[serde(rename = "Elems", default)]
    pub elems: Option<Vec<String>>,
    /// Since 6.2.
    #[serde(
        rename = "ElemsIsBinaryLit",
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub elems_is_binary_lit: Option<Option<Vec<bool>>>,
    /// Since 6.6: a multi-valued index's column.
    #[serde(rename = "Array", default, skip_serializing_if = "Option::is_none")]
    pub array: Option<bool>,
}

impl FieldType {
    /// A type without length, flags and character set.
    pub fn new(version: TidbVersion, tp: Tp) -> Self {
        let modern = version >= TidbVersion::V8_5;
        Self {
            tp,
            flag: 0,
            flen: 0,
            decimal: 0,
            charset: String::new(),
            collate: String::new(),
            elems: None,
            elems_is_binary_lit: modern.then_some(None),
            array: modern.then_some(false),
        }
    }

    /// Whether all bits of `mask` are set.
    pub fn has(&self, mask: u64) -> bool {
        self.flag & mask == mask
    }

    /// UNSIGNED.
    pub fn is_unsigned(&self) -> bool {
        self.has(flag::UNSIGNED)
    }

    /// NOT NULL.
    pub fn is_not_null(&self) -> bool {
        self.has(flag::NOT_NULL)
    }

    /// A string of bytes, not characters.
    pub fn is_binary_string(&self) -> bool {
        self.tp.is_string() && self.charset == "binary"
    }

    /// Precision and scale of a DECIMAL column, zero for others.
    pub fn decimal_shape(&self) -> (usize, usize) {
        (
            usize::try_from(self.flen).unwrap_or(0),
            usize::try_from(self.decimal).unwrap_or(0),
        )
    }
}
