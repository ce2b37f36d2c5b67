//! Types of columns.

/// What kind of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // SQL's own names
pub enum TypeKind {
    TinyInt,
    SmallInt,
    MediumInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal,
    Bit,
    Date,
    DateTime,
    Timestamp,
    Time,
    Year,
    Char,
    VarChar,
    Binary,
    VarBinary,
    TinyText,
    Text,
    MediumText,
    LongText,
    TinyBlob,
    Blob,
    MediumBlob,
    LongBlob,
    Enum,
    Set,
    Json,
    Vector,
}

impl TypeKind {
    /// Whether its values are text, so that it has a character set.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Self::Char
                | Self::VarChar
                | Self::TinyText
                | Self::Text
                | Self::MediumText
                | Self::LongText
                | Self::Enum
                | Self::Set
        )
    }

    /// The same with bytes: what a text type becomes in the character set `binary`.
    pub(crate) fn of_bytes(self) -> Self {
        match self {
            Self::Char => Self::Binary,
            Self::VarChar => Self::VarBinary,
            Self::TinyText => Self::TinyBlob,
            Self::Text => Self::Blob,
            Self::MediumText => Self::MediumBlob,
            Self::LongText => Self::LongBlob,
            other => other,
        }
    }

    /// TiDB's spelling.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::TinyInt => "TINYINT",
            Self::SmallInt => "SMALLINT",
            Self::MediumInt => "MEDIUMINT",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Bit => "BIT",
            Self::Date => "DATE",
            Self::DateTime => "DATETIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Time => "TIME",
            Self::Year => "YEAR",
            Self::Char => "CHAR",
            Self::VarChar => "VARCHAR",
            Self::Binary => "BINARY",
            Self::VarBinary => "VARBINARY",
            Self::TinyText => "TINYTEXT",
            Self::Text => "TEXT",
            Self::MediumText => "MEDIUMTEXT",
            Self::LongText => "LONGTEXT",
            Self::TinyBlob => "TINYBLOB",
            Self::Blob => "BLOB",
            Self::MediumBlob => "MEDIUMBLOB",
            Self::LongBlob => "LONGBLOB",
            Self::Enum => "ENUM",
            Self::Set => "SET",
            Self::Json => "JSON",
            Self::Vector => "VECTOR",
        }
    }
}

/// A column's type, synonyms resolved: BOOL is TINYINT(1), SERIAL is BIGINT UNSIGNED, `FLOAT(30)` is DOUBLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataType {
    /// The kind.
    pub kind: TypeKind,
    /// The first number in parentheses: display width, digits, characters or digits of a second's fraction.
    pub length: Option<u64>,
    /// The second one: digits behind the point.
    pub scale: Option<u64>,
    /// UNSIGNED, which ZEROFILL implies.
    pub unsigned: bool,
    /// ZEROFILL.
    pub zerofill: bool,
    /// The attribute BINARY of a text type.
    pub binary: bool,
    /// Its character set's canonical name.
    pub charset: Option<String>,
    /// Members of ENUM and SET, without trailing spaces.
    pub members: Vec<String>,
}

impl DataType {
    pub(crate) fn new(kind: TypeKind) -> Self {
        Self {
            kind,
            length: None,
            scale: None,
            unsigned: false,
            zerofill: false,
            binary: false,
            charset: None,
            members: Vec::new(),
        }
    }
}
