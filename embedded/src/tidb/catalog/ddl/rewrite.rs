//! Changes of a column that write its rows again (TiDB since 5.0).
//!
//! Beside the old column comes a hidden one of the new type, and beside each index of it a hidden one of that: both go
//! through the states of something that is added. Between the last of them and the public one every row gets the new
//! column's value; then the new ones take the places of the old ones, under ids of their own. A value that does not fit ends
//! the job with everything as it was.

use std::sync::Arc;

use super::super::build::default;
use super::super::model::{
    Action, CiStr, ColumnInfo, DbInfo, FieldType, IndexInfo, JobState, SchemaState, TableInfo, Tp,
    Tree, flag,
};
use super::super::plan::{QueuedJob, RowRewrite, Undo, start_of};
use super::super::{DdlError, mariadb, show};
use super::column::{self, Position, change, move_column, offset_of};
use super::planner::{Planner, on_table};
use super::reorganize::by_transactions;
use super::{index, sql_error};
use crate::tidb::cast;
use crate::tidb::codec::{Datum, origin::origin_value};

/// Whether rows of the old type have to be written again to be of the new one.
pub(super) fn is_needed(from: &FieldType, to: &FieldType) -> bool {
    let toggles_sign = from.is_unsigned() != to.is_unsigned();
    let shrinks = to.flen > 0 && (to.flen < from.flen || to.decimal < from.decimal);
    if from.tp == to.tp {
        return match from.tp {
            Tp::NewDecimal => (from.flen, from.decimal) != (to.flen, to.decimal) || toggles_sign,
            Tp::Enum | Tp::Set => {
                let members = |ft: &FieldType| ft.elems.clone().unwrap_or_default();
                !members(to).starts_with(&members(from))
            }
            tp if tp.is_integer() => toggles_sign,
            // BINARY is filled up to its length.
            Tp::String if from.is_binary_string() => from.flen != to.flen,
            _ => shrinks || toggles_sign,
        };
    }
    if from.tp.is_integer() && to.tp.is_integer() {
        return integer_bytes(to.tp) < integer_bytes(from.tp) || toggles_sign;
    }
    let is_char_and_varchar = |a: Tp, b: Tp| a == Tp::String && b == Tp::Varchar;
    if from.tp.is_string() && to.tp.is_string() {
        return is_char_and_varchar(from.tp, to.tp)
            || is_char_and_varchar(to.tp, from.tp)
            || shrinks
            || toggles_sign;
    }
    !(from.tp == Tp::Float && to.tp == Tp::Double) || shrinks || toggles_sign
}

/// Bytes of an integer type.
pub(super) fn integer_bytes(tp: Tp) -> u8 {
    match tp {
        Tp::Tiny => 1,
        Tp::Short => 2,
        Tp::Int24 => 3,
        Tp::Long => 4,
        _ => 8,
    }
}

/// Refuses what TiDB does not rewrite, and what is not served.
pub(super) fn check(
    p: &Planner<'_>,
    table: &TableInfo,
    old: &ColumnInfo,
    column: &ColumnInfo,
) -> Result<(), DdlError> {
    let refuse = |why: &str| {
        let message = format!("Unsupported modify column: {why}");
        Err(sql_error::refused(8200, message))
    };
    let (from, to) = (&old.field_type, &column.field_type);
    if !cast::is_allowed(from, to) {
        // The one error within the other is TiDB's.
        let text = |ft: &FieldType| show::type_text(ft, true).replace(" unsigned", "");
        let (from, to) = (text(from), text(to));
        return refuse(&format!(
            "[ddl:8200]Unsupported modify column: change from original type {from} to {to} is currently unsupported yet"
        ));
    }
    if old.field_type.has(flag::PRI_KEY) {
        return refuse("this column has primary key flag");
    }
    if table.partitions().is_some() {
        return refuse("table is partition table");
    }
    let reads = |c: &&ColumnInfo| {
        let read = c.dependences.as_ref();
        read.is_some_and(|columns| columns.contains_key(&old.name.l))
    };
    if let Some(generated) = table.columns.iter().find(reads) {
        return refuse(&format!(
            "oldCol is a dependent column '{}' for generated column",
            generated.name.o
        ));
    }
    let of_old = |i: &IndexInfo| i.columns.iter().any(|part| part.offset == old.offset);
    if to.tp == Tp::Json && table.indexes.iter().any(of_old) {
        return Err(sql_error::json_key(&old.name.o));
    }
    // MariaDB copies no table under a lock whose defaults take values from a sequence.
    if table.columns.iter().any(|c| c.default_is_expr) {
        return Err(p.unsupported(
            "a change of type that rewrites rows of a table with expressions as defaults",
        ));
    }
    if from.has(flag::AUTO_INCREMENT) || old.is_generated() || !cast::is_served(from, to) {
        return Err(p.unsupported(format!(
            "a change of type from {} to {}, which rewrites rows",
            show::type_text(from, true),
            show::type_text(to, true)
        )));
    }
    Ok(())
}

/// The hidden column, and the hidden indexes of it.
#[derive(Debug, Clone)]
pub(super) struct Changing {
    pub(super) column: ColumnInfo,
    indexes: Vec<i64>,
}

/// Puts the hidden column and indexes behind the others.
pub(super) fn begin(
    p: &Planner<'_>,
    info: &mut TableInfo,
    old: &ColumnInfo,
    column: &ColumnInfo,
) -> Changing {
    let from = offset_of(info, old.id);
    info.max_col_id += 1;
    let changing = ColumnInfo {
        id: info.max_col_id,
        name: unused("_Col$_", &old.name, |name| info.column(name).is_some()),
        offset: info.columns.len(),
        state: SchemaState::DeleteOnly,
        origin_default: origin(p, old, column),
        origin_default_bit: column.origin_default_bit.as_ref().map(|_| None),
        change_state_info: Some(Some(serde_json::json!({ "relative_col_offset": from }))),
        ..column.clone()
    };
    let of_old = |i: &&IndexInfo| i.columns.iter().any(|part| part.offset == from);
    let related: Vec<IndexInfo> = info.indexes.iter().filter(of_old).cloned().collect();
    let mut indexes = vec![];
    for mut index in related {
        info.max_idx_id += 1;
        index.id = info.max_idx_id;
        index.name = unused("_Idx$_", &index.name, |name| info.index(name).is_some());
        index.state = SchemaState::DeleteOnly;
        for part in index.columns.iter_mut().filter(|part| part.offset == from) {
            part.offset = changing.offset;
            part.name = changing.name.clone();
            let ft = &changing.field_type;
            if !ft.tp.is_string() || ft.flen <= part.length {
                part.length = -1;
            }
        }
        indexes.push(index.id);
        info.indexes.push(index);
    }
    info.columns.push(changing.clone());
    let becomes_not_null = !old.field_type.is_not_null() && column.field_type.is_not_null();
    if becomes_not_null {
        info.columns[from].field_type.flag |= flag::PREVENT_NULL_INSERT;
    }
    Changing {
        column: changing,
        indexes,
    }
}

/// The origin default of the old column as one of the new type; else that of a column that is added.
fn origin(p: &Planner<'_>, old: &ColumnInfo, column: &ColumnInfo) -> Option<String> {
    let value = origin_value(old).ok().filter(|value| !value.is_null());
    let (from, to) = (&old.field_type, &column.field_type);
    let value = value.and_then(|v| cast::cast(&v, &old.name.o, (from, to), &p.session.zone).ok());
    match value {
        Some(Datum::Int(number)) => Some(number.to_string()),
        Some(Datum::Uint(number)) if to.tp.is_integer() => Some(number.to_string()),
        Some(Datum::Decimal(number)) => Some(number.to_string()),
        Some(Datum::Bytes(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Some(Datum::Time(time)) if to.tp == Tp::Timestamp || from.tp == Tp::Timestamp => {
            Some(match to.tp {
                Tp::Date => time.date_text(),
                _ => time.datetime_text(usize::try_from(to.decimal).unwrap_or(0)),
            })
        }
        None | Some(Datum::Json(_)) => default::origin(p.version(), p.session, column).text,
        Some(Datum::Uint(_)) if to.tp == Tp::Bit || from.tp != Tp::Enum => {
            default::origin(p.version(), p.session, column).text
        }
        // Dates, and members of an ENUM, read the same as before.
        Some(_) => old.origin_default.clone(),
    }
}

/// The first name with this prefix that is free.
fn unused(prefix: &str, name: &CiStr, taken: impl Fn(&str) -> bool) -> CiStr {
    let mut n = 0;
    loop {
        let candidate = CiStr::new(format!("{prefix}{}_{n}", name.o));
        if !taken(&candidate.l) {
            return candidate;
        }
        n += 1;
    }
}

impl Changing {
    /// Takes what is hidden to a state.
    pub(super) fn set_state(&self, info: &mut TableInfo, state: SchemaState) {
        let offset = offset_of(info, self.column.id);
        info.columns[offset].state = state;
        let indexes = info.indexes.iter_mut();
        for index in indexes.filter(|i| self.indexes.contains(&i.id)) {
            index.state = state;
        }
    }

    /// The rows that are written again before the next transaction.
    pub(super) fn rows(
        &self,
        p: &mut Planner<'_>,
        db: &DbInfo,
        info: &TableInfo,
        old: i64,
        alone: bool,
    ) {
        p.plan.locked = Some(mariadb::locks_to_copy(db, info));
        let from = &info.columns[offset_of(info, old)];
        let typed_json = cast::is_of_typed_json(&from.field_type);
        p.plan.rewrites.push(RowRewrite {
            before: p.next_step(),
            table: Arc::new(info.clone()),
            from: old,
            into: self.column.id,
            strict: p.session.is_strict(),
            alone,
            zone: p.session.zone.clone(),
            typed_json: typed_json.then(|| mariadb::typed_json(db, info, from)),
        });
    }

    /// Puts what was hidden in place of the old column and its indexes; gives the ids of the indexes that are gone.
    pub(super) fn finish(
        &self,
        info: &mut TableInfo,
        old: i64,
        name: &CiStr,
        position: &Position,
    ) -> Vec<i64> {
        self.set_state(info, SchemaState::Public);
        let last = info.columns.len() - 1;
        let from = offset_of(info, self.column.id);
        move_column(info, from, last);
        let place = offset_of(info, old);
        column::rename_in_ttl(info, &info.columns[place].name.clone(), name);
        let Some(mut column) = info.columns.pop() else {
            return vec![];
        };
        column.offset = place;
        column.name = name.clone();
        column.change_state_info = Some(None);
        // Every row has the column now.
        column.origin_default = None;
        info.columns[place] = column;

        let mut come = vec![];
        info.indexes.retain(|i| {
            let is_new = self.indexes.contains(&i.id);
            come.extend(is_new.then(|| i.clone()));
            !is_new
        });
        let mut gone = vec![];
        let of_old = |i: &&mut IndexInfo| i.columns.iter().any(|part| part.offset == place);
        for (index, mut new) in info.indexes.iter_mut().filter(of_old).zip(come) {
            for part in new.columns.iter_mut().filter(|part| part.offset == last) {
                part.offset = place;
                part.name = name.clone();
            }
            new.name = index.name.clone();
            gone.push(index.id);
            *index = new;
        }
        let target = position.target(info, place);
        move_column(info, place, target);
        gone
    }

    /// Takes what was hidden away again; gives the ids of the indexes among it.
    fn undo(&self, info: &mut TableInfo, old: i64) -> Vec<i64> {
        let at = offset_of(info, old);
        info.columns[at].field_type.flag &= !flag::PREVENT_NULL_INSERT;
        info.columns.retain(|c| c.id != self.column.id);
        info.indexes.retain(|i| !self.indexes.contains(&i.id));
        self.indexes.clone()
    }

    /// The job's arguments (of 8.5), from the first step on.
    pub(super) fn args(&self, mut queued: Tree, indexes: Vec<i64>) -> Tree {
        if let Tree::Object(members) = &mut queued {
            let column = Box::new(self.column.clone());
            members.push(("changing_column", Tree::Column(column)));
            if !indexes.is_empty() {
                let ids = indexes.into_iter().map(Tree::Int).collect();
                members.push(("index_ids", Tree::List(ids)));
            }
        }
        queued
    }
}

/// Changes a column, and writes its rows again.
pub(super) fn modify(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    old: &ColumnInfo,
    column: &ColumnInfo,
    position: &Position,
) {
    let args = column::queued_args(old, column, Some(position));
    let mut queued = p.enqueue(Action::ModifyColumn, &on_table(db, table), args.clone());
    queued.reorg = true;
    queued.job.reorg_meta = by_transactions(index::reorg_meta(p, false));
    p.submit(&mut queued);

    let mut info = table.clone();
    let changing = begin(p, &mut info, old, column);
    queued.job.raw_args = changing.args(args.clone(), vec![]);
    for state in [
        SchemaState::DeleteOnly,
        SchemaState::WriteOnly,
        SchemaState::WriteReorganization,
    ] {
        changing.set_state(&mut info, state);
        let writes = change(p, Action::ModifyColumn, db, &mut info);
        p.running(&mut queued, state, writes);
    }
    queued.job.snapshot_ver = start_of(p.next_step());
    p.running(&mut queued, SchemaState::WriteReorganization, vec![]);

    changing.rows(p, db, &info, old.id, true);
    roll_back(p, db, &info, queued.clone(), &changing, old.id, &args);
    p.count_rows(p.next_step(), p.next_step(), None);
    let gone = changing.finish(&mut info, old.id, &column.name, position);
    queued.job.raw_args = changing.args(args, gone);
    let writes = change(p, Action::ModifyColumn, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info));
    p.done(queued, SchemaState::Public, writes);
}

/// Keeps in the plan how the job ends if a value does not fit.
fn roll_back(
    p: &mut Planner<'_>,
    db: &DbInfo,
    info: &TableInfo,
    mut queued: QueuedJob,
    changing: &Changing,
    old: i64,
    args: &Tree,
) {
    let mut info = info.clone();
    let from = p.next_step();
    let undo = p.aside(|p| {
        queued.job.state = JobState::Rollingback;
        queued.job.err_count = 1;
        p.step(&queued, vec![]);
        let gone = changing.undo(&mut info, old);
        queued.job.raw_args = changing.args(args.clone(), gone);
        let writes = change(p, Action::ModifyColumn, db, &mut info);
        queued.job.binlog.table_info = Some(Box::new(info));
        p.rolled_back(queued, writes);
    });
    p.plan.undo = Some(Undo { from, steps: undo });
}
