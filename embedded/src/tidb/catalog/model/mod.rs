//! The schema objects as TiDB stores them (`docs/spec/tidb-schema.md §2-§3`): the members and their order are those of
//! the JSON. A member that a release does not have is `None` there and is left out.

mod column;
mod db;
mod field_type;
mod foreign_key;
mod index;
mod job;
mod partition;
mod placement;
mod sequence;
mod table;
mod tree;
mod ttl;
mod view;

pub(crate) use column::NOW;
pub use column::{ColumnInfo, GeneratedDependences};
pub use db::DbInfo;
pub use field_type::{FieldType, Tp, flag};
pub use foreign_key::ForeignKeyInfo;
pub use index::{IndexColumn, IndexInfo, Indexes};
pub use job::*;
pub use partition::{DEFAULT_VALUE, MAX_VALUE, PartitionDefinition, PartitionInfo, PartitionType};
pub use placement::{PolicyInfo, PolicyRef};
pub use sequence::SequenceInfo;
pub use table::TableInfo;
pub use tree::Tree;
pub use ttl::TtlInfo;
pub use view::{Definer, ViewInfo};

use serde::{Deserialize, Deserializer, Serialize};

/// A name with the case it was given and its lower-case form, which lookups use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct CiStr {
    /// As written.
    #[serde(rename = "O")]
    pub o: String,
    /// Lower case.
    #[serde(rename = "L")]
    pub l: String,
}

impl CiStr {
    /// A name as written.
    pub fn new(name: impl Into<String>) -> Self {
        let o = name.into();
        let l = lower_case(&o);
        Self { o, l }
    }

    /// Whether the two are the same name.
    pub fn is(&self, name: &str) -> bool {
        self.l == lower_case(name)
    }
}

/// A name in lower case, as TiDB has it: each character by itself, which becomes one other.
pub(crate) fn lower_case(name: &str) -> String {
    let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
    name.chars().map(lower).collect()
}

/// How far a schema object is on its way in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum SchemaState {
    /// Not there.
    #[default]
    None,
    /// Deletes reach it.
    DeleteOnly,
    /// Writes reach it.
    WriteOnly,
    /// Existing rows are being brought up to it.
    WriteReorganization,
    /// Its data is being removed.
    DeleteReorganization,
    /// In full use.
    Public,
    /// In use by replicas only.
    ReplicaOnly,
    /// In use by global transactions only.
    GlobalTxnOnly,
}

impl From<SchemaState> for u8 {
    fn from(state: SchemaState) -> u8 {
        state as u8
    }
}

impl TryFrom<u8> for SchemaState {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        Ok(match code {
            0 => Self::None,
            1 => Self::DeleteOnly,
            2 => Self::WriteOnly,
            3 => Self::WriteReorganization,
            4 => Self::DeleteReorganization,
            5 => Self::Public,
            6 => Self::ReplicaOnly,
            7 => Self::GlobalTxnOnly,
            other => return Err(format!("schema state {other}, expected 0 to 7")),
        })
    }
}

/// A member that may hold anything and is null in everything the embedded TiDB makes.
pub type Opaque = Option<serde_json::Value>;

/// For members that are absent in some release and null in another: keeps the two apart.
fn present<'de, D, T>(input: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(input).map(Some)
}

/// Go prints an empty list that was never made as null.
fn null_list<'de, D, T>(input: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(input)?.unwrap_or_default())
}

fn list_or_null<S, T>(list: &[T], out: S) -> Result<S::Ok, S::Error>
where
    S: serde::Serializer,
    T: Serialize,
{
    if list.is_empty() {
        out.serialize_none()
    } else {
        list.serialize(out)
    }
}
