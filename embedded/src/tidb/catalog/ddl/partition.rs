//! Jobs that change which partitions a table has, without moving rows: ADD, DROP and TRUNCATE PARTITION.

use super::super::TidbVersion;
use super::super::model::{
    Action, AffectedOption, DbInfo, PartitionInfo, PartitionType, SchemaState, TableInfo, Tree,
};
use super::super::plan::Write;
use super::column::change;
use super::planner::{Planner, on_table};

/// Ids in a job's arguments.
pub(crate) fn ids(list: &[i64]) -> Tree {
    Tree::List(list.iter().map(|id| (*id).into()).collect())
}

/// New ids for partitions.
pub(crate) fn give_ids(p: &mut Planner<'_>, info: &mut PartitionInfo) {
    for definition in &mut info.definitions {
        definition.id = p.new_id();
    }
}

/// Physical tables that go and come, as a difference lists them: one behind the other, 0 where there is none.
pub(crate) fn pairs(new: &[i64], old: &[i64]) -> Vec<AffectedOption> {
    let at = |list: &[i64], n: usize| list.get(n).copied().unwrap_or(0);
    (0..new.len().max(old.len()))
        .map(|n| AffectedOption {
            schema_id: 0,
            table_id: at(new, n),
            old_table_id: at(old, n),
            old_schema_id: 0,
        })
        .collect()
}

/// Sets the further tables of the difference among a step's writes.
pub(crate) fn affect(writes: &mut [Write], affected: Vec<AffectedOption>) {
    for write in writes {
        if let Write::Diff(diff) = write {
            diff.affected_options = Some(affected);
            return;
        }
    }
}

/// Adds partitions, which have their ids.
pub(crate) fn add(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    mut added: PartitionInfo,
) -> TableInfo {
    let mut info = table.clone();
    if !p.modern() {
        added.num = 0;
    }
    let definitions = added.definitions.clone();
    let part_info = Tree::Partitions(Box::new(added));
    let args = match p.modern() {
        true => Tree::Object(vec![("part_info", part_info)]),
        false => Tree::List(vec![part_info]),
    };
    let action = Action::AddTablePartition;
    let mut queued = p.enqueue(action, &on_table(db, table), args);
    p.submit(&mut queued);

    if let Some(partition) = &mut info.partition {
        partition.adding_definitions.clone_from(&definitions);
    }
    let writes = change(p, action, db, &mut info);
    p.running(&mut queued, SchemaState::ReplicaOnly, writes);

    if let Some(partition) = &mut info.partition {
        partition.adding_definitions.clear();
        partition.definitions.extend(definitions);
    }
    let writes = change(p, action, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::Public, writes);
    info
}

/// Drops the partitions at these places.
pub(crate) fn drop(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    partition: &PartitionInfo,
    places: &[usize],
) -> TableInfo {
    let action = Action::DropTablePartition;
    let mut info = table.clone();
    let (gone, kept): (Vec<_>, Vec<_>) = partition
        .definitions
        .iter()
        .cloned()
        .enumerate()
        .partition(|(n, _)| places.contains(n));
    let gone: Vec<_> = gone.into_iter().map(|(_, d)| d).collect();
    let kept: Vec<_> = kept.into_iter().map(|(_, d)| d).collect();
    let names = places
        .iter()
        .filter_map(|n| partition.definitions.get(*n))
        .map(|d| d.name.l.as_str().into())
        .collect();
    let old: Vec<i64> = gone.iter().map(|d| d.id).collect();
    let modern = p.modern();
    let mut nothing = PartitionInfo::new(p.version(), PartitionType::None);
    nothing.enable = false;
    let args = |finished: bool| {
        let names = Tree::List(Clone::clone(&names));
        if !modern {
            return Tree::List(vec![if finished { ids(&old) } else { names }]);
        }
        let mut members = vec![
            ("part_names", names),
            ("part_info", Tree::Partitions(Box::new(nothing.clone()))),
        ];
        members.extend(finished.then(|| ("old_physical_tbl_ids", ids(&old))));
        Tree::Object(members)
    };
    let mut queued = p.enqueue(action, &on_table(db, table), args(false));
    if modern {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);

    let set = |info: &mut TableInfo, dropping: Option<&[_]>| {
        if let Some(partition) = &mut info.partition {
            partition.definitions.clone_from(&kept);
            partition.dropping_definitions = modern.then(|| dropping.map(<[_]>::to_vec));
        }
    };
    if modern {
        for state in [
            SchemaState::WriteOnly,
            SchemaState::DeleteOnly,
            SchemaState::DeleteReorganization,
        ] {
            set(&mut info, Some(&gone));
            if let Some(partition) = &mut info.partition {
                partition.ddl_state = Some(state);
            }
            let writes = change(p, action, db, &mut info);
            p.running(&mut queued, state, writes);
        }
    }
    set(&mut info, None);
    if let Some(state) = info.partition.as_mut().and_then(|p| p.ddl_state.as_mut()) {
        *state = SchemaState::None;
    }
    queued.job.raw_args = args(true);
    let mut writes = change(p, action, db, &mut info);
    if modern {
        affect(&mut writes, pairs(&old, &old));
    }
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::None, writes);
    info
}

/// Empties the partitions at these places: they get new ids.
pub(crate) fn truncate(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    partition: &PartitionInfo,
    places: &[usize],
) -> TableInfo {
    let action = Action::TruncateTablePartition;
    let mut info = table.clone();
    let old: Vec<i64> = places
        .iter()
        .filter_map(|n| partition.definitions.get(*n))
        .map(|d| d.id)
        .collect();
    let modern = p.modern();
    // 4.0's worker takes the ids, after the job has its own.
    let mut new: Vec<i64> = match modern {
        true => old.iter().map(|_| p.new_id()).collect(),
        false => vec![],
    };
    let args = match modern {
        true => Tree::Object(vec![
            ("new_partition_ids", ids(&new)),
            ("old_partition_ids", ids(&old)),
        ]),
        false => Tree::List(vec![ids(&old)]),
    };
    let mut queued = p.enqueue(action, &on_table(db, table), args);
    if modern {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);
    let mut writes = vec![];
    if p.version() == TidbVersion::V4_0 {
        new = old.iter().map(|_| p.new_id()).collect();
        writes.push(p.take_ids());
    }
    if let Some(partition) = &mut info.partition {
        for (place, id) in places.iter().zip(&new) {
            if let Some(definition) = partition.definitions.get_mut(*place) {
                definition.id = *id;
            }
        }
    }
    if modern {
        queued.job.raw_args = Tree::Object(vec![("old_partition_ids", ids(&old))]);
    }
    writes.extend(change(p, action, db, &mut info));
    affect(&mut writes, pairs(&new, &old));
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    p.done(queued, SchemaState::None, writes);
    info
}
