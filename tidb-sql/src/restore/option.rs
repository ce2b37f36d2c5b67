//! Options of databases and tables.

use super::Writer;
use crate::Release;
use crate::ast::{DatabaseOption, StatsValue, TableOption};

impl Writer {
    pub(super) fn database_options(&mut self, options: &[DatabaseOption]) {
        for option in options {
            self.text(" ");
            match option {
                DatabaseOption::Charset(name) => {
                    self.equals("CHARACTER SET");
                    self.text(name);
                }
                DatabaseOption::Collate(name) => {
                    self.equals("COLLATE");
                    self.text(name);
                }
                DatabaseOption::Encryption(value) => {
                    self.equals("ENCRYPTION");
                    self.string(value);
                }
                // Placement is the upstream's own.
                DatabaseOption::PlacementPolicy(_) => {}
                DatabaseOption::TiFlashReplica { count, labels } => {
                    self.tiflash_replica(*count, labels);
                }
            }
        }
    }

    pub(super) fn tiflash_replica(&mut self, count: u64, labels: &[String]) {
        self.text("SET TIFLASH REPLICA ");
        self.number(count);
        if !labels.is_empty() {
            self.text(" LOCATION LABELS ");
            self.list(labels, ", ", |w, label| w.string(label));
        }
    }

    /// Since 8.5 a table with TTL arrives with TTL turned off: downstream nobody is to delete rows by himself.
    pub(super) fn with_ttl_off(&self, options: &[TableOption]) -> Vec<TableOption> {
        if self.release < Release::V8_5 {
            return options.to_vec();
        }
        let mut out = Vec::with_capacity(options.len());
        for option in options {
            match option {
                TableOption::TtlEnable(_) => {}
                TableOption::Ttl { .. } => {
                    out.extend([option.clone(), TableOption::TtlEnable(false)]);
                }
                other => out.push(other.clone()),
            }
        }
        out
    }

    pub(super) fn table_option(&mut self, option: &TableOption) {
        match option {
            TableOption::Engine(name) => {
                self.equals("ENGINE");
                self.text(if name.is_empty() { "''" } else { name });
            }
            TableOption::Charset { name, convert } => {
                self.text(if *convert {
                    "CONVERT TO CHARACTER SET "
                } else {
                    "DEFAULT CHARACTER SET = "
                });
                self.upper_or_default(name.as_deref());
            }
            TableOption::Collate(name) => {
                self.equals("DEFAULT COLLATE");
                self.text(&name.to_uppercase());
            }
            TableOption::AutoIncrement { value, force } => {
                self.force(*force);
                self.equals("AUTO_INCREMENT");
                self.number(value);
            }
            TableOption::AutoIdCache(value) => self.special("auto_id_cache", |w| {
                w.equals("AUTO_ID_CACHE");
                w.number(value);
            }),
            TableOption::AutoRandomBase { value, force } => {
                self.force(*force);
                self.special("auto_rand_base", |w| {
                    w.equals("AUTO_RANDOM_BASE");
                    w.number(value);
                });
            }
            TableOption::Comment(text) => {
                self.equals("COMMENT");
                self.string(text);
            }
            TableOption::ShardRowIdBits(bits) => self.special("", |w| {
                w.equals("SHARD_ROW_ID_BITS");
                w.number(bits);
            }),
            TableOption::PreSplitRegions(bits) => self.special("", |w| {
                w.equals("PRE_SPLIT_REGIONS");
                w.number(bits);
            }),
            TableOption::Ttl {
                column,
                interval,
                unit,
            } => self.special("ttl", |w| {
                w.equals("TTL");
                w.name(column);
                w.text(" + INTERVAL ");
                w.expr(interval);
                w.text(" ");
                w.text(unit.keyword());
            }),
            TableOption::TtlEnable(on) => self.special("ttl", |w| {
                w.equals("TTL_ENABLE");
                w.string(if *on { "ON" } else { "OFF" });
            }),
            TableOption::TtlJobInterval(interval) => self.special("ttl", |w| {
                w.equals("TTL_JOB_INTERVAL");
                w.string(interval);
            }),
            // Placement is the upstream's own.
            TableOption::PlacementPolicy(_) => {}
            TableOption::Number(name, value) => {
                self.equals(name);
                self.number(value);
            }
            TableOption::Text(name, value) => {
                self.equals(name);
                self.string(value);
            }
            TableOption::Keyword(name, value) => {
                self.equals(name);
                self.text(value);
            }
            TableOption::Storage(media) => {
                self.text("STORAGE ");
                self.text(media);
            }
            TableOption::Tablespace(name) => {
                self.equals("TABLESPACE");
                self.name(name);
            }
            TableOption::SecondaryEngineNull => self.text("SECONDARY_ENGINE = NULL"),
            TableOption::Union(tables) => {
                self.text("UNION = (");
                self.list(tables, ",", Self::table_name);
                self.text(")");
            }
            TableOption::Stats(name, value) => {
                self.equals(name);
                self.stats_value(value);
            }
            TableOption::Forgotten { name, called } => {
                self.text(name);
                self.text(" = DEFAULT /* ");
                self.text(called);
                self.text(" is not supported */ ");
            }
        }
    }

    pub(super) fn stats_value(&mut self, value: &StatsValue) {
        match value {
            StatsValue::Default => self.text("DEFAULT"),
            StatsValue::Value(value) => self.text(value),
        }
    }

    pub(super) fn upper_or_default(&mut self, name: Option<&str>) {
        match name {
            Some(name) => self.text(&name.to_uppercase()),
            None => self.text("DEFAULT"),
        }
    }

    fn force(&mut self, force: bool) {
        if force {
            self.special("force_inc", |w| w.text("FORCE"));
            self.text(" ");
        }
    }
}
