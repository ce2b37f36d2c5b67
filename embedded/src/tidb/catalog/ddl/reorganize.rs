//! Jobs that move rows between partitions: REORGANIZE PARTITION, ADD and COALESCE PARTITION of HASH and KEY, PARTITION BY,
//! REMOVE PARTITIONING. The rows move in TiKV while the job is carried out ([`RowMove`]).

use super::super::model::{
    Action, CiStr, PartitionDefinition, PartitionInfo, PartitionType, SchemaState, TableInfo, Tree,
};
use super::super::plan::{RowMove, Write, start_of};
use super::super::{Database, auto_ids, auto_ids::Counter, mariadb, meta};
use super::column::change;
use super::index::reorg_meta;
use super::partition::{affect, ids, pairs};
use super::planner::{Planner, on_table};
use std::sync::Arc;

/// How a reorganisation of partitions works: by transactions.
pub(super) const REORG_TXN: i64 = 1;

/// What becomes of a table's partitions.
pub(crate) struct Reorganization {
    pub(crate) action: Action,
    /// The partitions that go, by their place; all of a table that has none is one.
    pub(crate) places: Vec<usize>,
    /// Those that come, with their ids and, if the whole table is made anew, its id.
    pub(crate) into: PartitionInfo,
}

/// Carries a reorganisation out. The table as it is afterwards.
pub(crate) fn reorganize(
    p: &mut Planner<'_>,
    db: &Database,
    table: &TableInfo,
    change_to: Reorganization,
) -> TableInfo {
    let Reorganization {
        action,
        places,
        into,
    } = change_to;
    let new_id = into.new_table_id.filter(|id| *id != 0);
    let before = table.partition.clone();
    let old = whole(p, table);
    let gone: Vec<PartitionDefinition> = places
        .iter()
        .filter_map(|n| old.definitions.get(*n).cloned())
        .collect();
    let gone_ids: Vec<i64> = gone.iter().map(|d| d.id).collect();
    let come = into.definitions.clone();
    let come_ids = into.ids();
    let args = |finished: bool| {
        let names = gone.iter().map(|d| d.name.l.as_str().into()).collect();
        let mut members = vec![
            ("part_names", Tree::List(names)),
            ("part_info", Tree::Partitions(Box::new(into.clone()))),
        ];
        members.extend(finished.then(|| ("old_physical_tbl_ids", ids(&gone_ids))));
        Tree::Object(members)
    };
    let mut queued = p.enqueue(action, &on_table(&db.info, table), args(false));
    queued.reorg = true;
    queued.job.reorg_meta = by_transactions(reorg_meta(p, false));
    p.submit(&mut queued);

    let mut info = table.clone();
    let mut partition = old.clone();
    partition.adding_definitions.clone_from(&come);
    partition.dropping_definitions = Some(Some(gone.clone()));
    partition.new_table_id = into.new_table_id;
    partition.ddl_type = Some(into.kind);
    partition.ddl_expr = Some(into.expr.clone());
    partition.ddl_columns = Some(into.columns.clone());
    info.partition = Some(partition);
    // Whose table id a difference tells: newer kinds of reorganisation name the one before too.
    let old_table_id = match action {
        Action::ReorganizePartition => 0,
        _ => table.id,
    };
    let write = |p: &mut Planner<'_>, info: &mut TableInfo| {
        let mut writes = change(p, action, &db.info, info);
        for write in &mut writes {
            if let Write::Diff(diff) = write {
                diff.old_table_id = old_table_id;
            }
        }
        writes
    };
    for state in [
        SchemaState::DeleteOnly,
        SchemaState::WriteOnly,
        SchemaState::WriteReorganization,
    ] {
        set_state(&mut info, state);
        let writes = write(p, &mut info);
        p.running(&mut queued, state, writes);
    }

    let mut result = table.clone();
    result.partition = finished(before, &into, &come, &places);
    result.id = new_id.unwrap_or(table.id);
    p.plan.moves.push(RowMove {
        before: p.next_step(),
        table: Arc::new(table.clone()),
        from: gone_ids.clone(),
        into: Arc::new(TableInfo {
            partition: match (action, &result.partition) {
                (Action::RemovePartitioning, _) => None,
                // Rows go to the new partitions only, and may be in no other.
                (_, partition) => partition.clone(),
            },
            ..result.clone()
        }),
    });
    let before = p.next_step();
    // The worker tells the count with the step after the one that the rows were moved for.
    p.count_rows(before, before + 1, None);
    queued.job.snapshot_ver = start_of(before);
    let mut writes = vec![];
    if let Some(new_id) = new_id {
        if table.has_row_id() {
            let next = db.counter(table, Counter::RowId).saturating_add(1);
            p.plan.after.extend([
                auto_ids::create_sequence(new_id, next),
                auto_ids::open_sequence(new_id),
                mariadb::count_row_ids(&db.info, table, new_id),
                auto_ids::drop_sequence(table.id),
            ]);
        }
        writes.push(Write::DeleteTable(db.info.id, table.id));
        let fields = meta::auto_id_fields(result.id);
        for (field, old) in fields.into_iter().zip(meta::auto_id_fields(table.id)) {
            let value = db.members().get(&old).cloned();
            let value = value.unwrap_or_else(|| "0".to_owned());
            writes.push(Write::PutMember(db.info.id, field, value));
        }
    }
    info.id = result.id;
    info.partition.clone_from(&result.partition);
    let intermediate = info.partition.get_or_insert_with(|| {
        // While the rows of the partitions are cleaned up, the table still tells which they were.
        PartitionInfo {
            definitions: come.clone(),
            ..PartitionInfo::new(p.version(), PartitionType::None)
        }
    });
    intermediate.adding_definitions.clear();
    intermediate.dropping_definitions = Some(Some(gone.clone()));
    set_state(&mut info, SchemaState::DeleteReorganization);
    writes.extend(write(p, &mut info));
    p.running(&mut queued, SchemaState::DeleteReorganization, writes);

    info.partition = result.partition;
    queued.job.raw_args = args(true);
    let mut writes = write(p, &mut info);
    affect(&mut writes, pairs(&come_ids, &gone_ids));
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::None, writes);
    info
}

fn set_state(info: &mut TableInfo, state: SchemaState) {
    if let Some(partition) = &mut info.partition {
        partition.ddl_state = Some(state);
    }
}

/// A table's partitions; a table without is one partition of itself.
pub(crate) fn whole(p: &Planner<'_>, table: &TableInfo) -> PartitionInfo {
    if let Some(partition) = table.partitions() {
        return partition.clone();
    }
    let mut one = PartitionDefinition::new(p.version(), CiStr::new("pFullTable"));
    one.id = table.id;
    let mut out = PartitionInfo::new(p.version(), PartitionType::None);
    out.definitions.push(one);
    out.num = 1;
    out
}

/// The partitions that come stand where the first of those that go was.
pub(crate) fn replaced(
    old: &[PartitionDefinition],
    places: &[usize],
    come: &[PartitionDefinition],
) -> Vec<PartitionDefinition> {
    let first = places.iter().min();
    let mut out = Vec::with_capacity(old.len() + come.len());
    for (n, definition) in old.iter().enumerate() {
        if Some(&n) == first {
            out.extend(come.iter().cloned());
        }
        if !places.contains(&n) {
            out.push(definition.clone());
        }
    }
    out
}

/// The partitions as they are afterwards.
fn finished(
    before: Option<PartitionInfo>,
    into: &PartitionInfo,
    come: &[PartitionDefinition],
    places: &[usize],
) -> Option<PartitionInfo> {
    if into.kind == PartitionType::None {
        return None;
    }
    let Some(mut out) = before.filter(|_| into.new_table_id == Some(0)) else {
        let mut out = into.clone();
        out.new_table_id = Some(0);
        return Some(out);
    };
    out.definitions = replaced(&out.definitions, places, come);
    if out.kind.is_hashed() {
        out.num = out.definitions.len() as u64;
    }
    // What the last reorganisation was about stays behind.
    out.ddl_type = Some(into.kind);
    out.ddl_expr = Some(into.expr.clone());
    out.ddl_columns = Some(into.columns.clone());
    Some(out)
}

/// `reorg_meta` of a reorganisation by transactions.
pub(super) fn by_transactions(mut meta: Tree) -> Tree {
    if let Tree::Object(members) = &mut meta {
        for (name, value) in members {
            if *name == "reorg_tp" {
                *value = Tree::Int(REORG_TXN);
            }
        }
    }
    meta
}
