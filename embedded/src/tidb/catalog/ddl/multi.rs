//! Several changes in one ALTER TABLE: one job of many parts (`multi_schema_info`), in TiDB since 6.2.
//!
//! Each part goes as far as it can still be undone, one after the other; then all take their next step in one transaction
//! and at one schema version; then those that have more steps (a column or index on its way out) take them.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::super::DdlError;
use super::super::model::{
    Action, ColumnInfo, DbInfo, IndexInfo, InvolvingSchema, JobState, MultiSchemaInfo, SchemaState,
    SubJob, TableInfo, Tree, flag,
};
use super::super::plan::{QueuedJob, Write, start_of};
use super::change::Op;
use super::column::{self, change, move_column, offset_of};
use super::planner::{Planner, on_table};
use super::reorganize::{REORG_TXN, by_transactions};
use super::rewrite::{self, Changing};
use super::sql_error;
use super::{foreign_key, index};

/// Two parts must not be about the same column or index, except that a column may stand behind one that is changed.
pub(super) fn check(p: &Planner<'_>, table: &TableInfo, ops: &[Op]) -> Result<(), DdlError> {
    check_rewrites(p, table, ops)?;
    let mut columns: Vec<&str> = vec![];
    let mut indexes: Vec<&str> = vec![];
    for op in ops {
        match op {
            Op::AddColumn { column, .. } => take(&mut columns, &column.name.l, "column")?,
            Op::DropColumn(column) => take(&mut columns, &column.name.l, "column")?,
            Op::Modify { old, column, .. } | Op::Rewrite { old, column, .. }
                if old.name.l != column.name.l =>
            {
                take(&mut columns, &column.name.l, "column")?;
                take(&mut columns, &old.name.l, "column")?;
            }
            Op::AddIndex { indexes: new, .. } => {
                for index in new {
                    take(&mut indexes, &index.name.l, "index")?;
                }
            }
            Op::DropIndex(index) => take(&mut indexes, &index.name.l, "index")?,
            Op::Modify { .. }
            | Op::Rewrite { .. }
            | Op::SetDefault(_)
            | Op::AddForeignKey(_)
            | Op::DropForeignKey(_)
            | Op::AtOnce { .. } => {}
        }
    }
    for op in ops {
        let mut relative: Vec<&str> = vec![];
        match op {
            Op::AddColumn { position, .. }
            | Op::Rewrite { position, .. }
            | Op::Modify {
                position: Some(position),
                ..
            } => relative.extend(position.behind()),
            Op::AddIndex { indexes, .. } => {
                let parts = indexes.iter().flat_map(|i| &i.columns);
                relative.extend(parts.map(|c| c.name.l.as_str()));
            }
            _ => {}
        }
        if let Some(name) = relative.iter().find(|name| columns.contains(name)) {
            return Err(same("column", name));
        }
    }
    for op in ops {
        match op {
            Op::Modify { old, column, .. } | Op::Rewrite { old, column, .. }
                if old.name.l == column.name.l =>
            {
                take(&mut columns, &column.name.l, "column")?;
            }
            Op::SetDefault(column) => take(&mut columns, &column.name.l, "column")?,
            _ => {}
        }
    }
    Ok(())
}

/// Indexes of columns whose rows are written again are made anew, by one change each.
fn check_rewrites(p: &Planner<'_>, table: &TableInfo, ops: &[Op]) -> Result<(), DdlError> {
    let rewritten: Vec<usize> = ops
        .iter()
        .filter_map(|op| match op {
            Op::Rewrite { old, .. } => Some(old.offset),
            _ => None,
        })
        .collect();
    let on_index = |op: &Op| matches!(op, Op::AddIndex { .. } | Op::DropIndex(_));
    if !rewritten.is_empty() && ops.iter().any(on_index) {
        let what = "a change that rewrites rows together with one of an index";
        return Err(p.unsupported(what));
    }
    let shared = table.indexes.iter().any(|index| {
        let parts = index.columns.iter();
        parts
            .filter(|part| rewritten.contains(&part.offset))
            .count()
            > 1
    });
    match shared {
        true => Err(p.unsupported("changes that rewrite rows of several columns of an index")),
        false => Ok(()),
    }
}

fn adds_index(ops: &[Op]) -> bool {
    ops.iter().any(|op| matches!(op, Op::AddIndex { .. }))
}

fn rewrites(ops: &[Op]) -> bool {
    ops.iter().any(|op| matches!(op, Op::Rewrite { .. }))
}

fn take<'a>(names: &mut Vec<&'a str>, name: &'a str, what: &str) -> Result<(), DdlError> {
    if names.contains(&name) {
        return Err(same(what, name));
    }
    names.push(name);
    Ok(())
}

fn same(what: &str, name: &str) -> DdlError {
    sql_error::refused(8200, format!("Unsupported operate same {what} '{name}'"))
}

/// What a step left to be written.
#[derive(PartialEq)]
enum Made {
    Version,
    /// The table, under the same schema version.
    Table,
    Nothing,
}

struct Part {
    op: Op,
    sub: SubJob,
    /// Steps taken.
    taken: usize,
    /// Ids of the columns and indexes that it added.
    ids: Vec<i64>,
    /// What stands beside a column whose rows are written again.
    changing: Option<Changing>,
}

/// Plans the job.
pub(super) fn run(p: &mut Planner<'_>, db: &DbInfo, table: &TableInfo, ops: Vec<Op>) {
    let ops = merged(ops);
    if ops.is_empty() {
        return;
    }
    let (fills, rewrites) = (adds_index(&ops), rewrites(&ops));
    let mut reorg_meta = index::reorg_meta(p, fills);
    if rewrites {
        reorg_meta = by_transactions(reorg_meta);
    }
    let reorg_tp = match (fills, rewrites) {
        (true, _) => index::REORG_INGEST,
        (false, true) => REORG_TXN,
        (false, false) => 0,
    };
    let mut parts: Vec<Part> = ops
        .into_iter()
        .map(|op| Part::new(p, op, reorg_tp as u8))
        .collect();
    let mut info = table.clone();
    let mut queued = p.enqueue(Action::MultiSchemaChange, &on_table(db, table), Tree::Null);
    queued.reorg = fills || rewrites;
    queued.job.reorg_meta = reorg_meta;
    note(&mut queued, &parts, true);
    queued.job.involving_schema_info = involved(db, table, &parts);
    p.submit(&mut queued);

    for i in 0..parts.len() {
        while parts[i].sub.revertible && parts[i].sub.state != JobState::Done {
            parts[i].starts(p);
            let made = parts[i].prepare(p, db, i, &mut info);
            let action = parts[i].op.action();
            let writes = match made {
                Made::Version => change(p, action, db, &mut info),
                Made::Table => {
                    p.touch(&mut info);
                    vec![Write::PutTable(db.id, Box::new(info.clone()))]
                }
                Made::Nothing => vec![],
            };
            parts[i].sub.schema_version = match made {
                Made::Version => p.schema_version(),
                _ => 0,
            };
            note(&mut queued, &parts, true);
            p.running(&mut queued, SchemaState::None, writes);
        }
    }
    all_at_once(p, db, &mut info, &mut parts, &mut queued);
    for i in 0..parts.len() {
        while parts[i].sub.state != JobState::Done {
            parts[i].commit(p, &mut info);
            let writes = change(p, parts[i].op.action(), db, &mut info);
            parts[i].sub.schema_version = p.schema_version();
            note(&mut queued, &parts, false);
            p.running(&mut queued, SchemaState::None, writes);
        }
    }
    queued.job.binlog.table_info = Some(Box::new(info));
    p.done(queued, SchemaState::None, vec![]);
}

/// The tables that foreign keys refer to, and with those the job's own.
fn involved(db: &DbInfo, table: &TableInfo, parts: &[Part]) -> Vec<InvolvingSchema> {
    let mut out: Vec<InvolvingSchema> = parts
        .iter()
        .filter_map(|part| match &part.op {
            Op::AddForeignKey(key) => Some(std::slice::from_ref(&**key)),
            _ => None,
        })
        .flat_map(foreign_key::involved)
        .collect();
    if !out.is_empty() {
        out.push(InvolvingSchema::table(&db.name.l, &table.name.l));
    }
    out
}

/// The step after which nothing can be undone.
fn all_at_once(
    p: &mut Planner<'_>,
    db: &DbInfo,
    info: &mut TableInfo,
    parts: &mut [Part],
    queued: &mut QueuedJob,
) {
    let left = parts.iter().filter(|part| part.sub.state != JobState::Done);
    let left: Vec<Action> = left.map(|part| part.op.action()).collect();
    let actions: Vec<u8> = left.iter().map(|action| *action as u8).collect();
    let action = match &left[..] {
        [] => return,
        [one] => *one,
        _ => Action::MultiSchemaChange,
    };
    for (i, part) in parts.iter().enumerate() {
        if matches!(part.op, Op::AddIndex { .. }) {
            p.count_rows(p.next_step(), p.next_step(), Some(i));
        }
    }
    let mut diff = p.diff(action, db.id, info.id);
    if actions.len() > 1 {
        diff.sub_action_types = Some(BASE64_STANDARD.encode(&actions));
    }
    let left = parts
        .iter_mut()
        .filter(|part| part.sub.state != JobState::Done);
    for (i, part) in left.enumerate() {
        part.starts(p);
        part.commit(p, info);
        p.touch(info);
        part.sub.schema_version = if i == 0 { diff.version } else { 0 };
    }
    note(queued, parts, false);
    let writes = vec![
        Write::PutTable(db.id, Box::new(info.clone())),
        Write::Diff(Box::new(diff)),
    ];
    p.running(queued, SchemaState::None, writes);
}

/// Indexes are filled together: those of all changes are one part, the last.
fn merged(ops: Vec<Op>) -> Vec<Op> {
    let adds = |op: &Op| op.action() == Action::AddIndex;
    if ops.iter().filter(|op| adds(op)).count() < 2 {
        return ops;
    }
    let (adding, mut rest): (Vec<Op>, Vec<Op>) = ops.into_iter().partition(adds);
    let all = adding.into_iter().flat_map(|op| match op {
        Op::AddIndex { indexes, .. } => indexes,
        _ => vec![],
    });
    rest.push(Op::AddIndex {
        indexes: all.collect(),
        hidden: vec![],
        args_v4: Tree::Null,
    });
    rest
}

/// Keeps the parts in the job.
fn note(queued: &mut QueuedJob, parts: &[Part], revertible: bool) {
    queued.job.multi_schema_info = Some(Some(MultiSchemaInfo {
        sub_jobs: parts.iter().map(|part| part.sub.clone()).collect(),
        revertible,
        seq: 0,
    }));
}

impl Part {
    fn new(p: &Planner<'_>, op: Op, reorg_tp: u8) -> Self {
        let raw_args = match &op {
            Op::AddColumn { column, position } => column::added_args(column, position),
            Op::DropColumn(column) => column::dropped_args(p, &column.name),
            Op::Modify {
                old,
                column,
                position,
            } => column::queued_args(old, column, position.as_ref()),
            Op::Rewrite {
                old,
                column,
                position,
            } => column::queued_args(old, column, Some(position)),
            Op::SetDefault(column) => {
                Tree::Object(vec![("column_info", Tree::Column(column.clone()))])
            }
            Op::AddIndex { indexes, .. } => index::added_args(indexes.iter().map(|i| i.id)),
            Op::DropIndex(index) => index::dropped_args(&index.name, None),
            Op::AddForeignKey(key) => foreign_key::added_args(p, key),
            Op::DropForeignKey(key) => foreign_key::dropped_args(p, &key.fk_name),
            Op::AtOnce { args, .. } => args.clone(),
        };
        let goes = matches!(op, Op::DropColumn(_) | Op::DropIndex(_));
        Self {
            sub: SubJob {
                action: op.action(),
                raw_args,
                schema_state: if goes {
                    SchemaState::Public
                } else {
                    SchemaState::None
                },
                snapshot_ver: 0,
                real_start_ts: 0,
                revertible: true,
                state: JobState::None,
                row_count: 0,
                warning: Tree::Null,
                schema_version: 0,
                reorg_tp,
                use_cloud: false,
            },
            op,
            taken: 0,
            ids: vec![],
            changing: None,
        }
    }

    /// Notes when its first step began.
    fn starts(&mut self, p: &Planner<'_>) {
        if self.sub.real_start_ts == 0 {
            self.sub.real_start_ts = start_of(p.next_step());
        }
        self.sub.state = JobState::Running;
    }

    /// One step of this part of the job, the `n`th, that can be undone.
    fn prepare(
        &mut self,
        p: &mut Planner<'_>,
        db: &DbInfo,
        n: usize,
        info: &mut TableInfo,
    ) -> Made {
        const STATES: [SchemaState; 3] = [
            SchemaState::DeleteOnly,
            SchemaState::WriteOnly,
            SchemaState::WriteReorganization,
        ];
        /// Filling an index makes two schema versions, and one when that is done.
        const FILLED: usize = STATES.len() + 3;
        let taken = self.taken;
        self.taken += 1;
        match &mut self.op {
            Op::AddForeignKey(key) => {
                // It is done before anything cannot be undone.
                let state = foreign_key::STATES[taken];
                if taken == 0 {
                    key.state = state;
                    foreign_key::put(info, key);
                    self.sub.raw_args = foreign_key::added_args(p, key);
                }
                foreign_key::set_state(info, &key.fk_name, state);
                self.sub.schema_state = state;
                if state == SchemaState::Public {
                    self.sub.state = JobState::Done;
                }
                Made::Version
            }
            Op::AddColumn { column, position } => {
                if taken == 0 {
                    let column = added(info, column);
                    self.ids.push(column.id);
                    self.sub.raw_args = column::added_args(&column, position);
                }
                let offset = offset_of(info, self.ids[0]);
                info.columns[offset].state = STATES[taken];
                self.sub.schema_state = STATES[taken];
                self.sub.revertible = taken + 1 < STATES.len();
                Made::Version
            }
            Op::AddIndex { indexes, .. } => {
                if taken == 0 {
                    self.ids = indexes.iter().map(|i| added_index(info, i)).collect();
                    self.sub.raw_args = index::added_args(self.ids.iter().copied());
                }
                let new = info.indexes.iter_mut();
                for index in new.filter(|i| self.ids.contains(&i.id)) {
                    index.state = STATES[taken.min(STATES.len() - 1)];
                    index.backfill_state = Some(if taken + 1 < FILLED {
                        index::BACKFILL_RUNNING
                    } else {
                        0
                    });
                }
                self.sub.schema_state = STATES[taken.min(STATES.len() - 1)];
                self.sub.revertible = taken + 1 < FILLED;
                Made::Version
            }
            Op::Modify { old, column, .. } => {
                let ft = &mut info.columns[old.offset].field_type;
                let becomes_not_null =
                    !old.field_type.is_not_null() && column.field_type.is_not_null();
                if taken == 0 && becomes_not_null {
                    ft.flag |= flag::PREVENT_NULL_INSERT;
                    return Made::Version;
                }
                self.sub.revertible = false;
                Made::Table
            }
            Op::Rewrite { old, column, .. } => {
                if taken == 0 {
                    let changing = rewrite::begin(p, info, old, column);
                    let queued = self.sub.raw_args.clone();
                    self.sub.raw_args = changing.args(queued, vec![]);
                    self.changing = Some(changing);
                }
                let Some(changing) = &self.changing else {
                    return Made::Nothing;
                };
                if let Some(state) = STATES.get(taken) {
                    changing.set_state(info, *state);
                    self.sub.schema_state = *state;
                    return Made::Version;
                }
                if self.sub.snapshot_ver == 0 {
                    self.sub.snapshot_ver = start_of(p.next_step());
                    return Made::Nothing;
                }
                changing.rows(p, db, info, old.id, false);
                p.count_rows(p.next_step(), p.next_step(), Some(n));
                self.sub.revertible = false;
                Made::Nothing
            }
            Op::DropColumn(_) | Op::DropIndex(_) | Op::DropForeignKey(_) | Op::SetDefault(_) => {
                self.sub.revertible = false;
                Made::Table
            }
            Op::AtOnce { action, .. } => {
                self.sub.revertible = false;
                match action {
                    Action::RenameIndex | Action::AlterIndexVisibility => Made::Table,
                    _ => Made::Nothing,
                }
            }
        }
    }

    /// One step that cannot be undone.
    fn commit(&mut self, p: &Planner<'_>, info: &mut TableInfo) {
        self.sub.schema_state = match &self.op {
            Op::AddColumn { position, .. } => {
                let from = offset_of(info, self.ids[0]);
                info.columns[from].state = SchemaState::Public;
                let target = position.target(info, from);
                move_column(info, from, target);
                SchemaState::Public
            }
            Op::Modify {
                column, position, ..
            } => {
                column::put_modified(info, (**column).clone(), position.as_ref());
                self.sub.raw_args = column::modified_args();
                SchemaState::Public
            }
            Op::Rewrite {
                old,
                column,
                position,
            } => {
                if let Some(changing) = &self.changing {
                    let gone = changing.finish(info, old.id, &column.name, position);
                    let queued = column::queued_args(old, column, Some(position));
                    self.sub.raw_args = changing.args(queued, gone);
                }
                SchemaState::Public
            }
            Op::SetDefault(column) => {
                column::put_default(info, (**column).clone());
                SchemaState::Public
            }
            Op::AddIndex { .. } => {
                let new: Vec<IndexInfo> = info
                    .indexes
                    .iter_mut()
                    .filter(|i| self.ids.contains(&i.id))
                    .map(|i| {
                        i.state = SchemaState::Public;
                        i.clone()
                    })
                    .collect();
                new.iter()
                    .for_each(|index| index::add_flags(&mut info.columns, index));
                SchemaState::Public
            }
            Op::DropColumn(column) => {
                let (state, indexes) = column::drop_step(info, column.id, self.sub.schema_state);
                if !indexes.is_empty()
                    && let Tree::Object(members) = &mut self.sub.raw_args
                {
                    let ids = indexes.into_iter().map(Tree::Int).collect();
                    members.push(("index_ids", Tree::List(ids)));
                }
                state
            }
            Op::DropIndex(index) => {
                let state = index::drop_step(info, index, self.sub.schema_state);
                if state == SchemaState::None {
                    self.sub.raw_args = index::dropped_args(&index.name, Some(index.id));
                }
                state
            }
            Op::DropForeignKey(key) => {
                foreign_key::take(info, &key.fk_name);
                SchemaState::None
            }
            // It was done before.
            Op::AddForeignKey(_) => SchemaState::Public,
            Op::AtOnce { edit, .. } => {
                edit.apply(info);
                SchemaState::Public
            }
        };
        debug_assert!(p.modern());
        if matches!(
            self.sub.schema_state,
            SchemaState::Public | SchemaState::None
        ) {
            self.sub.state = JobState::Done;
        }
    }
}

/// Puts a new column behind the others.
fn added(info: &mut TableInfo, column: &ColumnInfo) -> ColumnInfo {
    info.max_col_id += 1;
    let column = ColumnInfo {
        id: info.max_col_id,
        offset: info.columns.len(),
        state: SchemaState::DeleteOnly,
        ..column.clone()
    };
    info.columns.push(column.clone());
    column
}

/// Puts a new index behind the others; columns are found by name, for other parts may have moved them.
fn added_index(info: &mut TableInfo, index: &IndexInfo) -> i64 {
    info.max_idx_id += 1;
    let mut index = IndexInfo {
        id: info.max_idx_id,
        ..index.clone()
    };
    for part in &mut index.columns {
        part.offset = info
            .column(&part.name.l)
            .map_or(part.offset, |column| column.offset);
    }
    info.indexes.push(index);
    info.max_idx_id
}
