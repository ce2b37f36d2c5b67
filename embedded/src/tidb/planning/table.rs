//! `CREATE TABLE` and table options.

use tidb_sql::Release;
use tidb_sql::ast::{self, TableOption};
use tidb_sql::restore::restore_expr;

use super::{Reader, default::check_functions, statement::table_name};
use crate::tidb::catalog::DdlError;
use crate::tidb::catalog::statement::{
    Constraint, CreateTable, Expires, Ignored, TableOptions, TtlOptions,
};

impl Reader<'_> {
    pub(super) fn create_table(self, table: &ast::CreateTable) -> Result<CreateTable, DdlError> {
        if table.temporary == ast::Temporary::Global {
            return Err(self.global_temporary());
        }
        if table.select.is_some() {
            // TiDB reads it and refuses it.
            return Err(crate::tidb::catalog::sql_error::refused(
                1105,
                "'CREATE TABLE ... SELECT' is not implemented yet",
            ));
        }
        table.columns.iter().try_for_each(check_functions)?;
        let columns = table
            .columns
            .iter()
            .map(|column| self.column(column))
            .collect::<Result<_, _>>()?;
        let mut indexes = Vec::new();
        let mut foreign_keys = Vec::new();
        let mut ignored = Vec::new();
        for constraint in &table.constraints {
            match self.constraint(constraint)? {
                Constraint::Index(index) => indexes.push(index),
                Constraint::ForeignKey(key) => foreign_keys.push(key),
                Constraint::Ignored(what) => ignored.push(what),
            }
        }
        let options = table.columns.iter().flat_map(|column| &column.options);
        let checks = options.filter(|o| matches!(o, ast::ColumnOption::Check { .. }));
        ignored.extend(checks.map(|_| Ignored::Check));
        Ok(CreateTable {
            name: table_name(&table.name),
            if_not_exists: table.if_not_exists,
            temporary: table.temporary == ast::Temporary::Session,
            columns,
            indexes,
            foreign_keys,
            ignored,
            options: self.table_options(&table.options)?,
            partition: table
                .partition
                .as_ref()
                .map(|by| self.partition_by(by))
                .transpose()?,
        })
    }

    fn table_options(self, options: &[TableOption]) -> Result<TableOptions, DdlError> {
        let mut out = TableOptions::default();
        for option in options {
            match option {
                TableOption::Charset { name, .. } => out.charset.charset.clone_from(name),
                TableOption::Collate(name) => out.charset.collate = Some(name.clone()),
                TableOption::Comment(text) => out.comment = Some(text.clone()),
                TableOption::AutoIncrement { value, .. } => out.auto_increment = Some(*value),
                TableOption::AutoRandomBase { value, .. } => out.auto_random_base = Some(*value),
                TableOption::AutoIdCache(value) => out.auto_id_cache = Some(*value),
                TableOption::ShardRowIdBits(bits) => out.shard_row_id_bits = Some(*bits),
                TableOption::PreSplitRegions(bits) => out.pre_split_regions = Some(*bits),
                TableOption::PlacementPolicy(name) => out.placement = Some(name.clone()),
                other if ttl_option(&mut out.ttl, other) => {}
                other => self.ignored(other)?,
            }
        }
        Ok(out)
    }

    /// Options that TiDB reads and ignores; those that it keeps and this one does not are refused.
    pub(super) fn ignored(self, option: &TableOption) -> Result<(), DdlError> {
        let what = match option {
            TableOption::AutoRandomBase { .. } => "AUTO_RANDOM_BASE",
            TableOption::Stats(name, _) => name,
            _ => return Ok(()),
        };
        Err(self.unsupported(what))
    }
}

/// Takes over an option of TTL; whether it is one.
pub(super) fn ttl_option(out: &mut TtlOptions, option: &TableOption) -> bool {
    match option {
        TableOption::Ttl {
            column,
            interval,
            unit,
        } => {
            out.expires = Some(Expires {
                column: column.clone(),
                // TTL is younger than the old grammar.
                interval: restore_expr(interval, Release::V8_5),
                unit: unit.keyword(),
            });
        }
        TableOption::TtlEnable(on) => out.enable = Some(*on),
        TableOption::TtlJobInterval(text) => out.job_interval = Some(text.clone()),
        _ => return false,
    }
    true
}
