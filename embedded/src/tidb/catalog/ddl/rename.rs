//! RENAME TABLE and ALTER TABLE … RENAME.

use super::super::meta;
use super::super::model::{
    Action, CiStr, DbInfo, InvolvingSchema, SchemaState, TableInfo, Tree, lower_case,
};
use super::super::plan::Write;
use super::planner::{Planner, Subject, id_list};

/// One table and where it goes.
pub(crate) struct Rename<'a> {
    pub(crate) from_db: &'a DbInfo,
    /// Under its name before this rename (a chain may have given it that just now).
    pub(crate) table: TableInfo,
    pub(crate) to_db: &'a DbInfo,
    pub(crate) to: CiStr,
}

impl Rename<'_> {
    /// The table afterwards.
    pub(crate) fn renamed(&self, p: &Planner<'_>) -> TableInfo {
        let mut table = self.table.clone();
        table.name = self.to.clone();
        // 4.0 takes the counters along.
        if p.modern() && self.from_db.id != self.to_db.id {
            // Back where its counters are, it needs to name no other place for them.
            table.old_schema_id = if table.old_schema_id == self.to_db.id {
                0
            } else if table.old_schema_id != 0 {
                table.old_schema_id
            } else {
                self.from_db.id
            };
        }
        table
    }

    fn writes(&self, p: &Planner<'_>, table: &TableInfo) -> Vec<Write> {
        let mut writes = vec![];
        if self.from_db.id != self.to_db.id {
            writes.push(Write::DeleteTable(self.from_db.id, table.id));
            if !p.modern() {
                writes.extend(self.counters(p));
            }
        }
        writes.push(Write::PutTable(self.to_db.id, Box::new(table.clone())));
        writes
    }

    /// Takes the table's counters from one database to the other.
    fn counters(&self, p: &Planner<'_>) -> Vec<Write> {
        let kept_in = match self.table.old_schema_id {
            0 => self.from_db.id,
            id => id,
        };
        let db = p.catalog.databases().find(|db| db.info.id == kept_in);
        let fields = meta::auto_id_fields(self.table.id).into_iter();
        fields
            .filter_map(|field| Some((db?.members().get(&field)?.clone(), field)))
            .flat_map(|(value, field)| {
                [
                    Write::DeleteMember(kept_in, field.clone()),
                    Write::PutMember(self.to_db.id, field, value),
                ]
            })
            .collect()
    }

    /// The job's table: under its old name, in the database it goes to.
    fn subject(&self) -> Subject<'_> {
        Subject {
            db_id: self.to_db.id,
            db: &self.to_db.name.o,
            table_id: self.table.id,
            table: &self.table.name.o,
        }
    }

    fn involved(&self) -> [InvolvingSchema; 2] {
        [(self.from_db, &self.table.name), (self.to_db, &self.to)]
            .map(|(db, table)| InvolvingSchema::table(&db.name.l, &table.l))
    }

    /// The arguments of 8.5; `old_table` and `table_id` are set only where several tables are renamed.
    fn args(&self, old_table: &CiStr, table_id: Option<i64>) -> Tree {
        let mut members = vec![
            ("old_schema_id", self.from_db.id.into()),
            ("old_schema_name", Tree::name(&self.from_db.name)),
            ("new_table_name", Tree::name(&self.to)),
            ("old_table_name", Tree::name(old_table)),
            ("new_schema_id", self.to_db.id.into()),
        ];
        members.extend(table_id.map(|id| ("table_id", id.into())));
        Tree::Object(members)
    }
}

/// Renames one table.
pub(crate) fn one(p: &mut Planner<'_>, rename: &Rename<'_>) {
    let table = rename.renamed(p);
    let queued_args = if p.modern() {
        rename.args(&CiStr::default(), None)
    } else {
        Tree::List(vec![rename.from_db.id.into(), Tree::name(&rename.to)])
    };
    let mut queued = p.enqueue(Action::RenameTable, &rename.subject(), queued_args);
    if p.modern() {
        queued.schema_ids = id_list([rename.from_db.id, rename.to_db.id]);
        queued.job.involving_schema_info = rename.involved().into();
    }
    p.submit(&mut queued);
    let mut diff = p.diff(Action::RenameTable, rename.to_db.id, table.id);
    diff.old_schema_id = rename.from_db.id;
    let mut writes = rename.writes(p, &table);
    writes.push(Write::Diff(Box::new(diff)));
    queued.job.binlog.table_info = Some(Box::new(table.clone()));
    if p.modern() {
        // The table is in place after the first step; the second only makes a schema version.
        p.running(&mut queued, SchemaState::Public, writes);
        let mut diff = p.diff(Action::RenameTable, rename.to_db.id, table.id);
        diff.old_schema_id = rename.to_db.id;
        writes = vec![Write::Diff(Box::new(diff))];
    } else {
        queued.job.raw_args = Tree::List(vec![rename.from_db.id.into()]);
    }
    p.done(queued, SchemaState::Public, writes);
}

/// Renames several tables in one job, which only newer releases can.
pub(crate) fn several(p: &mut Planner<'_>, renames: &[Rename<'_>]) {
    let (Some(first), Some(last)) = (renames.first(), renames.last()) else {
        return;
    };
    // A table that is renamed more than once is told each time as it is in the end.
    let infos: Vec<TableInfo> = renames
        .iter()
        .filter_map(|r| renames.iter().rfind(|last| last.table.id == r.table.id))
        .map(|last| last.renamed(p))
        .collect();
    let args = renames
        .iter()
        .map(|r| r.args(&r.table.name, Some(r.table.id)))
        .collect();
    let args = Tree::Object(vec![("rename_table_infos", Tree::List(args))]);
    let mut queued = p.enqueue(Action::RenameTables, &first.subject(), args);
    queued.schema_ids = id_list(renames.iter().flat_map(|r| [r.from_db.id, r.to_db.id]));
    queued.table_ids = id_list(renames.iter().map(|r| r.table.id));
    queued.job.involving_schema_info = renames.iter().flat_map(Rename::involved).collect();
    p.submit(&mut queued);

    let diff = |p: &mut Planner<'_>, finished: bool| {
        let old_db = |r: &Rename<'_>| if finished { r.to_db.id } else { r.from_db.id };
        let mut diff = p.diff(Action::RenameTables, first.to_db.id, first.table.id);
        diff.old_schema_id = old_db(first);
        diff.affected_options = Some(
            renames[1..]
                .iter()
                .map(|r| Planner::affected(r.table.id, r.to_db.id, old_db(r)))
                .collect(),
        );
        Write::Diff(Box::new(diff))
    };
    // While it works, the job's own table is the one that it handled last.
    let subject = last.subject();
    queued.job.schema_id = subject.db_id;
    queued.job.table_id = subject.table_id;
    queued.job.schema_name = lower_case(subject.db);
    queued.job.table_name = Some(lower_case(subject.table));
    queued.job.binlog.table_info = infos.last().cloned().map(Box::new);
    queued.job.binlog.multiple_table_infos = Some(Some(infos.clone()));
    let mut writes: Vec<Write> = renames
        .iter()
        .zip(&infos)
        .flat_map(|(r, t)| r.writes(p, t))
        .collect();
    writes.push(diff(p, false));
    p.running(&mut queued, SchemaState::Public, writes);
    let last_diff = diff(p, true);
    p.done(queued, SchemaState::Public, vec![last_diff]);
}
