//! Which partition of its topic a row goes to (spec/canal-json.md §15).

use crate::{
    mount::{MountError, RowEvent, TextRules},
    schema::TableInfo,
};

/// A changefeed's rule for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DispatchRule {
    /// One partition a table: `default`, `table`.
    Table,
    /// By the values of the handle key, or of the named index: `index-value`.
    IndexValue {
        /// `index`.
        index: Option<String>,
    },
    /// By the values of these columns: `columns`.
    Columns {
        /// `columns`.
        columns: Vec<String>,
    },
    /// By commit TSO: `ts`.
    Ts,
}

/// A rule that does not fit a table, or a value without a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// There is no such index.
    #[error("find the index `{index}` of `{schema}`.`{table}` to dispatch by")]
    Index {
        /// The index.
        index: String,
        /// The database.
        schema: String,
        /// The table.
        table: String,
    },
    /// There is no such column, or it never goes out.
    #[error("find the column `{column}` of `{schema}`.`{table}` to dispatch by: {detail}")]
    Column {
        /// The column.
        column: String,
        /// The database.
        schema: String,
        /// The table.
        table: String,
        /// Why it cannot be used.
        detail: &'static str,
    },
    /// A value is broken.
    #[error("hash `{schema}`.`{table}`.`{column}` to dispatch by: {source}")]
    Value {
        /// The column.
        column: String,
        /// The database.
        schema: String,
        /// The table.
        table: String,
        /// What is wrong with it.
        source: Box<MountError>,
    },
}

/// A [`DispatchRule`] for one version of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatcher {
    /// Always the same hash.
    Fixed(u32),
    /// The table's hash and the values of these columns.
    Columns(u32, Vec<usize>),
    /// By commit TSO.
    Ts,
}

impl Dispatcher {
    /// Resolves the rule's names in the table.
    pub fn new(rule: &DispatchRule, table: &TableInfo) -> Result<Self, DispatchError> {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(table.schema.as_bytes());
        hasher.update(table.name.as_bytes());
        let hash = hasher.finalize();
        let columns = match rule {
            DispatchRule::Table => return Ok(Dispatcher::Fixed(hash)),
            DispatchRule::Ts => return Ok(Dispatcher::Ts),
            DispatchRule::IndexValue { index: None } => (0..table.columns.len())
                .filter(|&at| table.columns[at].is_handle)
                .collect(),
            DispatchRule::IndexValue { index: Some(name) } => index_columns(name, table)?,
            DispatchRule::Columns { columns } => columns
                .iter()
                .map(|name| column(name, table))
                .collect::<Result<_, _>>()?,
        };
        Ok(Dispatcher::Columns(hash, columns))
    }

    /// The partition of `event` among `partitions` (at least 1).
    pub fn partition(
        &self,
        event: &RowEvent<'_>,
        text: &TextRules,
        partitions: u32,
    ) -> Result<u32, DispatchError> {
        let partitions = partitions.max(1);
        match self {
            Dispatcher::Fixed(hash) => Ok(hash % partitions),
            Dispatcher::Ts => Ok((event.commit_ts % u64::from(partitions)) as u32),
            Dispatcher::Columns(hash, columns) => {
                let mut hash = *hash;
                let mut value_text = Vec::new();
                for &at in columns {
                    let column = &event.table.columns[at];
                    value_text.clear();
                    match event.row().get(at) {
                        None => continue,
                        Some(value) if value.is_null() => value_text.extend_from_slice(b"null"),
                        Some(value) => {
                            text.write(value, column, &mut value_text)
                                .map_err(|source| DispatchError::Value {
                                    column: column.name.clone(),
                                    schema: event.table.schema.clone(),
                                    table: event.table.name.clone(),
                                    source: Box::new(source),
                                })?
                        }
                    }
                    let mut hasher = crc32fast::Hasher::new();
                    hasher.update(column.name.as_bytes());
                    hasher.update(&value_text);
                    hash ^= hasher.finalize();
                }
                Ok(hash % partitions)
            }
        }
    }
}

fn index_columns(name: &str, table: &TableInfo) -> Result<Vec<usize>, DispatchError> {
    let index = table.indexes.iter().find(|index| index.name == name);
    let index = index.ok_or_else(|| DispatchError::Index {
        index: name.to_owned(),
        schema: table.schema.clone(),
        table: table.name.clone(),
    })?;
    let place =
        |part: &crate::schema::IndexColumn| part.column.ok_or_else(|| not_sent(&part.name, table));
    index.columns.iter().map(place).collect()
}

fn column(name: &str, table: &TableInfo) -> Result<usize, DispatchError> {
    let is_virtual = |column: &String| column.to_lowercase() == name.to_lowercase();
    match table.column_by_name(name) {
        Some(at) => Ok(at),
        None if table.virtual_columns.iter().any(is_virtual) => Err(not_sent(name, table)),
        None => Err(DispatchError::Column {
            column: name.to_owned(),
            schema: table.schema.clone(),
            table: table.name.clone(),
            detail: "there is none of that name",
        }),
    }
}

fn not_sent(name: &str, table: &TableInfo) -> DispatchError {
    DispatchError::Column {
        column: name.to_owned(),
        schema: table.schema.clone(),
        table: table.name.clone(),
        detail: "a virtual generated column has no value in the change feed",
    }
}
