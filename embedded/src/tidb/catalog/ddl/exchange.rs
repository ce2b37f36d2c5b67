//! EXCHANGE PARTITION: a partition and a table swap their ids, and with them their rows.

use super::super::model::{Action, AffectedOption, InvolvingSchema, SchemaState, TableInfo, Tree};
use super::super::plan::Write;
use super::super::{Database, auto_ids, auto_ids::Counter, mariadb, meta};
use super::partition::affect;
use super::planner::{Planner, id_list, on_table};

/// What is swapped.
pub(crate) struct Exchange<'a> {
    /// The partitioned table.
    pub(crate) partitioned: (&'a Database, &'a TableInfo),
    /// The place of its partition.
    pub(crate) place: usize,
    /// The table without partitions.
    pub(crate) plain: (&'a Database, &'a TableInfo),
    /// WITH VALIDATION.
    pub(crate) validation: bool,
}

/// Swaps. Nothing is done if there is no such partition.
pub(crate) fn exchange(p: &mut Planner<'_>, what: &Exchange<'_>) {
    let action = Action::ExchangeTablePartition;
    let (part_db, part_table) = what.partitioned;
    let (plain_db, plain) = what.plain;
    let definition = part_table
        .partitions()
        .and_then(|partition| partition.definitions.get(what.place));
    let Some(definition) = definition else {
        return;
    };
    let args = Tree::Object(vec![
        ("partition_id", definition.id.into()),
        ("pt_schema_id", part_db.info.id.into()),
        ("pt_table_id", part_table.id.into()),
        ("partition_name", definition.name.o.as_str().into()),
        ("with_validation", what.validation.into()),
    ]);
    let mut queued = p.enqueue(action, &on_table(&plain_db.info, plain), args);
    queued.table_ids = id_list([part_table.id, plain.id]);
    queued.schema_ids = id_list([part_db.info.id, plain_db.info.id]);
    queued.job.involving_schema_info = [(part_db, part_table), (plain_db, plain)]
        .map(|(db, table)| InvolvingSchema::table(&db.info.name.l, &table.name.l))
        .to_vec();
    p.submit(&mut queued);

    if plain.has_row_id() {
        let of = |(db, table): (&Database, &TableInfo)| db.counter(table, Counter::RowId);
        let last = of(what.partitioned).max(of(what.plain));
        count_on(p, what, definition.id, last);
    }
    let affected = vec![AffectedOption {
        schema_id: part_db.info.id,
        table_id: part_table.id,
        old_table_id: 0,
        old_schema_id: 0,
    }];
    let diff = |p: &mut Planner<'_>, table_id: i64| {
        let mut diff = p.diff(action, plain_db.info.id, table_id);
        diff.old_table_id = plain.id;
        diff.old_schema_id = plain_db.info.id;
        Write::Diff(Box::new(diff))
    };
    // Both wait for each other's writers: then no row may come that fits only one of them.
    let mut info = plain.clone();
    info.exchange_partition_info = Some(Some(serde_json::json!({
        "exchange_partition_id": part_table.id,
        "exchange_partition_def_id": definition.id,
    })));
    p.touch(&mut info);
    let mut writes = vec![
        Write::PutTable(plain_db.info.id, Box::new(info.clone())),
        diff(p, plain.id),
    ];
    affect(&mut writes, affected.clone());
    p.running(&mut queued, SchemaState::WriteOnly, writes);

    let mut partitioned = part_table.clone();
    if let Some(swapped) = partitioned
        .partition
        .as_mut()
        .and_then(|partition| partition.definitions.get_mut(what.place))
    {
        swapped.id = plain.id;
    }
    // TiDB leaves the partitioned table's time of change as it was.
    if let Some(revision) = &mut partitioned.revision {
        *revision += 1;
    }
    info.id = definition.id;
    info.exchange_partition_info = Some(None);
    p.touch(&mut info);
    let mut writes = vec![
        Write::DeleteTable(plain_db.info.id, plain.id),
        Write::PutTable(part_db.info.id, Box::new(partitioned.clone())),
        Write::PutTable(plain_db.info.id, Box::new(info.clone())),
    ];
    writes.extend(allocators(what, definition.id));
    writes.push(diff(p, info.id));
    affect(&mut writes, affected);
    queued.job.binlog.table_info = Some(Box::new(partitioned));
    p.done(queued, SchemaState::None, writes);
}

/// Row ids that may be given in one table between MariaDB's exchange and the change of its sequence.
const MARGIN: i64 = 1000;

/// `_tidb_rowid` of both goes on behind the last of either: their rows meet in one partition.
fn count_on(p: &mut Planner<'_>, what: &Exchange<'_>, new_id: i64, last: i64) {
    let (plain_db, plain) = what.plain;
    let (_, part_table) = what.partitioned;
    if last > 0 {
        let ids = [part_table.id, plain.id];
        let raised = ids.map(|id| auto_ids::raise_sequence(id, last));
        p.plan.before.extend(raised);
    }
    p.plan.after.extend([
        auto_ids::create_sequence(new_id, last.saturating_add(MARGIN + 1)),
        auto_ids::open_sequence(new_id),
        mariadb::count_row_ids(&plain_db.info, plain, new_id),
        auto_ids::drop_sequence(plain.id),
    ]);
}

/// Both tables go on after the highest id of either.
fn allocators(what: &Exchange<'_>, new_id: i64) -> Vec<Write> {
    let (part_db, part_table) = what.partitioned;
    let (plain_db, plain) = what.plain;
    let value = |db: &Database, field: &String| {
        let text = db.members().get(field);
        text.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0)
    };
    let mut out = vec![];
    let fields = |id: i64| meta::auto_id_fields(id);
    for n in 0..fields(0).len() {
        let [of_part, of_plain, of_new] =
            [part_table.id, plain.id, new_id].map(|id| fields(id)[n].clone());
        let highest = value(part_db, &of_part).max(value(plain_db, &of_plain));
        let highest = highest.to_string();
        out.push(Write::PutMember(part_db.info.id, of_part, highest.clone()));
        for field in [of_plain, of_new] {
            out.push(Write::PutMember(plain_db.info.id, field, highest.clone()));
        }
    }
    out
}
