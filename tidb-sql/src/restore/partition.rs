//! Partitions.

use super::Writer;
use crate::ast::{
    AlterSpec, Expr, PartitionBy, PartitionDef, PartitionInterval, PartitionMethod, PartitionValues,
};

impl Writer {
    pub(super) fn partition_by(&mut self, by: &PartitionBy) {
        self.text("PARTITION BY ");
        self.partition_method(&by.method);
        if let Some(interval) = &by.interval {
            self.partition_interval(interval);
        }
        if let Some(count) = by.count
            && by.definitions.is_empty()
        {
            self.text(" PARTITIONS ");
            self.number(count);
        }
        if let Some((method, count)) = &by.sub {
            self.text(" SUBPARTITION BY ");
            self.partition_method(method);
            if let Some(count) = count {
                self.text(" SUBPARTITIONS ");
                self.number(count);
            }
        }
        if !by.definitions.is_empty() {
            self.text(" (");
            self.list(&by.definitions, ",", Self::partition_def);
            self.text(")");
        }
        if !by.update_indexes.is_empty() {
            self.text(" UPDATE INDEXES (");
            self.list(&by.update_indexes, ",", |w, (name, global)| {
                w.name(name);
                w.text(if *global { " GLOBAL" } else { " LOCAL" });
            });
            self.text(")");
        }
    }

    fn partition_method(&mut self, method: &PartitionMethod) {
        match method {
            PartitionMethod::Hash { linear, expr } => {
                self.text_if(*linear, "LINEAR ");
                self.text("HASH");
                self.in_parens(expr);
            }
            PartitionMethod::Key {
                linear,
                algorithm,
                columns,
            } => {
                self.text_if(*linear, "LINEAR ");
                self.text("KEY");
                if let Some(algorithm) = algorithm {
                    self.text(" ALGORITHM = ");
                    self.number(algorithm);
                }
                self.text(" (");
                self.list(columns, ",", Self::column_name);
                self.text(")");
            }
            PartitionMethod::Range(expr) => {
                self.text("RANGE");
                self.in_parens(expr);
            }
            PartitionMethod::List(expr) => {
                self.text("LIST");
                self.in_parens(expr);
            }
            PartitionMethod::RangeColumns(columns) | PartitionMethod::ListColumns(columns) => {
                self.text(match method {
                    PartitionMethod::RangeColumns(_) => "RANGE COLUMNS (",
                    _ => "LIST COLUMNS (",
                });
                self.list(columns, ",", Self::column_name);
                self.text(")");
            }
        }
    }

    fn in_parens(&mut self, expr: &Expr) {
        self.text(" (");
        self.expr(expr);
        self.text(")");
    }

    fn partition_interval(&mut self, interval: &PartitionInterval) {
        self.text(" INTERVAL (");
        self.expr(&interval.expr);
        if let Some(unit) = interval.unit {
            self.text(" ");
            self.text(unit.keyword());
        }
        self.text(")");
        for (lead, bound) in [
            (" FIRST PARTITION LESS THAN", &interval.first),
            (" LAST PARTITION LESS THAN", &interval.last),
        ] {
            if let Some(bound) = bound {
                self.text(lead);
                self.in_parens(bound);
            }
        }
        self.text_if(interval.null, " NULL PARTITION");
        self.text_if(interval.maxvalue, " MAXVALUE PARTITION");
    }

    fn partition_def(&mut self, def: &PartitionDef) {
        self.text("PARTITION ");
        self.name(&def.name);
        match &def.values {
            PartitionValues::None => {}
            PartitionValues::LessThan(values) => {
                self.text(" VALUES LESS THAN (");
                self.list(values, ", ", Self::expr);
                self.text(")");
            }
            PartitionValues::In(values) => {
                self.text(" VALUES IN (");
                self.list(values, ", ", |w, value| {
                    let several = value.len() > 1;
                    w.text_if(several, "(");
                    w.list(value, ", ", Self::expr);
                    w.text_if(several, ")");
                });
                self.text(")");
            }
            PartitionValues::Default => self.text(" DEFAULT"),
        }
        for option in &def.options {
            self.text(" ");
            self.table_option(option);
        }
        if !def.sub.is_empty() {
            self.text(" (");
            self.list(&def.sub, ",", |w, sub| {
                w.text("SUBPARTITION ");
                w.name(&sub.name);
                for option in &sub.options {
                    w.text(" ");
                    w.table_option(option);
                }
            });
            self.text(")");
        }
    }

    /// Changes of partitions; [`spec`](Self::spec) has written all others.
    pub(super) fn partition_spec(&mut self, spec: &AlterSpec) {
        match spec {
            AlterSpec::PartitionBy(by) => self.partition_by(by),
            AlterSpec::RemovePartitioning => self.text("REMOVE PARTITIONING"),
            AlterSpec::AddPartitions {
                if_not_exists,
                no_binlog,
                definitions,
                count,
            } => {
                self.text("ADD PARTITION");
                self.text_if(*if_not_exists, " IF NOT EXISTS");
                self.no_binlog("", *no_binlog);
                if !definitions.is_empty() {
                    self.definitions(definitions);
                } else if let Some(count) = count {
                    self.text(" PARTITIONS ");
                    self.number(count);
                }
            }
            AlterSpec::FirstPartition { bound, merge } => {
                self.text(if *merge {
                    "MERGE FIRST PARTITION LESS THAN"
                } else {
                    "FIRST PARTITION LESS THAN"
                });
                self.in_parens(bound);
            }
            AlterSpec::LastPartition { bound, no_binlog } => {
                self.no_binlog("LAST PARTITION", *no_binlog);
                self.text(" LESS THAN");
                self.in_parens(bound);
            }
            AlterSpec::SplitMaxvalue(bound) => {
                self.text("SPLIT MAXVALUE PARTITION LESS THAN");
                self.in_parens(bound);
            }
            AlterSpec::PartitionOptions { name, options } => {
                self.text("PARTITION ");
                self.name(name);
                for option in options {
                    self.text(" ");
                    self.table_option(option);
                }
            }
            AlterSpec::Coalesce { no_binlog, count } => {
                self.no_binlog("COALESCE PARTITION", *no_binlog);
                self.text(" ");
                self.number(count);
            }
            AlterSpec::DropPartitions { if_exists, names } => {
                self.text("DROP PARTITION ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.names(names, ",");
            }
            AlterSpec::Partitions {
                task,
                no_binlog,
                names,
            } => self.partition_task(*task, *no_binlog, names),
            AlterSpec::Reorganize {
                no_binlog,
                names,
                into,
            } => {
                self.no_binlog("REORGANIZE PARTITION", *no_binlog);
                if !names.is_empty() {
                    self.text(" ");
                    self.names(names, ",");
                    self.text(" INTO");
                    self.definitions(into);
                }
            }
            AlterSpec::Exchange {
                partition,
                table,
                validation,
            } => {
                self.text("EXCHANGE PARTITION ");
                self.name(partition);
                self.text(" WITH TABLE ");
                self.table_name(table);
                self.text_if(!validation, " WITHOUT VALIDATION");
            }
            // Written by `spec`.
            _ => {}
        }
    }

    fn definitions(&mut self, definitions: &[PartitionDef]) {
        self.text(" (");
        self.list(definitions, ", ", Self::partition_def);
        self.text(")");
    }
}
