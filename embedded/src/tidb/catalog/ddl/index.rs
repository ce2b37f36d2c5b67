//! Index jobs. Whoever carries a plan out fills an index before the step that makes it public; its states are those of an
//! index on an empty table.

use super::super::model::{
    Action, CiStr, ColumnInfo, DbInfo, IndexInfo, SchemaState, TableInfo, Tree, flag,
};
use super::change::{Edit, Op};
use super::column::{change, move_column, offset_of};
use super::generated;
use super::planner::{Planner, on_table};

/// How 8.5 fills an index: by ingestion.
pub(super) const REORG_INGEST: i64 = 3;
/// `backfill_state` of an index being filled.
pub(super) const BACKFILL_RUNNING: u8 = 1;

/// Adds an index whose id is given here, and with it the `hidden` columns of its expressions. `args` are its arguments for 4.0.
pub(crate) fn add(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    mut index: IndexInfo,
    hidden: Vec<ColumnInfo>,
    args_v4: Tree,
) {
    let action = if index.is_primary {
        Action::AddPrimaryKey
    } else {
        Action::AddIndex
    };
    let mut info = table.clone();
    info.max_idx_id += 1;
    index.id = info.max_idx_id;
    index.state = SchemaState::None;
    let args = if p.modern() {
        added_args([index.id])
    } else {
        args_v4
    };
    let mut queued = p.enqueue(action, &on_table(db, table), args);
    queued.reorg = true;
    queued.job.priority = 1;
    queued.job.reorg_meta = reorg_meta(p, true);
    if p.modern() && action == Action::AddIndex {
        queued.job.charset = Some(p.session.charset.clone());
        queued.job.collate = Some(p.session.collation.clone());
    }
    p.submit(&mut queued);

    info.max_col_id += hidden.len() as i64;
    info.columns.extend(hidden);
    let at = info.indexes.len();
    info.indexes.push(index);
    for state in [
        SchemaState::DeleteOnly,
        SchemaState::WriteOnly,
        SchemaState::WriteReorganization,
    ] {
        info.indexes[at].state = state;
        if p.modern() {
            info.indexes[at].backfill_state = Some(BACKFILL_RUNNING);
        }
        let writes = change(p, action, db, &mut info);
        p.running(&mut queued, state, writes);
    }
    let mut writes = vec![];
    if p.modern() {
        // Nobody writes while an index is filled: the versions of the two stages of filling and merging are made in the
        // last step.
        for _ in 0..2 {
            writes.extend(change(p, action, db, &mut info));
        }
        info.indexes[at].backfill_state = Some(0);
    } else {
        queued.job.snapshot_ver = super::super::plan::start_of(p.next_step());
        p.running(&mut queued, SchemaState::WriteReorganization, vec![]);
    }
    info.indexes[at].state = SchemaState::Public;
    let index = info.indexes[at].clone();
    add_flags(&mut info.columns, &index);
    writes.extend(change(p, action, db, &mut info));
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.count_rows(p.next_step(), p.next_step(), None);
    p.done(queued, SchemaState::Public, writes);
}

/// Drops an index.
pub(crate) fn drop(p: &mut Planner<'_>, db: &DbInfo, table: &TableInfo, index: &IndexInfo) {
    let action = if index.is_primary {
        Action::DropPrimaryKey
    } else {
        Action::DropIndex
    };
    let mut info = table.clone();
    let args = |p: &Planner<'_>, id: Option<i64>| {
        if p.modern() {
            dropped_args(&index.name, id)
        } else {
            let mut args = vec![Tree::name(&index.name)];
            if let Some(id) = id {
                args.extend([id.into(), Tree::List(vec![])]);
            }
            Tree::List(args)
        }
    };
    let queued_args = args(p, None);
    let mut queued = p.enqueue(action, &on_table(db, table), queued_args);
    if p.modern() {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);
    let mut state = SchemaState::Public;
    loop {
        state = drop_step(&mut info, index, state);
        let writes = change(p, action, db, &mut info);
        if state == SchemaState::None {
            queued.job.raw_args = args(p, Some(index.id));
            queued.job.binlog.table_info = Some(Box::new(info));
            return p.done(queued, SchemaState::None, writes);
        }
        p.running(&mut queued, state, writes);
    }
}

/// An index's next step on its way out, from the state it is in.
pub(super) fn drop_step(
    info: &mut TableInfo,
    index: &IndexInfo,
    state: SchemaState,
) -> SchemaState {
    let state = match state {
        SchemaState::Public => SchemaState::WriteOnly,
        SchemaState::WriteOnly => SchemaState::DeleteOnly,
        SchemaState::DeleteOnly => SchemaState::DeleteReorganization,
        _ => SchemaState::None,
    };
    if state == SchemaState::None {
        let now = info.indexes.iter().find(|i| i.id == index.id).cloned();
        info.indexes.retain(|i| i.id != index.id);
        info.indexes.made();
        let gone = now.unwrap_or_else(|| index.clone());
        drop_flags(info, &gone);
        let ids: Vec<i64> = generated::hidden_of(info, &gone).map(|c| c.id).collect();
        for id in ids {
            let from = offset_of(info, id);
            let last = info.columns.len() - 1;
            move_column(info, from, last);
            info.columns.pop();
        }
    } else {
        for i in info.indexes.iter_mut().filter(|i| i.id == index.id) {
            i.state = state;
        }
    }
    state
}

/// Renames an index.
pub(super) fn rename(p: &Planner<'_>, from: &CiStr, to: &CiStr) -> Op {
    let args = if p.modern() {
        let names = [from, to].map(|name| index_arg(name, None));
        Tree::Object(vec![("index_args", Tree::List(names.into()))])
    } else {
        Tree::List(vec![Tree::name(from), Tree::name(to)])
    };
    let edit = Edit::RenameIndex {
        from: from.clone(),
        to: to.clone(),
    };
    Op::at_once(Action::RenameIndex, args, edit)
}

/// Makes an index visible to the optimizer, or not (8.5).
pub(super) fn visibility(name: &CiStr, invisible: bool) -> Op {
    let mut members = vec![("index_name", Tree::name(name))];
    // A visible one is told by saying nothing.
    members.extend(invisible.then_some(("invisible", Tree::Bool(true))));
    let args = Tree::Object(members);
    let edit = Edit::Visibility {
        name: name.clone(),
        invisible,
    };
    Op::at_once(Action::AlterIndexVisibility, args, edit)
}

/// The arguments of jobs that add indexes (of 8.5).
pub(super) fn added_args(ids: impl IntoIterator<Item = i64>) -> Tree {
    let args = ids
        .into_iter()
        .map(|id| index_arg(&CiStr::default(), Some(id)))
        .collect();
    Tree::Object(vec![("index_args", Tree::List(args))])
}

/// The arguments of a job that drops an index (of 8.5); it learns the id on the way.
pub(super) fn dropped_args(name: &CiStr, id: Option<i64>) -> Tree {
    Tree::Object(vec![("index_args", Tree::List(vec![index_arg(name, id)]))])
}

fn index_arg(name: &CiStr, id: Option<i64>) -> Tree {
    let mut members = vec![
        ("index_name", Tree::name(name)),
        ("index_part_specifications", Tree::Null),
    ];
    members.extend(id.map(|id| ("index_id", id.into())));
    Tree::Object(members)
}

/// How a reorganisation would work; null in 4.0.
pub(crate) fn reorg_meta(p: &Planner<'_>, is_index: bool) -> Tree {
    if !p.modern() {
        return Tree::Null;
    }
    let number = |n: i64| Tree::Int(if is_index { n } else { 0 });
    Tree::Object(vec![
        ("sql_mode", Tree::Int(p.session.sql_mode as i64)),
        ("warnings", Tree::Object(vec![])),
        ("warnings_count", Tree::Object(vec![])),
        (
            "location",
            Tree::Object(vec![
                ("name", "".into()),
                ("offset", i64::from(p.session.zone.utc_offset()).into()),
            ]),
        ),
        ("reorg_tp", number(REORG_INGEST)),
        ("is_fast_reorg", is_index.into()),
        ("is_dist_reorg", is_index.into()),
        ("use_cloud_storage", false.into()),
        ("resource_group_name", "default".into()),
        ("version", Tree::Int(1)),
        ("target_scope", "".into()),
        ("concurrency", number(4)),
        ("batch_size", number(256)),
    ])
}

/// The flags that an index gives its first column.
pub(crate) fn add_flags(columns: &mut [ColumnInfo], index: &IndexInfo) {
    if index.is_primary {
        for part in &index.columns {
            columns[part.offset].field_type.flag |= flag::PRI_KEY;
        }
    } else if let Some(first) = index.columns.first() {
        columns[first.offset].field_type.flag |= first_column_flag(index);
    }
}

fn first_column_flag(index: &IndexInfo) -> u64 {
    if index.is_unique && index.columns.len() == 1 {
        flag::UNIQUE_KEY
    } else {
        flag::MULTIPLE_KEY
    }
}

fn drop_flags(info: &mut TableInfo, index: &IndexInfo) {
    if index.is_primary {
        for part in &index.columns {
            info.columns[part.offset].field_type.flag &= !flag::PRI_KEY;
        }
        return;
    }
    let Some(first) = index.columns.first() else {
        return;
    };
    info.columns[first.offset].field_type.flag &= !first_column_flag(index);
    // Another index may begin with the same column.
    let others: Vec<IndexInfo> = info
        .indexes
        .iter()
        .filter(|i| i.columns.first().is_some_and(|c| c.offset == first.offset))
        .cloned()
        .collect();
    for other in &others {
        add_flags(&mut info.columns, other);
    }
}
