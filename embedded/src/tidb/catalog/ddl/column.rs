//! Column jobs: ADD, DROP, MODIFY without reorganisation, SET DEFAULT.

use super::super::model::{Action, CiStr, ColumnInfo, DbInfo, SchemaState, TableInfo, Tree, flag};
use super::super::plan::Write;
use super::index;
use super::planner::{Planner, on_table};

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind the last, or where it is.
    Unspecified,
    /// Before the first.
    First,
    /// Behind this one.
    After(CiStr),
}

impl Position {
    pub(crate) fn tree(&self) -> Tree {
        let (tp, relative) = match self {
            Self::Unspecified => (0, Tree::Null),
            Self::First => (1, Tree::Null),
            Self::After(name) => (2, column_name(name)),
        };
        Tree::Object(vec![("Tp", Tree::Int(tp)), ("RelativeColumn", relative)])
    }

    /// The offset that a column at offset `from` ends at, when it moves.
    fn target(&self, table: &TableInfo, from: usize) -> usize {
        match self {
            Self::Unspecified => from,
            Self::First => 0,
            Self::After(name) => table.column(&name.l).map_or(from, |c| {
                if c.offset < from {
                    c.offset + 1
                } else {
                    c.offset
                }
            }),
        }
    }
}

/// A column's name as the parser's tree holds it.
pub(crate) fn column_name(name: &CiStr) -> Tree {
    Tree::Object(vec![
        ("Schema", Tree::name(&CiStr::default())),
        ("Table", Tree::name(&CiStr::default())),
        ("Name", Tree::name(name)),
    ])
}

/// Adds a column. Its id and offset are given here.
pub(crate) fn add(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    mut column: ColumnInfo,
    position: &Position,
) -> TableInfo {
    let mut info = table.clone();
    column.id = 0;
    column.offset = info.columns.len();
    column.state = SchemaState::None;
    let modern = p.modern();
    let args = |column: &ColumnInfo, offset: usize, queued: bool| {
        let tree = Box::new(column.clone());
        if modern {
            Tree::Object(vec![
                ("column_info", Tree::Column(tree)),
                ("position", position.tree()),
            ])
        } else {
            let tree = if queued {
                Tree::NewColumn(tree)
            } else {
                Tree::Column(tree)
            };
            Tree::List(vec![tree, position.tree(), (offset as i64).into()])
        }
    };
    let mut queued = p.enqueue(
        Action::AddColumn,
        &on_table(db, table),
        args(&column, 0, true),
    );
    p.submit(&mut queued);

    info.max_col_id += 1;
    column.id = info.max_col_id;
    column.state = SchemaState::DeleteOnly;
    let target = position.target(&info, column.offset);
    info.columns.push(column.clone());
    queued.job.raw_args = args(&column, target, false);
    for state in [
        SchemaState::DeleteOnly,
        SchemaState::WriteOnly,
        SchemaState::WriteReorganization,
    ] {
        if let Some(last) = info.columns.last_mut() {
            last.state = state;
        }
        let writes = change(p, Action::AddColumn, db, &mut info);
        p.running(&mut queued, state, writes);
    }
    if let Some(last) = info.columns.last_mut() {
        last.state = SchemaState::Public;
    }
    move_column(&mut info, column.offset, target);
    let writes = change(p, Action::AddColumn, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::Public, writes);
    info
}

/// Drops a column, and the indexes of it alone.
pub(crate) fn drop(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    column: &ColumnInfo,
) -> TableInfo {
    let mut info = table.clone();
    let indexes: Vec<CiStr> = table
        .indexes
        .iter()
        .filter(|i| i.columns.len() == 1 && i.columns[0].offset == column.offset)
        .map(|i| i.name.clone())
        .collect();
    let args = if p.modern() {
        Tree::Object(vec![(
            "column_info",
            Tree::Column(Box::new(ColumnInfo::only_named(
                p.version(),
                column.name.clone(),
            ))),
        )])
    } else {
        Tree::List(vec![Tree::name(&column.name)])
    };
    let mut queued = p.enqueue(Action::DropColumn, &on_table(db, table), args);
    if p.modern() {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);
    // A column on its way out stands behind the public ones.
    let last = info.columns.len() - 1;
    move_column(&mut info, column.offset, last);
    for state in [
        SchemaState::WriteOnly,
        SchemaState::DeleteOnly,
        SchemaState::DeleteReorganization,
    ] {
        info.columns[last].state = state;
        for index in info
            .indexes
            .iter_mut()
            .filter(|i| indexes.contains(&i.name))
        {
            index.state = state;
        }
        let writes = change(p, Action::DropColumn, db, &mut info);
        p.running(&mut queued, state, writes);
    }
    info.columns.pop();
    let dropped: Vec<i64> = info
        .indexes
        .iter()
        .filter(|i| indexes.contains(&i.name))
        .map(|i| i.id)
        .collect();
    info.indexes.retain(|i| !indexes.contains(&i.name));
    if let (Tree::Object(members), false) = (&mut queued.job.raw_args, dropped.is_empty()) {
        members.push((
            "index_ids",
            Tree::List(dropped.into_iter().map(Tree::Int).collect()),
        ));
    }
    let writes = change(p, Action::DropColumn, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::None, writes);
    info
}

/// Changes a column's description without touching rows. `column` has the old id and offset. RENAME COLUMN has no
/// position at all.
pub(crate) fn modify(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    old: &ColumnInfo,
    mut column: ColumnInfo,
    position: Option<&Position>,
) -> TableInfo {
    /// `mysql.TypeNull`: what 4.0 calls a change from NULL to NOT NULL.
    const NULL_TO_NOT_NULL: i64 = 6;
    let becomes_not_null = !old.field_type.is_not_null() && column.field_type.is_not_null();
    let mut info = table.clone();
    let kind = if becomes_not_null {
        NULL_TO_NOT_NULL
    } else {
        0
    };
    let modern = p.modern();
    let is_rename = position.is_none();
    let args = |column: &ColumnInfo, queued: bool| {
        let tree = Box::new(column.clone());
        let place = match position {
            None if queued => Tree::Null,
            place => place.unwrap_or(&Position::Unspecified).tree(),
        };
        if modern {
            Tree::Object(vec![
                ("column", Tree::Column(tree)),
                ("old_column_name", Tree::name(&old.name)),
                ("position", place),
            ])
        } else {
            let column = if queued && !is_rename {
                Tree::NewColumn(tree)
            } else {
                Tree::Column(tree)
            };
            let mut args = vec![column, Tree::name(&old.name), place, kind.into()];
            args.extend((!is_rename).then_some(Tree::Int(0)));
            Tree::List(args)
        }
    };
    let mut queued = p.enqueue(
        Action::ModifyColumn,
        &on_table(db, table),
        args(&column, true),
    );
    queued.job.reorg_meta = index::reorg_meta(p, false);
    p.submit(&mut queued);
    queued.job.raw_args = args(&column, false);
    if becomes_not_null {
        info.columns[old.offset].field_type.flag |= flag::PREVENT_NULL_INSERT;
        let writes = change(p, Action::ModifyColumn, db, &mut info);
        p.running(&mut queued, SchemaState::None, writes);
        info.columns[old.offset].field_type.flag &= !flag::PREVENT_NULL_INSERT;
    }
    let target = position.map_or(old.offset, |position| position.target(&info, old.offset));
    let renamed = column.name.clone();
    column.offset = old.offset;
    for part in info.indexes.iter_mut().flat_map(|i| &mut i.columns) {
        if part.offset == old.offset {
            part.name = renamed.clone();
        }
    }
    info.columns[old.offset] = column;
    move_column(&mut info, old.offset, target);
    queued.job.raw_args = if modern {
        Tree::Object(vec![("old_column_name", Tree::name(&CiStr::default()))])
    } else {
        args(&info.columns[target], false)
    };
    let writes = change(p, Action::ModifyColumn, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::Public, writes);
    info
}

/// Gives a column another default.
pub(crate) fn set_default(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    column: ColumnInfo,
) -> TableInfo {
    let mut info = table.clone();
    let (queued, tree) = (Box::new(column.clone()), Box::new(column.clone()));
    let (args, finished_args) = if p.modern() {
        let args = Tree::Object(vec![("column_info", Tree::Column(tree))]);
        (args.clone(), args)
    } else {
        let args = Tree::List(vec![Tree::NewColumn(queued)]);
        (args, Tree::List(vec![Tree::Column(tree)]))
    };
    let offset = column.offset;
    info.columns[offset] = column;
    at_once(p, Action::SetDefaultValue, db, info, args, finished_args)
}

/// A job on a table that is one step: `info` is the table after it.
pub(crate) fn at_once(
    p: &mut Planner<'_>,
    action: Action,
    db: &DbInfo,
    mut info: TableInfo,
    args: Tree,
    finished_args: Tree,
) -> TableInfo {
    let mut queued = p.enqueue(action, &on_table(db, &info), args);
    p.submit(&mut queued);
    queued.job.raw_args = finished_args;
    let writes = change(p, action, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::Public, writes);
    info
}

/// The writes of a step that changes a table: the table, and what changed.
pub(crate) fn change(
    p: &mut Planner<'_>,
    action: Action,
    db: &DbInfo,
    info: &mut TableInfo,
) -> Vec<Write> {
    p.touch(info);
    let diff = p.diff(action, db.id, info.id);
    vec![
        Write::PutTable(db.id, Box::new(info.clone())),
        Write::Diff(Box::new(diff)),
    ]
}

/// Moves a column to another offset; offsets of columns and index columns follow.
pub(crate) fn move_column(info: &mut TableInfo, from: usize, to: usize) {
    let column = info.columns.remove(from);
    info.columns.insert(to, column);
    let mut new_offset = vec![0; info.columns.len()];
    for (offset, column) in info.columns.iter_mut().enumerate() {
        new_offset[column.offset] = offset;
        column.offset = offset;
    }
    for part in info.indexes.iter_mut().flat_map(|i| &mut i.columns) {
        part.offset = new_offset[part.offset];
    }
}
