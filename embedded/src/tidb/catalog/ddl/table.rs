//! CREATE, DROP and TRUNCATE TABLE, once the table's description is known.

use super::super::model::{Action, DbInfo, InvolvingSchema, SchemaState, TableInfo, Tree};
use super::super::plan::{Write, start_of};
use super::super::{Database, auto_ids, meta};
use super::partition::{affect, give_ids, ids, pairs};
use super::planner::{Planner, id_list, on_table};
use super::{foreign_key, placement};
use crate::tidb::codec::keys;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Makes a table, whose id is taken already. `source` is the table that LIKE names.
pub(crate) fn create(
    p: &mut Planner<'_>,
    db: &DbInfo,
    mut table: TableInfo,
    source: Option<(&DbInfo, &TableInfo)>,
) {
    if let Some(partition) = &mut table.partition {
        give_ids(p, partition);
    }
    let fk_check = p.session.foreign_key_checks;
    let args = move |p: &Planner<'_>, table: &TableInfo| {
        let table = Tree::Table(Box::new(table.clone()));
        if p.modern() {
            Tree::Object(
                [
                    Some(("table_info", table)),
                    fk_check.then_some(("fk_check", true.into())),
                ]
                .into_iter()
                .flatten()
                .collect(),
            )
        } else {
            Tree::List(vec![table])
        }
    };
    let queued_args = args(p, &table);
    let mut queued = p.enqueue(Action::CreateTable, &on_table(db, &table), queued_args);
    if p.modern() {
        queued.job.involving_schema_info = placement::involved(db, &table);
    }
    if let (true, Some((source_db, source))) = (p.modern(), source) {
        queued.job.involving_schema_info = vec![
            InvolvingSchema::table(&db.name.l, &table.name.l),
            InvolvingSchema::table(&source_db.name.l, &source.name.l).shared(),
        ];
    }
    // One that refers to others is there before it is public.
    let keys = table.fk_info.clone().filter(|_| p.modern());
    if let Some(keys) = &keys {
        queued.job.involving_schema_info = vec![InvolvingSchema::table(&db.name.l, &table.name.l)];
        let referred = foreign_key::involved(keys);
        queued.job.involving_schema_info.extend(referred);
    }
    p.submit(&mut queued);
    if keys.is_some() {
        table.state = SchemaState::DeleteOnly;
        table.revision = Some(1);
        let diff = p.diff(Action::CreateTable, db.id, table.id);
        let writes = vec![
            Write::PutTable(db.id, Box::new(table.clone())),
            Write::Diff(Box::new(diff)),
        ];
        p.running(&mut queued, SchemaState::DeleteOnly, writes);
        table.revision = Some(2);
    }
    table.state = SchemaState::Public;
    table.update_timestamp = start_of(p.next_step());
    queued.job.raw_args = args(p, &table);
    queued.job.binlog.table_info = Some(Box::new(table.clone()));
    let mut diff = p.diff(Action::CreateTable, db.id, table.id);
    if keys.is_some() {
        diff.old_table_id = table.id;
    }
    let mut writes = vec![Write::PutTable(db.id, Box::new(table.clone()))];
    if table.auto_rand_id > 1 {
        writes.push(Write::PutMember(
            db.id,
            meta::auto_random_field(table.id),
            (table.auto_rand_id - 1).to_string(),
        ));
    }
    if table.auto_inc_id > 1 {
        writes.push(Write::PutMember(
            db.id,
            meta::row_id_field(table.id),
            (table.auto_inc_id - 1).to_string(),
        ));
    }
    writes.push(Write::Diff(Box::new(diff)));
    p.done(queued, SchemaState::Public, writes);
}

/// Drops a table, view or sequence, as the action says.
pub(crate) fn drop(p: &mut Planner<'_>, db: &Database, table: &TableInfo, action: Action) {
    let mut info = table.clone();
    p.plan.after.extend(auto_ids::of_dropped_table(table));
    let args = if p.modern() {
        Tree::Object(vec![
            (
                "identifiers",
                Tree::List(vec![Tree::Object(vec![
                    ("Schema", Tree::name(&db.info.name)),
                    ("Name", Tree::name(&table.name)),
                ])]),
            ),
            ("fk_check", p.session.foreign_key_checks.into()),
        ])
    } else {
        Tree::Null
    };
    let mut queued = p.enqueue(action, &on_table(&db.info, table), args);
    if p.modern() {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);
    for state in [SchemaState::WriteOnly, SchemaState::DeleteOnly] {
        info.state = state;
        p.touch(&mut info);
        let diff = p.diff(action, db.info.id, info.id);
        p.running(
            &mut queued,
            state,
            vec![
                Write::PutTable(db.info.id, Box::new(info.clone())),
                Write::Diff(Box::new(diff)),
            ],
        );
    }
    info.state = SchemaState::None;
    p.touch(&mut info);
    let start_key = Tree::Text(BASE64_STANDARD.encode(keys::table_prefix(info.id)));
    let partitions = table.partitions();
    let old = partitions.map(|p| p.ids()).unwrap_or_default();
    queued.job.raw_args = if p.modern() {
        let rule = format!("schema/{}/{}", db.info.name.l, info.name.l);
        let names = partitions.iter().flat_map(|p| &p.definitions);
        let mut rules: Vec<Tree> = names
            .map(|d| Tree::Text(format!("{rule}/{}", d.name.l)))
            .collect();
        rules.push(Tree::Text(rule));
        let mut members = vec![("start_key", start_key)];
        members.extend((!old.is_empty()).then(|| ("old_partition_ids", ids(&old))));
        members.push(("old_rule_ids", Tree::List(rules)));
        Tree::Object(members)
    } else {
        Tree::List(vec![start_key, ids(&old)])
    };
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    let diff = p.diff(action, db.info.id, info.id);
    let mut writes = vec![Write::DeleteTable(db.info.id, info.id)];
    writes.extend(delete_allocators(db, info.id));
    writes.push(Write::Diff(Box::new(diff)));
    if !old.is_empty() {
        affect(&mut writes, pairs(&old, &old));
    }
    p.done(queued, SchemaState::None, writes);
}

/// Gives a table a new id without rows, and its partitions too.
pub(crate) fn truncate(p: &mut Planner<'_>, db: &Database, table: &TableInfo) {
    let modern = p.modern();
    let fk_check = p.session.foreign_key_checks;
    let old = table.partitions().map(|p| p.ids()).unwrap_or_default();
    let mut info = TableInfo {
        id: p.new_id(),
        ..table.clone()
    };
    let new_id = info.id;
    let counted = auto_ids::of_truncated_table(&db.info, table, new_id);
    p.plan.after.extend(counted);
    // 4.0's worker takes the partitions' ids, after the job has its own.
    if let (true, Some(partition)) = (modern, &mut info.partition) {
        give_ids(p, partition);
    }
    let new = match modern && !old.is_empty() {
        true => info.physical_ids(),
        false => vec![],
    };
    let args = |finished: bool| {
        if !modern {
            if !finished {
                return Tree::List(vec![new_id.into()]);
            }
            let start_key = BASE64_STANDARD.encode(keys::table_prefix(table.id));
            let old = match old.is_empty() {
                true => Tree::Null,
                false => ids(&old),
            };
            return Tree::List(vec![Tree::Text(start_key), old]);
        }
        let members = [
            fk_check.then_some(("fk_check", true.into())),
            Some(("new_table_id", new_id.into())),
            (!new.is_empty()).then(|| ("new_partition_ids", ids(&new))),
            (finished && !old.is_empty()).then(|| ("old_partition_ids", ids(&old))),
        ];
        Tree::Object(members.into_iter().flatten().collect())
    };
    let (queued_args, finished_args) = (args(false), args(true));
    let mut queued = p.enqueue(
        Action::TruncateTable,
        &on_table(&db.info, table),
        queued_args,
    );
    queued.table_ids = id_list([table.id, new_id]);
    let mut diff = p.diff(Action::TruncateTable, db.info.id, new_id);
    diff.old_table_id = table.id;
    p.submit(&mut queued);
    let mut writes = vec![];
    if let (false, Some(partition)) = (modern, &mut info.partition) {
        give_ids(p, partition);
        writes.push(p.take_ids());
    }
    queued.job.raw_args = finished_args;
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    writes.push(Write::DeleteTable(db.info.id, table.id));
    writes.extend(delete_allocators(db, table.id));
    writes.push(Write::PutTable(db.info.id, Box::new(info)));
    writes.push(Write::Diff(Box::new(diff)));
    p.done(queued, SchemaState::Public, writes);
}

/// The table's id allocators go with it.
fn delete_allocators(db: &Database, table_id: i64) -> impl Iterator<Item = Write> {
    let fields = meta::auto_id_fields(table_id)
        .into_iter()
        .chain([meta::sequence_field(table_id)]);
    fields
        .filter(|field| db.members().contains_key(field))
        .map(|field| Write::DeleteMember(db.info.id, field))
}
