//! The changes of `ALTER TABLE`.

use tidb_sql::ast::{self, AlterSpec, TableOption};

use super::{Reader, statement::table_name, table::ttl_option};
use crate::tidb::catalog::model::CiStr;
use crate::tidb::catalog::statement::{
    Change, CharsetClause, Constraint, Ignored, Position, TtlOptions,
};
use crate::tidb::catalog::{DdlError, sql_error};

impl Reader<'_> {
    pub(super) fn changes(self, specs: &[AlterSpec]) -> Result<Vec<Change>, DdlError> {
        let mut changes = Vec::new();
        for spec in specs {
            self.change(spec, &mut changes)?;
        }
        Ok(changes)
    }

    fn change(self, spec: &AlterSpec, out: &mut Vec<Change>) -> Result<(), DdlError> {
        out.push(match spec {
            AlterSpec::Options(options) => return self.options(options, out),
            AlterSpec::AddColumn {
                if_not_exists,
                placed,
            } => Change::AddColumn {
                column: self.column(&placed.column)?,
                position: position(&placed.position),
                if_not_exists: *if_not_exists,
            },
            AlterSpec::AddColumns {
                if_not_exists,
                columns,
                constraints,
            } => {
                for column in columns {
                    out.push(Change::AddColumn {
                        column: self.column(column)?,
                        position: Position::Listed,
                        if_not_exists: *if_not_exists,
                    });
                }
                for constraint in constraints {
                    self.add_constraint(constraint, out)?;
                }
                return Ok(());
            }
            AlterSpec::AddConstraint(constraint) => return self.add_constraint(constraint, out),
            AlterSpec::DropColumn { if_exists, name } => Change::DropColumn {
                name: name.name.clone(),
                if_exists: *if_exists,
            },
            AlterSpec::DropPrimaryKey => Change::DropPrimaryKey,
            AlterSpec::DropIndex { if_exists, name } => Change::DropIndex {
                name: name.clone(),
                if_exists: *if_exists,
            },
            AlterSpec::ModifyColumn { if_exists, placed } => Change::ModifyColumn {
                old: placed.column.name.name.clone(),
                column: self.column(&placed.column)?,
                position: position(&placed.position),
                if_exists: *if_exists,
            },
            AlterSpec::ChangeColumn {
                if_exists,
                old,
                placed,
            } => Change::ModifyColumn {
                old: old.name.clone(),
                column: self.column(&placed.column)?,
                position: position(&placed.position),
                if_exists: *if_exists,
            },
            AlterSpec::RenameColumn { from, to } => Change::RenameColumn {
                from: from.name.clone(),
                to: to.name.clone(),
            },
            AlterSpec::SetDefault { column, value } => Change::SetDefault {
                column: column.name.clone(),
                value: Some(self.default_value(value)?),
            },
            AlterSpec::DropDefault(column) => Change::SetDefault {
                column: column.name.clone(),
                value: None,
            },
            AlterSpec::Rename(to) => Change::Rename(table_name(to)),
            AlterSpec::RenameIndex { from, to } => Change::RenameIndex {
                from: from.clone(),
                to: to.clone(),
            },
            AlterSpec::AlterIndex(change) => Change::Visibility {
                index: change.name.clone(),
                invisible: !change.visible,
            },
            AlterSpec::DropCheck(_) | AlterSpec::AlterCheck { .. } => {
                Change::Ignored(Ignored::Check)
            }
            AlterSpec::OrderBy(_) => Change::Ignored(Ignored::OrderBy),
            AlterSpec::TiFlashReplica { count, .. } if *count > 0 => {
                return Err(sql_error::refused(
                    1105,
                    format!(
                        "the tiflash replica count: {count} should be less than the total tiflash server count: 0"
                    ),
                ));
            }
            AlterSpec::DropForeignKey { if_exists, name } => Change::DropForeignKey {
                name: name.clone(),
                if_exists: *if_exists,
            },
            AlterSpec::RemoveTtl => Change::RemoveTtl,
            AlterSpec::Cache(on) => Change::Cache(*on),
            AlterSpec::Algorithm(_)
            | AlterSpec::Lock(_)
            | AlterSpec::Force
            | AlterSpec::Keys(_)
            | AlterSpec::Validation(_) => Change::Nothing,
            other => match self.partition_change(other)? {
                Some(change) => Change::Partition(Box::new(change)),
                None => return Err(self.unsupported(name_of(other))),
            },
        });
        Ok(())
    }

    fn add_constraint(
        self,
        constraint: &ast::Constraint,
        out: &mut Vec<Change>,
    ) -> Result<(), DdlError> {
        let if_not_exists = matches!(constraint, ast::Constraint::Key(key) if key.if_not_exists);
        out.push(match self.constraint(constraint)? {
            Constraint::Index(index) => Change::AddIndex {
                index,
                if_not_exists,
            },
            Constraint::ForeignKey(key) => Change::AddForeignKey(key),
            Constraint::Ignored(what) => Change::Ignored(what),
        });
        Ok(())
    }

    fn options(self, options: &[TableOption], out: &mut Vec<Change>) -> Result<(), DdlError> {
        let mut charset = CharsetClause::default();
        let mut converts = false;
        let mut ttl = TtlOptions::default();
        let mut expires = false;
        for option in options {
            match option {
                TableOption::Charset { name, convert } => {
                    charset.charset.clone_from(name);
                    converts |= convert;
                }
                TableOption::Collate(name) => charset.collate = Some(name.clone()),
                TableOption::Comment(text) => out.push(Change::Comment(text.clone())),
                TableOption::AutoIncrement { value, force } => {
                    out.push(Change::AutoIncrement {
                        base: *value,
                        force: *force,
                    });
                }
                TableOption::AutoIdCache(_) => return Err(self.unsupported("AUTO_ID_CACHE")),
                TableOption::ShardRowIdBits(bits) => out.push(Change::ShardRowIdBits(*bits)),
                TableOption::PlacementPolicy(name) => out.push(Change::Placement(name.clone())),
                other if ttl_option(&mut ttl, other) => expires = true,
                other => {
                    self.ignored(other)?;
                    out.push(Change::Nothing);
                }
            }
        }
        if expires {
            out.push(Change::Ttl(ttl));
        }
        if converts || charset.charset.is_some() || charset.collate.is_some() {
            out.push(Change::Charset {
                clause: charset,
                convert: converts,
            });
        }
        Ok(())
    }
}

fn position(position: &ast::Position) -> Position {
    match position {
        ast::Position::Unspecified => Position::Unspecified,
        ast::Position::First => Position::First,
        ast::Position::After(column) => Position::After(CiStr::new(&column.name)),
    }
}

fn name_of(spec: &AlterSpec) -> &'static str {
    match spec {
        AlterSpec::Writable(_) => "READ ONLY tables",
        AlterSpec::Tablespace(_) => "tablespaces",
        AlterSpec::Secondary(_) => "secondary engines",
        AlterSpec::TiFlashReplica { .. } => "TiFlash replicas",
        AlterSpec::Attributes { .. } => "ATTRIBUTES",
        AlterSpec::StatsOptions(_)
        | AlterSpec::AddStatistics { .. }
        | AlterSpec::DropStatistics { .. } => "statistics",
        _ => "partitioned tables",
    }
}
