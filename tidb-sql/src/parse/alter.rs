//! ALTER TABLE.

use super::cursor::Cursor;
use crate::ast::{
    AlterSpec, AlterTable, IndexChange, Placed, Position, Statement, StatsValue, TableOption,
};
use crate::{ParseError, Release};

impl Cursor<'_> {
    /// ALTER TABLE from the table's name on.
    pub(super) fn alter_table(&mut self) -> Result<Statement, ParseError> {
        let name = self.table_name()?;
        let mut specs = Vec::new();
        if !self.at_end() && !self.is_sign(";") {
            loop {
                specs.push(self.alter_spec()?);
                if !self.eat_sign(",") {
                    break;
                }
            }
            // These follow the others without a comma.
            if !self.at_end() && !self.is_sign(";") {
                specs.push(self.partitioning()?);
            }
        }
        Ok(Statement::AlterTable(AlterTable { name, specs }))
    }

    fn partitioning(&mut self) -> Result<AlterSpec, ParseError> {
        if self.eat_all(&["REMOVE", "PARTITIONING"]) {
            return Ok(AlterSpec::RemovePartitioning);
        }
        Ok(AlterSpec::PartitionBy(Box::new(self.partition_by()?)))
    }

    fn alter_spec(&mut self) -> Result<AlterSpec, ParseError> {
        if self.eat("ADD") {
            return self.add();
        }
        if self.eat("DROP") {
            return self.drop_part();
        }
        if self.eat("MODIFY") {
            self.eat("COLUMN");
            return Ok(AlterSpec::ModifyColumn {
                if_exists: self.eat_if_exists(),
                placed: self.placed()?,
            });
        }
        if self.eat("CHANGE") {
            self.eat("COLUMN");
            return Ok(AlterSpec::ChangeColumn {
                if_exists: self.eat_if_exists(),
                old: self.column_name()?,
                placed: self.placed()?,
            });
        }
        if self.eat("RENAME") {
            return self.rename();
        }
        if self.eat("ALTER") {
            return self.alter_part();
        }
        if self.eat("CONVERT") {
            return self.convert();
        }
        if self.eat_all(&["ORDER", "BY"]) {
            return Ok(AlterSpec::OrderBy(
                self.list(|c| Ok((c.column_name()?, c.descending())))?,
            ));
        }
        if self.eat("ALGORITHM") {
            return Ok(AlterSpec::Algorithm(self.algorithm()?));
        }
        if self.eat("LOCK") {
            return Ok(AlterSpec::Lock(self.lock()?));
        }
        if let Some(spec) = self.partition_spec()? {
            return Ok(spec);
        }
        if let Some(spec) = self.switch()? {
            return Ok(spec);
        }
        let options = self.table_options(false)?;
        if !options.is_empty() {
            return Ok(AlterSpec::Options(options));
        }
        if self.eat("FORCE") {
            return Ok(AlterSpec::Force);
        }
        Err(self.unexpected())
    }

    /// Changes of a word or two.
    fn switch(&mut self) -> Result<Option<AlterSpec>, ParseError> {
        type Made = fn(bool) -> AlterSpec;
        const SWITCHES: [(&[&str], Made, bool); 11] = [
            (&["ENABLE", "KEYS"], AlterSpec::Keys, true),
            (&["DISABLE", "KEYS"], AlterSpec::Keys, false),
            (&["WITH", "VALIDATION"], AlterSpec::Validation, true),
            (&["WITHOUT", "VALIDATION"], AlterSpec::Validation, false),
            (&["IMPORT", "TABLESPACE"], AlterSpec::Tablespace, true),
            (&["DISCARD", "TABLESPACE"], AlterSpec::Tablespace, false),
            (&["SECONDARY_LOAD"], AlterSpec::Secondary, true),
            (&["SECONDARY_UNLOAD"], AlterSpec::Secondary, false),
            (&["READ", "WRITE"], AlterSpec::Writable, true),
            (&["READ", "ONLY"], AlterSpec::Writable, false),
            (&["NOCACHE"], AlterSpec::Cache, false),
        ];
        for (words, made, on) in SWITCHES {
            let known = self.release() >= Release::V6_5 || words != ["NOCACHE"];
            if known && self.eat_all(words) {
                return Ok(Some(made(on)));
            }
        }
        if self.release() >= Release::V6_5 {
            if self.eat("CACHE") {
                return Ok(Some(AlterSpec::Cache(true)));
            }
            if self.eat_all(&["REMOVE", "TTL"]) {
                return Ok(Some(AlterSpec::RemoveTtl));
            }
            if self.eat("ATTRIBUTES") {
                return Ok(Some(AlterSpec::Attributes {
                    partition: None,
                    value: self.stats_value()?,
                }));
            }
            if self.eat("STATS_OPTIONS") {
                return Ok(Some(AlterSpec::StatsOptions(self.stats_value()?)));
            }
        }
        if self.eat_all(&["SET", "TIFLASH", "REPLICA"]) {
            let (count, labels) = self.tiflash_replica()?;
            return Ok(Some(AlterSpec::TiFlashReplica { count, labels }));
        }
        Ok(None)
    }

    /// `[=] 'text'` or DEFAULT.
    pub(super) fn stats_value(&mut self) -> Result<StatsValue, ParseError> {
        self.eat_equals();
        match self.eat("DEFAULT") {
            true => Ok(StatsValue::Default),
            false => self.string().map(StatsValue::Value),
        }
    }

    fn placed(&mut self) -> Result<Placed, ParseError> {
        Ok(Placed {
            column: self.column_def()?,
            position: self.position()?,
        })
    }

    fn position(&mut self) -> Result<Position, ParseError> {
        if self.eat("FIRST") {
            return Ok(Position::First);
        }
        match self.eat("AFTER") {
            true => Ok(Position::After(self.column_name()?)),
            false => Ok(Position::Unspecified),
        }
    }

    fn add(&mut self) -> Result<AlterSpec, ParseError> {
        if self.eat("PARTITION") {
            return self.add_partitions();
        }
        if self.eat("STATS_EXTENDED") {
            let if_not_exists = self.eat_if_not_exists();
            let name = self.name()?;
            let kind = self.expect_any(&["CARDINALITY", "DEPENDENCY", "CORRELATION"])?;
            return Ok(AlterSpec::AddStatistics {
                if_not_exists,
                name,
                kind,
                columns: self.parenthesised(Self::column_name)?,
            });
        }
        if self.is_constraint() {
            return Ok(AlterSpec::AddConstraint(self.constraint()?));
        }
        self.eat("COLUMN");
        let if_not_exists = self.eat_if_not_exists();
        if self.is_sign("(") {
            let (columns, constraints) = self.elements()?;
            return Ok(AlterSpec::AddColumns {
                if_not_exists,
                columns,
                constraints,
            });
        }
        Ok(AlterSpec::AddColumn {
            if_not_exists,
            placed: self.placed()?,
        })
    }

    fn drop_part(&mut self) -> Result<AlterSpec, ParseError> {
        if self.eat_all(&["PRIMARY", "KEY"]) {
            return Ok(AlterSpec::DropPrimaryKey);
        }
        if self.eat_any(&["INDEX", "KEY"]).is_some() {
            return Ok(AlterSpec::DropIndex {
                if_exists: self.eat_if_exists(),
                name: self.name()?,
            });
        }
        if self.eat_all(&["FOREIGN", "KEY"]) {
            return Ok(AlterSpec::DropForeignKey {
                if_exists: self.eat_if_exists(),
                name: self.name()?,
            });
        }
        if self.eat("CHECK") || self.eat_since(Release::V6_5, "CONSTRAINT") {
            return Ok(AlterSpec::DropCheck(self.name()?));
        }
        if self.eat("PARTITION") {
            return Ok(AlterSpec::DropPartitions {
                if_exists: self.eat_if_exists(),
                names: self.names()?,
            });
        }
        if self.eat("STATS_EXTENDED") {
            return Ok(AlterSpec::DropStatistics {
                if_exists: self.eat_if_exists(),
                name: self.name()?,
            });
        }
        self.eat("COLUMN");
        let if_exists = self.eat_if_exists();
        let name = self.column_name()?;
        self.eat_any(&["RESTRICT", "CASCADE"]);
        Ok(AlterSpec::DropColumn { if_exists, name })
    }

    fn rename(&mut self) -> Result<AlterSpec, ParseError> {
        if self.eat("COLUMN") {
            let from = self.column_name()?;
            self.expect("TO")?;
            return Ok(AlterSpec::RenameColumn {
                from,
                to: self.column_name()?,
            });
        }
        if self.eat_any(&["INDEX", "KEY"]).is_some() {
            let from = self.name()?;
            self.expect("TO")?;
            return Ok(AlterSpec::RenameIndex {
                from,
                to: self.name()?,
            });
        }
        if !self.eat_sign("=") {
            self.eat_any(&["TO", "AS"]);
        }
        Ok(AlterSpec::Rename(self.table_name()?))
    }

    fn alter_part(&mut self) -> Result<AlterSpec, ParseError> {
        if self.eat("INDEX") {
            let name = self.name()?;
            let visible = self.expect_any(&["VISIBLE", "INVISIBLE"])? == "VISIBLE";
            return Ok(AlterSpec::AlterIndex(IndexChange { name, visible }));
        }
        if self.eat_any(&["CHECK", "CONSTRAINT"]).is_some() {
            let name = self.name()?;
            let enforced = !self.eat("NOT");
            self.expect("ENFORCED")?;
            return Ok(AlterSpec::AlterCheck { name, enforced });
        }
        self.eat("COLUMN");
        let column = self.column_name()?;
        if self.eat_all(&["DROP", "DEFAULT"]) {
            return Ok(AlterSpec::DropDefault(column));
        }
        self.expect_all(&["SET", "DEFAULT"])?;
        let value = match self.is_sign("(") {
            true => self.in_parentheses()?,
            false => self.signed_literal()?,
        };
        Ok(AlterSpec::SetDefault { column, value })
    }

    fn convert(&mut self) -> Result<AlterSpec, ParseError> {
        self.expect("TO")?;
        if !self.eat_charset() {
            return Err(self.unexpected());
        }
        let name = match self.eat("DEFAULT") {
            true => None,
            false => Some(self.charset_name()?),
        };
        let mut options = vec![TableOption::Charset {
            name,
            convert: true,
        }];
        if self.eat("COLLATE") {
            self.eat_equals();
            options.push(TableOption::Collate(self.collation_name()?));
        }
        Ok(AlterSpec::Options(options))
    }
}
