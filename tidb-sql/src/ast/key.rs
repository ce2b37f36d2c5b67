//! Keys, indexes, checks.

use super::{Expr, TableName};

/// What a primary key says about the order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clustering {
    /// Nothing: `tidb_enable_clustered_index` decides.
    #[default]
    Unspecified,
    /// CLUSTERED.
    Clustered,
    /// NONCLUSTERED.
    NonClustered,
}

/// A part of an index.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexPart {
    /// A column.
    Column {
        /// Its name.
        name: super::ColumnName,
        /// How many characters or bytes of it count.
        length: Option<u64>,
        /// DESC.
        desc: bool,
    },
    /// An expression.
    Expr {
        /// The expression.
        expr: Expr,
        /// DESC.
        desc: bool,
    },
}

/// `USING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum IndexType {
    BTree,
    Hash,
    RTree,
    Hypo,
    Hnsw,
}

/// Options of an index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IndexOptions {
    /// CLUSTERED or NONCLUSTERED, of a primary key.
    pub clustering: Clustering,
    /// KEY_BLOCK_SIZE.
    pub key_block_size: Option<u64>,
    /// USING.
    pub index_type: Option<IndexType>,
    /// WITH PARSER.
    pub parser: Option<String>,
    /// COMMENT.
    pub comment: Option<String>,
    /// GLOBAL.
    pub global: bool,
    /// VISIBLE or INVISIBLE.
    pub visible: Option<bool>,
    /// There is an option without effect, an empty COMMENT or KEY_BLOCK_SIZE 0: 6.5 leaves a blank for it.
    pub says_nothing: bool,
}

impl IndexOptions {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        let says_nothing = self.says_nothing;
        *self
            == Self {
                says_nothing,
                ..Self::default()
            }
    }
}

/// What kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE.
    Unique,
    /// KEY or INDEX.
    Plain,
    /// FULLTEXT.
    FullText,
    /// SPATIAL, of CREATE INDEX only.
    Spatial,
    /// VECTOR.
    Vector,
}

impl IndexKind {
    /// The type that indexes of this kind have if none is said.
    pub(crate) fn only_type(self) -> Option<IndexType> {
        (self == Self::Vector).then_some(IndexType::Hnsw)
    }
}

/// A key among a table's definitions.
#[derive(Debug, Clone, PartialEq)]
pub struct TableKey {
    /// Its kind.
    pub kind: IndexKind,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Its name.
    pub name: Option<String>,
    /// Its parts, in order.
    pub parts: Vec<IndexPart>,
    /// Its options.
    pub options: IndexOptions,
}

/// What happens to referring rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum ReferenceAction {
    Restrict,
    Cascade,
    SetNull,
    NoAction,
    SetDefault,
}

/// `MATCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum Match {
    Full,
    Partial,
    Simple,
}

/// `REFERENCES t (c)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The table.
    pub table: TableName,
    /// Its columns.
    pub parts: Option<Vec<IndexPart>>,
    /// MATCH.
    pub matches: Option<Match>,
    /// ON DELETE.
    pub on_delete: Option<ReferenceAction>,
    /// ON UPDATE.
    pub on_update: Option<ReferenceAction>,
}

/// `FOREIGN KEY`.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKey {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Its name.
    pub name: Option<String>,
    /// Its columns.
    pub parts: Vec<IndexPart>,
    /// What they refer to.
    pub reference: Reference,
}

/// A definition of a table that is no column.
#[derive(Debug, Clone, PartialEq)]
pub enum Constraint {
    /// A key.
    Key(TableKey),
    /// A foreign key.
    ForeignKey(ForeignKey),
    /// `CHECK`.
    Check {
        /// Its name.
        name: Option<String>,
        /// The condition.
        expr: Expr,
        /// Whether it is ENFORCED.
        enforced: bool,
    },
}

/// `ALGORITHM` and `LOCK` of CREATE and DROP INDEX; DEFAULT is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexLocks {
    /// ALGORITHM: COPY, INPLACE, INSTANT.
    pub algorithm: Option<&'static str>,
    /// LOCK: NONE, SHARED, EXCLUSIVE.
    pub lock: Option<&'static str>,
}

/// `CREATE INDEX`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// UNIQUE and kin.
    pub kind: IndexKind,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: TableName,
    /// Its parts, in order.
    pub parts: Vec<IndexPart>,
    /// Its options.
    pub options: IndexOptions,
    /// ALGORITHM and LOCK.
    pub locks: IndexLocks,
}
