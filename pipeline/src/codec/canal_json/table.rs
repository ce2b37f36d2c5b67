//! What of a message depends on the table only, made once a version of it.

use crate::schema::TableInfo;

use super::{
    config::Config,
    escape::push_string,
    types::{self, SqlType},
};

/// A column that goes out.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    /// Its place in [`TableInfo::columns`].
    pub(super) at: usize,
    /// `"name":`.
    pub(super) key: Vec<u8>,
    pub(super) sql_type: SqlType,
    pub(super) latin1: bool,
}

/// The columns of one shape of message: all, or only the handle key.
#[derive(Debug)]
pub(super) struct Shape {
    /// In the order of the message: the table's, in v4.0.9 by name.
    pub(super) columns: Vec<ColumnPlan>,
    /// The whole `mysqlType` object.
    pub(super) mysql_type: Vec<u8>,
}

/// The constant parts of a table's messages.
#[derive(Debug)]
pub(super) struct TablePlan {
    pub(super) version: u64,
    /// `{"id":0,"database":…,"table":…,"pkNames":[`.
    pub(super) head: Vec<u8>,
    /// The names of the primary key's columns.
    pub(super) pk_names: Vec<u8>,
    pub(super) all: Shape,
    pub(super) handle_only: Shape,
}

impl TablePlan {
    pub(super) fn new(table: &TableInfo, config: &Config) -> Self {
        let selected = |at: usize| {
            config
                .columns
                .as_ref()
                .is_none_or(|columns| columns.selects(table, at))
        };
        let mut head = b"{\"id\":0,\"database\":".to_vec();
        push_string(table.schema.as_bytes(), &mut head);
        head.extend_from_slice(b",\"table\":");
        push_string(table.name.as_bytes(), &mut head);
        head.extend_from_slice(b",\"pkNames\":[");
        let mut pk_names = Vec::new();
        let keys = table
            .columns
            .iter()
            .enumerate()
            .filter(|(at, column)| column.is_primary && selected(*at));
        for (place, (_, column)) in keys.enumerate() {
            if place > 0 {
                pk_names.push(b',');
            }
            push_string(column.name.as_bytes(), &mut pk_names);
        }
        TablePlan {
            version: table.version,
            head,
            pk_names,
            all: Shape::new(table, config, selected),
            handle_only: Shape::new(table, config, |at| {
                table.columns[at].is_handle && selected(at)
            }),
        }
    }
}

impl Shape {
    fn new(table: &TableInfo, config: &Config, selected: impl Fn(usize) -> bool) -> Self {
        let mut order: Vec<usize> = (0..table.columns.len())
            .filter(|&at| selected(at))
            .collect();
        if config.release.sorts_columns() {
            order.sort_by(|&a, &b| table.columns[a].name.cmp(&table.columns[b].name));
        }
        let mut mysql_type = vec![b'{'];
        let mut columns = Vec::with_capacity(order.len());
        for at in order {
            let column = &table.columns[at];
            let mut key = Vec::with_capacity(column.name.len() + 3);
            push_string(column.name.as_bytes(), &mut key);
            key.push(b':');
            if mysql_type.len() > 1 {
                mysql_type.push(b',');
            }
            mysql_type.extend_from_slice(&key);
            let text = types::mysql_type(column, config.release, config.content_compatible);
            push_string(text.as_bytes(), &mut mysql_type);
            columns.push(ColumnPlan {
                at,
                key,
                sql_type: SqlType::new(column, config.release),
                latin1: types::is_latin1(column, config.release),
            });
        }
        mysql_type.push(b'}');
        Shape {
            columns,
            mysql_type,
        }
    }
}
