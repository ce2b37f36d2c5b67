//! CREATE TABLE.

use super::Writer;
use crate::ast::{CreateTable, Duplicates};

impl Writer {
    pub(super) fn create_table(&mut self, table: &CreateTable) {
        self.create_table_head(table.temporary, table.if_not_exists);
        self.table_name(&table.name);
        if !table.columns.is_empty() || !table.constraints.is_empty() {
            self.text(" (");
            self.list(&table.columns, ",", Self::column);
            self.text_if(
                !table.columns.is_empty() && !table.constraints.is_empty(),
                ",",
            );
            self.list(&table.constraints, ",", Self::constraint);
            self.text(")");
        }
        for option in self.with_ttl_off(&table.options) {
            self.text(" ");
            self.table_option(&option);
        }
        if let Some(partition) = &table.partition {
            self.text(" ");
            self.partition_by(partition);
        }
        match table.on_commit_delete {
            Some(true) => self.text(" ON COMMIT DELETE ROWS"),
            Some(false) => self.text(" ON COMMIT PRESERVE ROWS"),
            None => {}
        }
        if let Some(select) = &table.select {
            self.text(match select.0 {
                Duplicates::Error => " AS ",
                Duplicates::Ignore => " IGNORE AS ",
                Duplicates::Replace => " REPLACE AS ",
            });
            self.query(&select.1);
        }
    }
}
