//! ALTER TABLE.

use super::Writer;
use crate::Release;
use crate::ast::{
    AlterSpec, AlterTable, Expr, PartitionNames, PartitionTask, Placed, Position, StatsValue,
    TableOption,
};

impl Writer {
    pub(super) fn alter_table(&mut self, alter: &AlterTable) {
        self.text("ALTER TABLE ");
        self.table_name(&alter.name);
        let specs = alter.specs.iter().filter(|spec| !self.says_nothing(spec));
        for (n, spec) in specs.collect::<Vec<_>>().into_iter().enumerate() {
            let joined = matches!(
                spec,
                AlterSpec::PartitionBy(_)
                    | AlterSpec::RemovePartitioning
                    | AlterSpec::Tablespace(_)
            );
            self.text(if n == 0 || joined { " " } else { ", " });
            self.spec(spec);
        }
    }

    /// Whether all that a change is about is left out downstream: placement, attributes, TTL that is turned on.
    fn says_nothing(&self, spec: &AlterSpec) -> bool {
        match spec {
            AlterSpec::Options(options) | AlterSpec::PartitionOptions { options, .. } => {
                let options = self.with_ttl_off(options);
                let placement = |option| matches!(option, &TableOption::PlacementPolicy(_));
                self.release >= Release::V6_5 && options.iter().all(placement)
            }
            AlterSpec::Attributes { .. } => self.release >= Release::V6_5,
            _ => false,
        }
    }

    fn spec(&mut self, spec: &AlterSpec) {
        match spec {
            AlterSpec::Options(options) => self.options(options),
            AlterSpec::AddColumn {
                if_not_exists,
                placed,
            } => {
                self.text("ADD COLUMN ");
                self.text_if(*if_not_exists, "IF NOT EXISTS ");
                self.placed(placed);
            }
            AlterSpec::AddColumns {
                if_not_exists,
                columns,
                constraints,
            } => {
                self.text("ADD COLUMN ");
                self.text_if(*if_not_exists, "IF NOT EXISTS ");
                self.text("(");
                self.list(columns, ", ", Self::column);
                self.text_if(!columns.is_empty() && !constraints.is_empty(), ", ");
                self.list(constraints, ", ", Self::constraint);
                self.text(")");
            }
            AlterSpec::AddConstraint(constraint) => {
                self.text("ADD ");
                self.constraint(constraint);
            }
            AlterSpec::DropColumn { if_exists, name } => {
                self.text("DROP COLUMN ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.column_name(name);
            }
            AlterSpec::DropPrimaryKey => self.text("DROP PRIMARY KEY"),
            AlterSpec::DropIndex { if_exists, name } => {
                self.text("DROP INDEX ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.name(name);
            }
            AlterSpec::DropForeignKey { if_exists, name } => {
                self.text("DROP FOREIGN KEY ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.name(name);
            }
            AlterSpec::DropCheck(name) => {
                self.text("DROP CHECK ");
                self.name(name);
            }
            AlterSpec::AlterCheck { name, enforced } => {
                self.text("ALTER CHECK ");
                self.name(name);
                self.text(if *enforced {
                    " ENFORCED"
                } else {
                    " NOT ENFORCED"
                });
            }
            AlterSpec::ModifyColumn { if_exists, placed } => {
                self.text("MODIFY COLUMN ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.placed(placed);
            }
            AlterSpec::ChangeColumn {
                if_exists,
                old,
                placed,
            } => {
                self.text("CHANGE COLUMN ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.column_name(old);
                self.text(" ");
                self.placed(placed);
            }
            AlterSpec::RenameColumn { from, to } => {
                self.text("RENAME COLUMN ");
                self.column_name(from);
                self.text(" TO ");
                self.column_name(to);
            }
            AlterSpec::SetDefault { column, value } => {
                self.text("ALTER COLUMN ");
                self.column_name(column);
                self.text(" SET DEFAULT ");
                // Whatever is no literal stands in parentheses here.
                let bare = matches!(value, Expr::Literal(_) | Expr::Paren(_));
                self.text_if(!bare, "(");
                self.expr(value);
                self.text_if(!bare, ")");
            }
            AlterSpec::DropDefault(column) => {
                self.text("ALTER COLUMN ");
                self.column_name(column);
                self.text(" DROP DEFAULT");
            }
            AlterSpec::Rename(to) => {
                self.text("RENAME AS ");
                self.table_name(to);
            }
            AlterSpec::RenameIndex { from, to } => {
                self.text("RENAME INDEX ");
                self.name(from);
                self.text(" TO ");
                self.name(to);
            }
            AlterSpec::AlterIndex(change) => {
                self.text("ALTER INDEX ");
                self.name(&change.name);
                self.text(if change.visible {
                    " VISIBLE"
                } else {
                    " INVISIBLE"
                });
            }
            AlterSpec::OrderBy(columns) => {
                self.text("ORDER BY ");
                self.list(columns, ",", |w, (column, desc)| {
                    w.column_name(column);
                    w.text_if(*desc, " DESC");
                });
            }
            AlterSpec::Algorithm(algorithm) => {
                self.equals("ALGORITHM");
                self.text(algorithm);
            }
            AlterSpec::Lock(lock) => {
                self.equals("LOCK");
                self.text(lock);
            }
            AlterSpec::Force => self.text("FORCE /* AlterTableForce is not supported */ "),
            AlterSpec::Writable(true) => self.text("READ WRITE"),
            AlterSpec::Writable(false) => self.text("READ ONLY"),
            AlterSpec::Keys(true) => self.text("ENABLE KEYS"),
            AlterSpec::Keys(false) => self.text("DISABLE KEYS"),
            AlterSpec::Validation(true) => self.text("WITH VALIDATION"),
            AlterSpec::Validation(false) => self.text("WITHOUT VALIDATION"),
            AlterSpec::Tablespace(true) => self.text("IMPORT TABLESPACE"),
            AlterSpec::Tablespace(false) => self.text("DISCARD TABLESPACE"),
            AlterSpec::Secondary(true) => self.text("SECONDARY_LOAD"),
            AlterSpec::Secondary(false) => self.text("SECONDARY_UNLOAD"),
            AlterSpec::Cache(true) => self.text("CACHE"),
            AlterSpec::Cache(false) => self.text("NOCACHE"),
            AlterSpec::TiFlashReplica { count, labels } => self.tiflash_replica(*count, labels),
            AlterSpec::Attributes { partition, value } => {
                if let Some(partition) = partition {
                    self.text("PARTITION ");
                    self.name(partition);
                    self.text(" ");
                }
                self.attributes("ATTRIBUTES", value);
            }
            AlterSpec::StatsOptions(value) => self.attributes("STATS_OPTIONS", value),
            AlterSpec::AddStatistics {
                if_not_exists,
                name,
                kind,
                columns,
            } => {
                self.text("ADD STATS_EXTENDED ");
                self.text_if(*if_not_exists, "IF NOT EXISTS ");
                self.name(name);
                self.text(" ");
                self.text(kind);
                self.text("(");
                self.list(columns, ", ", Self::column_name);
                self.text(")");
            }
            AlterSpec::DropStatistics { if_exists, name } => {
                self.text("DROP STATS_EXTENDED ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.name(name);
            }
            AlterSpec::RemoveTtl => self.special("ttl", |w| w.text("REMOVE TTL")),
            other => self.partition_spec(other),
        }
    }

    fn attributes(&mut self, name: &str, value: &StatsValue) {
        self.text(name);
        self.text("=");
        match value {
            StatsValue::Default => self.text("DEFAULT"),
            StatsValue::Value(value) => self.string(value),
        }
    }

    /// A character set with its collation is written in a way of its own.
    fn options(&mut self, options: &[TableOption]) {
        if let [
            TableOption::Charset { name, convert },
            TableOption::Collate(collate),
        ] = options
        {
            self.text_if(*convert, "CONVERT TO ");
            self.text("CHARACTER SET ");
            self.upper_or_default(name.as_deref());
            self.text(" COLLATE ");
            self.text(&collate.to_uppercase());
            return;
        }
        let options = self.with_ttl_off(options);
        self.list(&options, " ", |w, option| w.table_option(option));
    }

    fn placed(&mut self, placed: &Placed) {
        self.column(&placed.column);
        match &placed.position {
            Position::Unspecified => {}
            Position::First => self.text(" FIRST"),
            Position::After(column) => {
                self.text(" AFTER ");
                self.column_name(column);
            }
        }
    }

    /// `lead`, and NO_WRITE_TO_BINLOG if it was said.
    pub(super) fn no_binlog(&mut self, lead: &str, no_binlog: bool) {
        self.text(lead);
        self.text_if(no_binlog, " NO_WRITE_TO_BINLOG");
    }

    pub(super) fn partition_task(
        &mut self,
        task: PartitionTask,
        no_binlog: bool,
        names: &PartitionNames,
    ) {
        let (before, after) = match task {
            PartitionTask::Truncate => ("TRUNCATE PARTITION", ""),
            PartitionTask::Check => ("CHECK PARTITION", ""),
            PartitionTask::Optimize => ("OPTIMIZE PARTITION", ""),
            PartitionTask::Repair => ("REPAIR PARTITION", ""),
            PartitionTask::Rebuild => ("REBUILD PARTITION", ""),
            PartitionTask::ImportTablespace => ("IMPORT PARTITION", " TABLESPACE"),
            PartitionTask::DiscardTablespace => ("DISCARD PARTITION", " TABLESPACE"),
        };
        self.no_binlog(before, no_binlog);
        self.text(" ");
        match names {
            PartitionNames::All => self.text("ALL"),
            PartitionNames::Names(names) => self.names(names, ","),
        }
        self.text(after);
    }
}
