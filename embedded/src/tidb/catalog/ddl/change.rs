//! A change of ALTER TABLE that was checked: on its own it is a job, among others a part of one.

use super::super::mariadb;
use super::super::model::{
    Action, CiStr, ColumnInfo, DbInfo, ForeignKeyInfo, IndexInfo, SchemaState, TableInfo, Tp, Tree,
    TtlInfo,
};
use super::column::{self, Position};
use super::planner::Planner;
use super::{foreign_key, index, rewrite};
use crate::tidb::cast;

/// What a change does.
#[derive(Debug, Clone)]
pub(super) enum Op {
    AddColumn {
        column: Box<ColumnInfo>,
        position: Position,
    },
    DropColumn(Box<ColumnInfo>),
    /// Changes a column's description; its rows stay as they are.
    Modify {
        old: Box<ColumnInfo>,
        column: Box<ColumnInfo>,
        /// None for RENAME COLUMN.
        position: Option<Position>,
    },
    /// Changes a column's type; its rows are written again.
    Rewrite {
        old: Box<ColumnInfo>,
        column: Box<ColumnInfo>,
        position: Position,
    },
    SetDefault(Box<ColumnInfo>),
    AddIndex {
        /// One, or those of several changes that are one part of a job.
        indexes: Vec<IndexInfo>,
        /// The columns of its expressions.
        hidden: Vec<ColumnInfo>,
        /// The job's arguments in 4.0.
        args_v4: Tree,
    },
    DropIndex(IndexInfo),
    AddForeignKey(Box<ForeignKeyInfo>),
    DropForeignKey(Box<ForeignKeyInfo>),
    /// What is done in one step.
    AtOnce {
        action: Action,
        args: Tree,
        edit: Edit,
    },
}

/// A change of a table's description in one step.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Comment(String),
    Charset {
        charset: String,
        collate: String,
        /// Columns too.
        convert: bool,
    },
    AutoIncrement(i64),
    Ttl(Option<TtlInfo>),
    RenameIndex {
        from: CiStr,
        to: CiStr,
    },
    Visibility {
        name: CiStr,
        invisible: bool,
    },
}

impl Edit {
    pub(super) fn apply(&self, info: &mut TableInfo) {
        match self {
            Self::Comment(text) => info.comment.clone_from(text),
            Self::Ttl(ttl) => info.ttl_info = Some(ttl.clone()),
            Self::Charset {
                charset,
                collate,
                convert,
            } => {
                let texts = info.columns.iter_mut().map(|c| &mut c.field_type);
                for ft in texts.filter(|ft| *convert && ft.charset != "binary") {
                    (ft.charset, ft.collate) = (charset.clone(), collate.clone());
                }
                (info.charset, info.collate) = (charset.clone(), collate.clone());
            }
            Self::AutoIncrement(base) => {
                info.auto_inc_id = *base;
                info.state = SchemaState::Public;
            }
            Self::RenameIndex { from, to } => {
                for index in info.indexes.iter_mut().filter(|i| i.name.is(&from.l)) {
                    index.name = to.clone();
                }
            }
            Self::Visibility { name, invisible } => {
                for index in info.indexes.iter_mut().filter(|i| i.name.is(&name.l)) {
                    index.is_invisible = *invisible;
                }
            }
        }
    }
}

/// Whether a column is a TIMESTAMP with a constant default.
pub(super) fn is_told_in_utc(column: &ColumnInfo) -> bool {
    column.field_type.tp == Tp::Timestamp && column.default.is_some() && !column.defaults_to_now()
}

impl Op {
    pub(super) fn at_once(action: Action, args: Tree, edit: Edit) -> Self {
        Self::AtOnce { action, args, edit }
    }

    /// What MariaDB is told of an added column once it has filled the rows that were there.
    pub(super) fn later_default(&self) -> Option<String> {
        match self {
            Self::AddColumn { column, .. } if mariadb::is_filled_otherwise(column) => {
                Some(mariadb::set_default(column))
            }
            // Its rows are copied in the session's zone, and the default is told in UTC.
            Self::Rewrite { column, .. } if is_told_in_utc(column) => {
                Some(mariadb::set_default(column))
            }
            _ => None,
        }
    }

    /// Whether it depends on the time zone what MariaDB makes of rows.
    pub(super) fn depends_on_zone(&self) -> bool {
        match self {
            Self::Rewrite { old, column, .. } => {
                cast::depends_on_zone(&old.field_type, &column.field_type)
            }
            _ => false,
        }
    }

    /// Whether its clause has a TIMESTAMP, which is told in UTC.
    pub(super) fn has_time_in_utc(&self) -> bool {
        match self {
            Self::AddColumn { column, .. }
            | Self::Modify { column, .. }
            | Self::SetDefault(column) => is_told_in_utc(column),
            _ => false,
        }
    }

    pub(super) fn action(&self) -> Action {
        match self {
            Self::AddColumn { .. } => Action::AddColumn,
            Self::DropColumn(_) => Action::DropColumn,
            Self::Modify { .. } | Self::Rewrite { .. } => Action::ModifyColumn,
            Self::SetDefault(_) => Action::SetDefaultValue,
            Self::AddIndex { indexes, .. } if indexes.iter().any(|i| i.is_primary) => {
                Action::AddPrimaryKey
            }
            Self::AddIndex { .. } => Action::AddIndex,
            Self::DropIndex(index) if index.is_primary => Action::DropPrimaryKey,
            Self::DropIndex(_) => Action::DropIndex,
            Self::AddForeignKey(_) => Action::AddForeignKey,
            Self::DropForeignKey(_) => Action::DropForeignKey,
            Self::AtOnce { action, .. } => *action,
        }
    }

    /// Plans it as a job of its own.
    pub(super) fn run(self, p: &mut Planner<'_>, db: &DbInfo, table: &TableInfo) {
        match self {
            Self::AddColumn { column, position } => column::add(p, db, table, *column, &position),
            Self::DropColumn(column) => column::drop(p, db, table, &column),
            Self::Modify {
                old,
                column,
                position,
            } => column::modify(p, db, table, &old, *column, position.as_ref()),
            Self::Rewrite {
                old,
                column,
                position,
            } => rewrite::modify(p, db, table, &old, &column, &position),
            Self::SetDefault(column) => column::set_default(p, db, table, *column),
            Self::AddIndex {
                indexes,
                hidden,
                args_v4,
            } => {
                for index in indexes {
                    index::add(p, db, table, index, hidden.clone(), args_v4.clone());
                }
            }
            Self::DropIndex(index) => index::drop(p, db, table, &index),
            Self::AddForeignKey(key) => foreign_key::add_alone(p, db, table, *key),
            Self::DropForeignKey(key) => foreign_key::drop_alone(p, db, table, &key),
            Self::AtOnce { action, args, edit } => {
                let mut info = table.clone();
                edit.apply(&mut info);
                column::at_once(p, action, db, info, args.clone(), args);
            }
        }
    }
}
