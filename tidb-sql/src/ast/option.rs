//! Options of databases and tables.

use super::{Expr, TableName, TimeUnit};

/// An option of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseOption {
    /// CHARACTER SET, with its canonical name.
    Charset(String),
    /// COLLATE, with its canonical name.
    Collate(String),
    /// ENCRYPTION.
    Encryption(String),
    /// PLACEMENT POLICY.
    PlacementPolicy(String),
    /// SET TIFLASH REPLICA.
    TiFlashReplica {
        /// How many.
        count: u64,
        /// LOCATION LABELS.
        labels: Vec<String>,
    },
}

/// A number or DEFAULT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsValue {
    /// DEFAULT.
    Default,
    /// A value, as TiDB writes it.
    Value(String),
}

/// An option of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum TableOption {
    /// ENGINE, as written.
    Engine(String),
    /// CHARACTER SET, with its canonical name; none for DEFAULT.
    Charset {
        /// Canonical name.
        name: Option<String>,
        /// `CONVERT TO CHARACTER SET`, of ALTER TABLE.
        convert: bool,
    },
    /// COLLATE, with its canonical name.
    Collate(String),
    /// AUTO_INCREMENT.
    AutoIncrement {
        /// The next value.
        value: u64,
        /// FORCE.
        force: bool,
    },
    /// AUTO_ID_CACHE.
    AutoIdCache(u64),
    /// AUTO_RANDOM_BASE.
    AutoRandomBase {
        /// The next value.
        value: u64,
        /// FORCE.
        force: bool,
    },
    /// COMMENT.
    Comment(String),
    /// SHARD_ROW_ID_BITS.
    ShardRowIdBits(u64),
    /// PRE_SPLIT_REGIONS.
    PreSplitRegions(u64),
    /// `TTL = column + INTERVAL n unit`.
    Ttl {
        /// The column.
        column: String,
        /// n.
        interval: Box<Expr>,
        /// The unit.
        unit: TimeUnit,
    },
    /// TTL_ENABLE.
    TtlEnable(bool),
    /// TTL_JOB_INTERVAL.
    TtlJobInterval(String),
    /// PLACEMENT POLICY.
    PlacementPolicy(String),
    /// One of MySQL's that has a number, with its name: AVG_ROW_LENGTH, CHECKSUM, KEY_BLOCK_SIZE and the like.
    Number(&'static str, u64),
    /// One that has a string, with its name: COMPRESSION, CONNECTION, PASSWORD and the like.
    Text(&'static str, String),
    /// One that has a keyword, with its name: ROW_FORMAT, INSERT_METHOD.
    Keyword(&'static str, &'static str),
    /// STORAGE DISK or MEMORY.
    Storage(&'static str),
    /// TABLESPACE.
    Tablespace(String),
    /// SECONDARY_ENGINE = NULL.
    SecondaryEngineNull,
    /// UNION.
    Union(Vec<TableName>),
    /// Statistics, with their name: STATS_BUCKETS, STATS_TOPN, STATS_SAMPLE_RATE and the like.
    Stats(&'static str, StatsValue),
    /// STATS_PERSISTENT and PACK_KEYS, whose value TiDB forgets.
    Forgotten {
        /// Its name.
        name: &'static str,
        /// TiDB's name for it.
        called: &'static str,
    },
}
