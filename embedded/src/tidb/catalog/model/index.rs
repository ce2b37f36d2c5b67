use super::{CiStr, Opaque, SchemaState};
use serde::{Deserialize, Serialize};

/// A column of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// The column's name.
    pub name: CiStr,
    /// Its offset in the table.
    pub offset: usize,
    /// Prefix length in characters (bytes if binary); -1 for the whole column.
    pub length: i64,
}

/// An index (`docs/spec/tidb-schema.md §3.3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexInfo {
    /// Never reused within its table.
    pub id: i64,
    /// Its name.
    #[serde(rename = "idx_name")]
    pub name: CiStr,
    /// Empty in practice.
    pub tbl_name: CiStr,
    /// Its columns in key order.
    #[serde(rename = "idx_cols")]
    pub columns: Vec<IndexColumn>,
    /// How far it is on its way in or out.
    pub state: SchemaState,
    /// Since 6.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_state: Option<u8>,
    /// COMMENT.
    pub comment: String,
    /// 1 BTREE, 2 HASH, 3 RTREE.
    pub index_type: u8,
    /// UNIQUE.
    pub is_unique: bool,
    /// The primary key.
    pub is_primary: bool,
    /// INVISIBLE.
    pub is_invisible: bool,
    /// Since 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_global: Option<bool>,
    /// Since 6.6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mv_index: Option<bool>,
    /// Since 8.4.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub vector_index: Option<Opaque>,
}

/// A table's indexes. Go prints a list that was never made as null, and one that was made and is empty as `[]`: after
/// CREATE TABLE … LIKE, and when the last index is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes {
    list: Vec<IndexInfo>,
    made: bool,
}

impl Indexes {
    /// From now on it is written as a list, even when it is empty.
    pub(crate) fn made(&mut self) {
        self.made = true;
    }
}

impl std::ops::Deref for Indexes {
    type Target = Vec<IndexInfo>;

    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl std::ops::DerefMut for Indexes {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.list
    }
}

impl From<Vec<IndexInfo>> for Indexes {
    fn from(list: Vec<IndexInfo>) -> Self {
        Self { list, made: false }
    }
}

impl<'a> IntoIterator for &'a Indexes {
    type Item = &'a IndexInfo;
    type IntoIter = std::slice::Iter<'a, IndexInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a mut Indexes {
    type Item = &'a mut IndexInfo;
    type IntoIter = std::slice::IterMut<'a, IndexInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter_mut()
    }
}

impl Serialize for Indexes {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if self.list.is_empty() && !self.made {
            out.serialize_none()
        } else {
            self.list.serialize(out)
        }
    }
}

impl<'de> Deserialize<'de> for Indexes {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let list = Option::<Vec<IndexInfo>>::deserialize(input)?;
        Ok(Self {
            made: list.is_some(),
            list: list.unwrap_or_default(),
        })
    }
}
