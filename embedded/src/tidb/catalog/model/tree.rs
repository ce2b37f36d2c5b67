use super::{ColumnInfo, DbInfo, ForeignKeyInfo, PartitionInfo, PolicyInfo, TableInfo};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A JSON value that keeps the order of members, for the parts of a job whose shape depends on its action.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object.
    Object(Vec<(&'static str, Tree)>),
    /// A table.
    Table(Box<TableInfo>),
    /// A column.
    Column(Box<ColumnInfo>),
    /// A column as 4.0 queues it, with the (always null) expressions of the parsed statement.
    NewColumn(Box<ColumnInfo>),
    /// Partitions.
    Partitions(Box<PartitionInfo>),
    /// A foreign key.
    ForeignKey(Box<ForeignKeyInfo>),
    /// A placement policy.
    Policy(Box<PolicyInfo>),
    /// A database.
    Db(Box<DbInfo>),
}

impl Tree {
    /// A name object `{"O":…,"L":…}`.
    pub fn name(name: &super::CiStr) -> Self {
        Self::Object(vec![
            ("O", name.o.as_str().into()),
            ("L", name.l.as_str().into()),
        ])
    }

    /// The table inside, if this is or directly holds one.
    pub(crate) fn tables_mut(&mut self, visit: &mut impl FnMut(&mut TableInfo)) {
        match self {
            Self::Table(t) => visit(t),
            Self::List(items) => items.iter_mut().for_each(|t| t.tables_mut(visit)),
            Self::Object(members) => members.iter_mut().for_each(|(_, t)| t.tables_mut(visit)),
            _ => {}
        }
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Tree {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<bool> for Tree {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => out.serialize_unit(),
            Self::Bool(b) => out.serialize_bool(*b),
            Self::Int(n) => out.serialize_i64(*n),
            Self::Text(s) => out.serialize_str(s),
            Self::List(items) => items.serialize(out),
            Self::Object(members) => {
                let mut map = out.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Table(t) => t.serialize(out),
            Self::Column(c) => c.serialize(out),
            Self::NewColumn(c) => NewColumn {
                column: c,
                generated: (),
                default: (),
            }
            .serialize(out),
            Self::Partitions(p) => p.serialize(out),
            Self::ForeignKey(key) => key.serialize(out),
            Self::Policy(p) => p.serialize(out),
            Self::Db(d) => d.serialize(out),
        }
    }
}

#[derive(serde::Serialize)]
struct NewColumn<'a> {
    #[serde(flatten)]
    column: &'a ColumnInfo,
    #[serde(rename = "GeneratedExpr")]
    generated: (),
    #[serde(rename = "DefaultExpr")]
    default: (),
}
