//! Which partition a row belongs to, as TiDB decides it: the rows of a partitioned table are kept under the ids of its
//! partitions, so a wrong answer here would be a wrong key in TiKV.
//!
//! * [`expr`]: the functions that TiDB allows in `PARTITION BY`, evaluated over a row.
//! * [`bound`]: the constants of `VALUES LESS THAN` and `VALUES IN`.
//! * [`Partitioning`]: the partition of a row.

pub mod bound;
mod calendar;
pub mod expr;
mod key_hash;
pub mod width;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tidb_sql::{ParseOptions, Release, SqlMode};

use super::catalog::TidbVersion;
use super::catalog::model::{MAX_VALUE, PartitionInfo, PartitionType, TableInfo};
use super::codec::{CodecError, Datum, row};
use expr::{ExprError, Node};
pub(crate) use key_hash::is_served as key_is_served;

/// Why a row's partition is not known. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// A stored expression or bound cannot be read.
    #[error("read the partitions of table {table:?}: {text:?} {why}")]
    Damaged {
        /// The table.
        table: String,
        /// The expression or bound.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The expression has no value for a row.
    #[error("find the partition of a row of table {table:?}")]
    Value {
        /// The table.
        table: String,
        /// Why.
        source: ExprError,
    },
    /// A column has no key form.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// No partition takes the row; MariaDB should have refused it.
    #[error(
        "find the partition of a row of table {table:?}: none takes {value} (MariaDB took the row)"
    )]
    NoPartition {
        /// The table.
        table: String,
        /// The value of the partitioning function.
        value: String,
    },
}

/// A partitioned table, ready to say where rows go.
#[derive(Debug, Clone)]
pub struct Partitioning {
    table: Arc<TableInfo>,
    method: Method,
    /// The table as each partition has it, under the partition's id: made when it is first asked for, there may be
    /// thousands.
    physical: Vec<(i64, OnceLock<Arc<TableInfo>>)>,
}

#[derive(Debug, Clone)]
enum Method {
    Hash(Node),
    Key(Vec<usize>),
    /// Upper bounds, none for MAXVALUE.
    Range(Node, Vec<Option<i128>>),
    /// Offsets of the columns, and upper bounds as keys.
    RangeColumns(Vec<usize>, Vec<Vec<u8>>),
    List(Node, Values<Option<i128>>),
    ListColumns(Vec<usize>, Values<Vec<u8>>),
}

/// Partitions by value, and the one of all other values.
#[derive(Debug, Clone)]
struct Values<T> {
    of: HashMap<T, usize>,
    default: Option<usize>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self {
            of: HashMap::new(),
            default: None,
        }
    }
}

impl Partitioning {
    /// Reads a table's partitions; none if it has none.
    ///
    /// # Errors
    /// [`PartitionError::Damaged`] for what this program cannot have written.
    pub fn of(table: &Arc<TableInfo>) -> Result<Option<Self>, PartitionError> {
        let Some(info) = table.partitions() else {
            return Ok(None);
        };
        let method = method(table, info)?;
        let physical = info
            .ids()
            .into_iter()
            .map(|id| (id, OnceLock::new()))
            .collect();
        Ok(Some(Self {
            table: Arc::clone(table),
            method,
            physical,
        }))
    }

    /// The table as the partition of a row has it: with the partition's id for its own. `values` has a datum for each
    /// column, in table order.
    pub fn locate(&self, values: &[Datum]) -> Result<&Arc<TableInfo>, PartitionError> {
        let place = self.place(values)?;
        let (id, table) = place.and_then(|n| self.physical.get(n)).ok_or_else(|| {
            PartitionError::NoPartition {
                table: self.table.name.o.clone(),
                value: self.shown(values),
            }
        })?;
        Ok(table.get_or_init(|| {
            Arc::new(TableInfo {
                id: *id,
                ..(*self.table).clone()
            })
        }))
    }

    fn place(&self, values: &[Datum]) -> Result<Option<usize>, PartitionError> {
        let count = self.physical.len();
        Ok(match &self.method {
            Method::Hash(node) => {
                let value = self.eval(node, values)?;
                value.map_or(Some(0), |v| hash(v, count))
            }
            Method::Key(columns) => {
                let hash = key_hash::of(&self.table, columns, values)?;
                Some(hash as usize % count.max(1))
            }
            Method::Range(node, bounds) => match self.eval(node, values)? {
                None => Some(0),
                Some(value) => bounds
                    .iter()
                    .position(|bound| bound.is_none_or(|bound| value < bound)),
            },
            Method::RangeColumns(columns, bounds) => {
                let key = self.key(columns, values)?;
                let above = bounds.partition_point(|bound| *bound <= key);
                (above < bounds.len()).then_some(above)
            }
            Method::List(node, places) => {
                let value = self.eval(node, values)?;
                places.of.get(&value).copied().or(places.default)
            }
            Method::ListColumns(columns, places) => {
                let key = self.key(columns, values)?;
                places.of.get(&key).copied().or(places.default)
            }
        })
    }

    fn eval(&self, node: &Node, values: &[Datum]) -> Result<Option<i128>, PartitionError> {
        node.number(values).map_err(|source| PartitionError::Value {
            table: self.table.name.o.clone(),
            source,
        })
    }

    fn key(&self, columns: &[usize], values: &[Datum]) -> Result<Vec<u8>, CodecError> {
        columns_key(
            &self.table,
            columns,
            &columns
                .iter()
                .map(|n| values.get(*n).unwrap_or(&Datum::Null))
                .collect::<Vec<_>>(),
        )
    }

    /// What the partitioning function makes of a row, for messages.
    fn shown(&self, values: &[Datum]) -> String {
        match &self.method {
            Method::Hash(node) | Method::Range(node, _) | Method::List(node, _) => {
                match node.number(values) {
                    Ok(Some(value)) => value.to_string(),
                    _ => "NULL".to_owned(),
                }
            }
            _ => "from column_list".to_owned(),
        }
    }
}

/// TiDB counts in 64 bits with sign, whatever the column.
fn hash(value: i128, count: usize) -> Option<usize> {
    let value = value as u64 as i64;
    let rest = value.checked_rem(i64::try_from(count).ok()?)?;
    usize::try_from(rest.unsigned_abs()).ok()
}

/// Values of columns as bytes that compare as the values do.
pub(crate) fn columns_key(
    table: &TableInfo,
    columns: &[usize],
    values: &[&Datum],
) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(columns.len() * 10);
    for (offset, value) in columns.iter().zip(values) {
        row::put_column_key(&mut out, table, *offset, value)?;
    }
    Ok(out)
}

/// Sorts above every value of a column.
pub(crate) const ABOVE_ALL: u8 = 0xff;

/// The key of an upper bound of RANGE COLUMNS. `values` are those before the first MAXVALUE.
pub(crate) fn bound_key(
    table: &TableInfo,
    columns: &[usize],
    values: &[Datum],
    max: bool,
) -> Result<Vec<u8>, CodecError> {
    let values: Vec<&Datum> = values.iter().collect();
    let mut key = columns_key(table, columns, &values)?;
    if max {
        key.push(ABOVE_ALL);
    }
    Ok(key)
}

fn method(table: &TableInfo, info: &PartitionInfo) -> Result<Method, PartitionError> {
    let damaged = |text: &str, why: String| PartitionError::Damaged {
        table: table.name.o.clone(),
        text: text.to_owned(),
        why,
    };
    let offsets = || -> Result<Vec<usize>, PartitionError> {
        info.columns()
            .iter()
            .map(|name| {
                table
                    .column(&name.l)
                    .map(|c| c.offset)
                    .ok_or_else(|| damaged(&name.o, "is no column".to_owned()))
            })
            .collect()
    };
    let node = || -> Result<Node, PartitionError> {
        let options = options(table.written_by());
        let tree = tidb_sql::parse_expr(&info.expr, &options)
            .map_err(|e| damaged(&info.expr, format!("is no expression: {e}")))?;
        Node::compile(&tree, table).map_err(|e| damaged(&info.expr, format!("is not served: {e}")))
    };
    let constant = |text: &str, column: usize| {
        bound::of_column(text, table, column).map_err(|e| damaged(text, e.to_string()))
    };
    let by_columns = !info.columns().is_empty();
    Ok(match info.kind {
        PartitionType::Hash => Method::Hash(node()?),
        PartitionType::Key => Method::Key(offsets()?),
        PartitionType::Range if by_columns => {
            let columns = offsets()?;
            let mut bounds = Vec::with_capacity(info.definitions.len());
            for definition in &info.definitions {
                let texts = definition.less_than.as_deref().unwrap_or_default();
                let mut values = Vec::with_capacity(texts.len());
                let mut max = false;
                for (text, column) in texts.iter().zip(&columns) {
                    if text.eq_ignore_ascii_case(MAX_VALUE) {
                        max = true;
                        break;
                    }
                    values.push(constant(text, *column)?);
                }
                bounds.push(bound_key(table, &columns, &values, max)?);
            }
            Method::RangeColumns(columns, bounds)
        }
        PartitionType::Range => {
            let mut bounds = Vec::with_capacity(info.definitions.len());
            for definition in &info.definitions {
                let text = definition.less_than.as_deref().and_then(<[_]>::first);
                let text = text.map_or("", String::as_str);
                bounds.push(match text.eq_ignore_ascii_case(MAX_VALUE) {
                    true => None,
                    false => Some(
                        text.parse()
                            .map_err(|_| damaged(text, "is no whole number".to_owned()))?,
                    ),
                });
            }
            Method::Range(node()?, bounds)
        }
        PartitionType::List if by_columns => {
            let columns = offsets()?;
            let mut places = Values::default();
            for (place, definition) in info.definitions.iter().enumerate() {
                if definition.is_default() {
                    places.default = Some(place);
                    continue;
                }
                for texts in definition.values() {
                    let values: Vec<Datum> = texts
                        .iter()
                        .zip(&columns)
                        .map(|(text, column)| constant(text, *column))
                        .collect::<Result<_, _>>()?;
                    let values: Vec<&Datum> = values.iter().collect();
                    let key = columns_key(table, &columns, &values)?;
                    places.of.insert(key, place);
                }
            }
            Method::ListColumns(columns, places)
        }
        PartitionType::List => {
            let mut places = Values::default();
            for (place, definition) in info.definitions.iter().enumerate() {
                if definition.is_default() {
                    places.default = Some(place);
                    continue;
                }
                for text in definition.values().iter().flatten() {
                    let value = match text.eq_ignore_ascii_case("NULL") {
                        true => None,
                        false => Some(text.parse().map_err(|_| {
                            damaged(text, "is neither a whole number nor NULL".to_owned())
                        })?),
                    };
                    places.of.insert(value, place);
                }
            }
            Method::List(node()?, places)
        }
        PartitionType::None | PartitionType::SystemTime => {
            return Err(damaged(
                info.kind.text(),
                "is no method of partitioning".to_owned(),
            ));
        }
    })
}

/// How stored expressions are read: as TiDB's own, not as the session's.
pub(crate) fn options(version: TidbVersion) -> ParseOptions {
    ParseOptions {
        mode: SqlMode::default(),
        release: match version {
            TidbVersion::V4_0 => Release::V4_0,
            TidbVersion::V8_5 => Release::V8_5,
        },
    }
}

#[cfg(test)]
mod tests;
