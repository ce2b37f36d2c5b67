//! Column jobs: ADD, DROP, MODIFY without reorganisation, SET DEFAULT.

use super::super::model::{
    Action, CiStr, ColumnInfo, DbInfo, IndexInfo, SchemaState, TableInfo, Tree, flag,
};
use super::super::plan::Write;
use super::index;
use super::planner::{Planner, on_table};

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind the last, or where it is.
    Unspecified,
    /// Behind the last; the job does not say it: `ADD COLUMN (…)`.
    Listed,
    /// Before the first.
    First,
    /// Behind this one.
    After(CiStr),
}

impl Position {
    pub(crate) fn tree(&self) -> Tree {
        let (tp, relative) = match self {
            Self::Unspecified | Self::Listed => (0, Tree::Null),
            Self::First => (1, Tree::Null),
            Self::After(name) => (2, column_name(name)),
        };
        Tree::Object(vec![("Tp", Tree::Int(tp)), ("RelativeColumn", relative)])
    }

    /// The column that it goes behind, in lower case.
    pub(super) fn behind(&self) -> Option<&str> {
        match self {
            Self::After(name) => Some(&name.l),
            _ => None,
        }
    }

    /// The offset that a column at offset `from` ends at, when it moves.
    pub(super) fn target(&self, table: &TableInfo, from: usize) -> usize {
        match self {
            Self::Unspecified | Self::Listed => from,
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
) {
    let mut info = table.clone();
    column.id = 0;
    column.offset = info.columns.len();
    column.state = SchemaState::None;
    let modern = p.modern();
    let args = |column: &ColumnInfo, offset: usize, queued: bool| {
        if modern {
            added_args(column, position)
        } else {
            let tree = Box::new(column.clone());
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
}

/// Drops a column, and the indexes of it alone.
pub(crate) fn drop(p: &mut Planner<'_>, db: &DbInfo, table: &TableInfo, column: &ColumnInfo) {
    let mut info = table.clone();
    let args = if p.modern() {
        dropped_args(p, &column.name)
    } else {
        Tree::List(vec![Tree::name(&column.name)])
    };
    let mut queued = p.enqueue(Action::DropColumn, &on_table(db, table), args);
    if p.modern() {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);
    let mut state = SchemaState::Public;
    loop {
        let dropped;
        (state, dropped) = drop_step(&mut info, column.id, state);
        if let (Tree::Object(members), false) = (&mut queued.job.raw_args, dropped.is_empty()) {
            members.push((
                "index_ids",
                Tree::List(dropped.into_iter().map(Tree::Int).collect()),
            ));
        }
        let writes = change(p, Action::DropColumn, db, &mut info);
        if state == SchemaState::None {
            queued.job.binlog.table_info = Some(Box::new(info));
            return p.done(queued, SchemaState::None, writes);
        }
        p.running(&mut queued, state, writes);
    }
}

/// A column's next step on its way out, from the state it is in, and the ids of the indexes that are gone with it.
pub(super) fn drop_step(
    info: &mut TableInfo,
    id: i64,
    state: SchemaState,
) -> (SchemaState, Vec<i64>) {
    let from = offset_of(info, id);
    let last = info.columns.len() - 1;
    let state = match state {
        SchemaState::Public => {
            // It stands behind the public ones from now on.
            move_column(info, from, last);
            SchemaState::WriteOnly
        }
        SchemaState::WriteOnly => SchemaState::DeleteOnly,
        SchemaState::DeleteOnly => SchemaState::DeleteReorganization,
        _ => SchemaState::None,
    };
    let offset = offset_of(info, id);
    let alone = |i: &IndexInfo| i.columns.len() == 1 && i.columns[0].offset == offset;
    if state != SchemaState::None {
        info.columns[offset].state = state;
        for index in info.indexes.iter_mut().filter(|i| alone(i)) {
            index.state = state;
        }
        return (state, vec![]);
    }
    let of_it = info.indexes.iter().filter(|i| alone(i));
    let gone: Vec<i64> = of_it.map(|i| i.id).collect();
    if !gone.is_empty() {
        info.indexes.retain(|i| !gone.contains(&i.id));
        info.indexes.made();
    }
    move_column(info, offset, last);
    info.columns.pop();
    (state, gone)
}

/// Changes a column's description without touching rows. `column` has the old id and offset. RENAME COLUMN has no
/// position at all.
pub(crate) fn modify(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    old: &ColumnInfo,
    column: ColumnInfo,
    position: Option<&Position>,
) {
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
        if modern {
            queued_args(old, column, position)
        } else {
            let tree = Box::new(column.clone());
            let place = match position {
                None if queued => Tree::Null,
                place => place.unwrap_or(&Position::Unspecified).tree(),
            };
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
    let target = put_modified(&mut info, column, position);
    queued.job.raw_args = if modern {
        modified_args()
    } else {
        args(&info.columns[target], false)
    };
    let writes = change(p, Action::ModifyColumn, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::Public, writes);
}

/// Gives a column another default.
pub(crate) fn set_default(p: &mut Planner<'_>, db: &DbInfo, table: &TableInfo, column: ColumnInfo) {
    let mut info = table.clone();
    let (queued, tree) = (Box::new(column.clone()), Box::new(column.clone()));
    let (args, finished_args) = if p.modern() {
        let args = Tree::Object(vec![("column_info", Tree::Column(tree))]);
        (args.clone(), args)
    } else {
        let args = Tree::List(vec![Tree::NewColumn(queued)]);
        (args, Tree::List(vec![Tree::Column(tree)]))
    };
    put_default(&mut info, column);
    at_once(p, Action::SetDefaultValue, db, info, args, finished_args);
}

/// The arguments of a job that adds a column (of 8.5).
pub(super) fn added_args(column: &ColumnInfo, position: &Position) -> Tree {
    let mut args = vec![("column_info", Tree::Column(Box::new(column.clone())))];
    if *position != Position::Listed {
        args.push(("position", position.tree()));
    }
    Tree::Object(args)
}

/// The arguments of a job that drops a column (of 8.5).
pub(super) fn dropped_args(p: &Planner<'_>, name: &CiStr) -> Tree {
    let column = ColumnInfo::only_named(p.version(), name.clone());
    Tree::Object(vec![("column_info", Tree::Column(Box::new(column)))])
}

/// The arguments of a job that changes a column (of 8.5).
pub(super) fn queued_args(
    old: &ColumnInfo,
    column: &ColumnInfo,
    position: Option<&Position>,
) -> Tree {
    Tree::Object(vec![
        ("column", Tree::Column(Box::new(column.clone()))),
        ("old_column_name", Tree::name(&old.name)),
        ("position", position.map_or(Tree::Null, Position::tree)),
    ])
}

/// What is left of the arguments of a job that changed a column (of 8.5).
pub(super) fn modified_args() -> Tree {
    Tree::Object(vec![("old_column_name", Tree::name(&CiStr::default()))])
}

/// Puts a column's new description, known by its id, in place of the old one; gives where it stands then.
pub(super) fn put_modified(
    info: &mut TableInfo,
    mut column: ColumnInfo,
    position: Option<&Position>,
) -> usize {
    let from = offset_of(info, column.id);
    rename_in_ttl(info, &info.columns[from].name.clone(), &column.name);
    let target = position.map_or(from, |position| position.target(info, from));
    column.offset = from;
    for part in info.indexes.iter_mut().flat_map(|i| &mut i.columns) {
        if part.offset == from {
            part.name = column.name.clone();
        }
    }
    info.columns[from] = column;
    move_column(info, from, target);
    target
}

/// Rows expire by a column under its new name too.
pub(super) fn rename_in_ttl(info: &mut TableInfo, from: &CiStr, to: &CiStr) {
    let ttl = info.ttl_info.iter_mut().flatten();
    for ttl in ttl.filter(|ttl| ttl.column.is(&from.l)) {
        ttl.column = to.clone();
    }
}

/// Gives a column, known by its id, the default of this description of it.
pub(super) fn put_default(info: &mut TableInfo, column: ColumnInfo) {
    let offset = offset_of(info, column.id);
    let old = &mut info.columns[offset];
    old.default = column.default;
    old.default_bit = column.default_bit;
    let flags = &mut old.field_type.flag;
    *flags = *flags & !flag::NO_DEFAULT | column.field_type.flag & flag::NO_DEFAULT;
}

/// Where the column with this id stands; behind all others if it is gone.
pub(super) fn offset_of(info: &TableInfo, id: i64) -> usize {
    let found = info.columns.iter().position(|c| c.id == id);
    found.unwrap_or(info.columns.len().saturating_sub(1))
}

/// A job on a table that is one step: `info` is the table after it.
pub(crate) fn at_once(
    p: &mut Planner<'_>,
    action: Action,
    db: &DbInfo,
    mut info: TableInfo,
    args: Tree,
    finished_args: Tree,
) {
    let mut queued = p.enqueue(action, &on_table(db, &info), args);
    p.submit(&mut queued);
    queued.job.raw_args = finished_args;
    let writes = change(p, action, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::Public, writes);
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
