use super::{
    CiStr, ColumnInfo, ForeignKeyInfo, IndexInfo, Indexes, Opaque, PartitionInfo, PolicyRef,
    SchemaState, SequenceInfo, TtlInfo, ViewInfo, flag,
};
use crate::tidb::catalog::TidbVersion;
use serde::{Deserialize, Serialize};

/// Version of the structure that 4.0 writes.
const STRUCTURE_V4_0: u16 = 3;
/// Version of the structure that 6.5 and later write.
const STRUCTURE_V6_5: u16 = 5;

/// A table (`docs/spec/tidb-schema.md §3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    /// Unique among all databases, tables and jobs.
    pub id: i64,
    /// Its name.
    pub name: CiStr,
    /// Default character set of its columns.
    pub charset: String,
    /// Default collation of its columns.
    pub collate: String,
    /// Its columns by offset, hidden and not yet public ones included.
    #[serde(
        rename = "cols",
        deserialize_with = "super::null_list",
        serialize_with = "super::list_or_null"
    )]
    pub columns: Vec<ColumnInfo>,
    /// Its indexes.
    #[serde(rename = "index_info")]
    pub indexes: Indexes,
    /// CHECK constraints. Since 5.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub constraint_info: Option<Opaque>,
    /// Foreign keys.
    pub fk_info: Option<Vec<ForeignKeyInfo>>,
    /// How far it is on its way in or out.
    pub state: SchemaState,
    /// The single integer primary key is the handle.
    pub pk_is_handle: bool,
    /// The primary index is the handle. Since 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_common_handle: Option<bool>,
    /// Layout of common handles. Since 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_handle_version: Option<u16>,
    /// COMMENT.
    pub comment: String,
    /// AUTO_INCREMENT as given, no live counter.
    pub auto_inc_id: i64,
    /// AUTO_ID_CACHE.
    pub auto_id_cache: i64,
    /// AUTO_RANDOM_BASE as given.
    pub auto_rand_id: i64,
    /// Highest column id ever given.
    pub max_col_id: i64,
    /// Highest index id ever given.
    pub max_idx_id: i64,
    /// Since 6.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fk_id: Option<i64>,
    /// Since 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cst_id: Option<i64>,
    /// Start TSO of the transaction that wrote this.
    pub update_timestamp: u64,
    /// The database it came from, after a rename across databases.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub old_schema_id: i64,
    /// SHARD_ROW_ID_BITS.
    #[serde(rename = "ShardRowIDBits")]
    pub shard_row_id_bits: u64,
    /// Highest SHARD_ROW_ID_BITS ever set.
    pub max_shard_row_id_bits: u64,
    /// AUTO_RANDOM's shard bits.
    pub auto_random_bits: u64,
    /// AUTO_RANDOM's range bits. Since 6.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_random_range_bits: Option<u64>,
    /// PRE_SPLIT_REGIONS.
    pub pre_split_regions: u64,
    /// Its partitions, if it has any.
    pub partition: Option<PartitionInfo>,
    /// COMPRESSION.
    pub compression: String,
    /// Set for a view.
    pub view: Option<ViewInfo>,
    /// Set for a sequence.
    pub sequence: Option<SequenceInfo>,
    /// Set while LOCK TABLES holds it.
    #[serde(rename = "Lock")]
    pub lock: Opaque,
    /// Version of this structure.
    pub version: u16,
    /// TiFlash replicas.
    pub tiflash_replica: Opaque,
    /// Since 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_columnar: Option<bool>,
    /// Since 5.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_table_type: Option<u8>,
    /// Since 5.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_table_status: Option<u8>,
    /// Since 5.3.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub policy_ref_info: Option<Option<PolicyRef>>,
    /// Since 6.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub stats_options: Option<Opaque>,
    /// Since 6.5.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub exchange_partition_info: Option<Opaque>,
    /// Since 6.5.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub ttl_info: Option<Option<TtlInfo>>,
    /// How often it was changed. Since 8.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

impl TableInfo {
    /// A table without columns, in no state yet.
    pub fn new(
        version: TidbVersion,
        id: i64,
        name: CiStr,
        charset: String,
        collate: String,
    ) -> Self {
        let modern = version >= TidbVersion::V8_5;
        Self {
            id,
            name,
            charset,
            collate,
            columns: vec![],
            indexes: Indexes::default(),
            constraint_info: modern.then_some(None),
            fk_info: None,
            state: SchemaState::None,
            pk_is_handle: false,
            is_common_handle: modern.then_some(false),
            common_handle_version: modern.then_some(0),
            comment: String::new(),
            auto_inc_id: 0,
            auto_id_cache: 0,
            auto_rand_id: 0,
            max_col_id: 0,
            max_idx_id: 0,
            max_fk_id: modern.then_some(0),
            max_cst_id: modern.then_some(0),
            update_timestamp: 0,
            old_schema_id: 0,
            shard_row_id_bits: 0,
            max_shard_row_id_bits: 0,
            auto_random_bits: 0,
            auto_random_range_bits: modern.then_some(0),
            pre_split_regions: 0,
            partition: None,
            compression: String::new(),
            view: None,
            sequence: None,
            lock: None,
            version: if modern {
                STRUCTURE_V6_5
            } else {
                STRUCTURE_V4_0
            },
            tiflash_replica: None,
            is_columnar: modern.then_some(false),
            temp_table_type: modern.then_some(0),
            cache_table_status: modern.then_some(0),
            policy_ref_info: modern.then_some(None),
            stats_options: modern.then_some(None),
            exchange_partition_info: modern.then_some(None),
            ttl_info: modern.then_some(None),
            revision: modern.then_some(0),
        }
    }

    /// The release line that wrote this.
    pub fn written_by(&self) -> TidbVersion {
        if self.version <= STRUCTURE_V4_0 {
            TidbVersion::V4_0
        } else {
            TidbVersion::V8_5
        }
    }

    /// Whether record keys hold sort keys rather than the strings themselves.
    pub fn new_collations(&self) -> bool {
        self.written_by().new_collations()
    }

    /// The column whose value is the int handle.
    pub fn handle_column(&self) -> Option<&ColumnInfo> {
        self.columns
            .iter()
            .find(|c| self.pk_is_handle && c.field_type.has(flag::PRI_KEY))
    }

    /// The primary index whose columns make the common handle.
    pub fn common_handle_index(&self) -> Option<&IndexInfo> {
        self.indexes
            .iter()
            .find(|i| self.is_common_handle == Some(true) && i.is_primary)
    }

    /// Whether records are found by `_tidb_rowid`.
    pub fn has_row_id(&self) -> bool {
        !self.pk_is_handle && self.is_common_handle != Some(true)
    }

    /// Its partitions, if it is partitioned.
    pub fn partitions(&self) -> Option<&PartitionInfo> {
        self.partition.as_ref().filter(|p| p.enable)
    }

    /// Whether it holds rows: views and sequences do not.
    pub fn is_base_table(&self) -> bool {
        self.view.is_none() && self.sequence.is_none()
    }

    /// The ids under which rows and index entries are kept: the partitions', or its own.
    pub fn physical_ids(&self) -> Vec<i64> {
        if !self.is_base_table() {
            return vec![];
        }
        self.partitions()
            .map_or_else(|| vec![self.id], PartitionInfo::ids)
    }

    /// A column by its name in any case.
    pub fn column(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|c| c.name.is(name))
    }

    /// An index by its name in any case.
    pub fn index(&self, name: &str) -> Option<&IndexInfo> {
        self.indexes.iter().find(|i| i.name.is(name))
    }
}
