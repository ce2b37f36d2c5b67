//! Sequences. MariaDB has its own of the same name, and its values are counted there; the applier writes to TiKV up to which
//! value they were taken.

use super::super::build::name::check_object;
use super::super::build::statement::TableName;
use super::super::model::{Action, CiStr, SchemaState, SequenceInfo, TableInfo, Tree};
use super::super::plan::Write;
use super::super::{DdlError, mariadb, meta};
use super::planner::{Planner, on_table};
use super::{column, drop as drop_objects, names, sql_error};
use tidb_sql::ast::SequenceOption;

/// Of ascending sequences; descending ones have the same with the other sign.
const MOST: i64 = i64::MAX - 1;
const LEAST: i64 = 1;
const CACHE: i64 = 1000;

/// `CREATE SEQUENCE`.
pub(super) fn create(
    p: &mut Planner<'_>,
    name: &TableName,
    if_not_exists: bool,
    options: &[SequenceOption],
    comment: &str,
) -> Result<(), DdlError> {
    let db = names::database(p, name)?;
    check_object(p.query, "table", &name.table)?;
    if db.table(&name.table).is_some() {
        let error = sql_error::table_exists(&db.info.name.o, &name.table);
        return if if_not_exists {
            p.note(error)
        } else {
            Err(error)
        };
    }
    let sequence = described(options, comment);
    check(&sequence, &db.info.name.o, &name.table)?;
    let mut info = TableInfo::new(
        p.version(),
        p.new_id(),
        CiStr::new(&name.table),
        String::new(),
        String::new(),
    );
    info.sequence = Some(sequence.clone());
    p.plan.mariadb.push(format!(
        "CREATE SEQUENCE {} START WITH {} {} ENGINE=InnoDB",
        mariadb::full_name(&db.info, &name.table),
        sequence.start,
        clauses(&sequence)
    ));
    let fk_check = p.session.foreign_key_checks;
    let modern = p.modern();
    let args = |info: &TableInfo| {
        let table = Tree::Table(Box::new(info.clone()));
        match modern {
            true => Tree::Object(
                [
                    Some(("table_info", table)),
                    fk_check.then_some(("fk_check", true.into())),
                ]
                .into_iter()
                .flatten()
                .collect(),
            ),
            false => Tree::List(vec![table]),
        }
    };
    let queued_args = args(&info);
    let mut queued = p.enqueue(
        Action::CreateSequence,
        &on_table(&db.info, &info),
        queued_args,
    );
    p.submit(&mut queued);
    info.state = SchemaState::Public;
    info.update_timestamp = super::super::plan::start_of(p.next_step());
    queued.job.raw_args = args(&info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    let diff = p.diff(Action::CreateSequence, db.info.id, info.id);
    let writes = vec![
        Write::PutMember(
            db.info.id,
            meta::sequence_field(info.id),
            before_first(&sequence).to_string(),
        ),
        Write::PutTable(db.info.id, Box::new(info)),
        Write::Diff(Box::new(diff)),
    ];
    p.done(queued, SchemaState::Public, writes);
    Ok(())
}

/// What is kept until the first value is taken.
fn before_first(sequence: &SequenceInfo) -> i64 {
    match sequence.increment > 0 {
        true => sequence.start.saturating_sub(1),
        false => sequence.start.saturating_add(1),
    }
}

fn described(options: &[SequenceOption], comment: &str) -> SequenceInfo {
    let mut out = SequenceInfo {
        start: 0,
        cache: true,
        cycle: false,
        min_value: LEAST,
        max_value: MOST,
        increment: 1,
        cache_value: CACHE,
        comment: comment.to_owned(),
    };
    let increment = options.iter().rev().find_map(|option| match option {
        SequenceOption::Increment(n) => Some(*n),
        _ => None,
    });
    if increment.is_some_and(|n| n < 0) {
        (out.min_value, out.max_value) = (-i64::MAX, -LEAST);
    }
    let given = applied(&mut out, options);
    if !given {
        out.start = match out.increment < 0 {
            true => out.max_value,
            false => out.min_value,
        };
    }
    out
}

/// Takes over the options; whether START is one of them.
fn applied(out: &mut SequenceInfo, options: &[SequenceOption]) -> bool {
    let mut started = false;
    for option in options {
        match *option {
            SequenceOption::Increment(n) => out.increment = n,
            SequenceOption::Start(n) => {
                out.start = n;
                started = true;
            }
            SequenceOption::MinValue(n) => out.min_value = n,
            SequenceOption::MaxValue(n) => out.max_value = n,
            SequenceOption::NoMinValue => {
                out.min_value = if out.increment < 0 { -i64::MAX } else { LEAST };
            }
            SequenceOption::NoMaxValue => {
                out.max_value = if out.increment < 0 { -LEAST } else { MOST };
            }
            SequenceOption::Cache(n) => {
                out.cache = n > 0;
                out.cache_value = n;
            }
            SequenceOption::NoCache => {
                out.cache = false;
                out.cache_value = 0;
            }
            SequenceOption::Cycle => out.cycle = true,
            SequenceOption::NoCycle => out.cycle = false,
            SequenceOption::Restart | SequenceOption::RestartWith(_) => {}
        }
    }
    started
}

fn check(sequence: &SequenceInfo, db: &str, name: &str) -> Result<(), DdlError> {
    let fits = sequence.min_value < sequence.max_value
        && (sequence.min_value..=sequence.max_value).contains(&sequence.start)
        && sequence.increment != 0
        && sequence.max_value != i64::MAX
        && sequence.min_value != i64::MIN
        && sequence.cache_value >= 0
        && (!sequence.cache
            || sequence.cache_value
                < (i64::MAX - sequence.increment.saturating_abs())
                    / sequence.increment.saturating_abs());
    match fits {
        true => Ok(()),
        false => Err(sql_error::refused(
            4136,
            format!("Sequence '{db}.{name}' values are conflicting"),
        )),
    }
}

/// What both CREATE and ALTER say in MariaDB.
fn clauses(sequence: &SequenceInfo) -> String {
    format!(
        "MINVALUE {} MAXVALUE {} INCREMENT BY {} CACHE {} {}",
        sequence.min_value,
        sequence.max_value,
        sequence.increment,
        if sequence.cache {
            sequence.cache_value
        } else {
            1
        },
        if sequence.cycle { "CYCLE" } else { "NOCYCLE" }
    )
}

/// `ALTER SEQUENCE` (8.5).
pub(super) fn alter(
    p: &mut Planner<'_>,
    name: &TableName,
    if_exists: bool,
    options: &[SequenceOption],
) -> Result<(), DdlError> {
    let (db, table) = match names::table(p, name) {
        Ok(found) => found,
        Err(error) if if_exists => return p.note(error),
        Err(error) => return Err(error),
    };
    let Some(old) = &table.sequence else {
        return Err(sql_error::wrong_object(
            &db.info.name.o,
            &table.name.o,
            "SEQUENCE",
        ));
    };
    let mut sequence = old.clone();
    applied(&mut sequence, options);
    check(&sequence, &db.info.name.o, &table.name.o)?;
    let restart = options.iter().rev().find_map(|option| match option {
        SequenceOption::Restart => Some(sequence.start),
        SequenceOption::RestartWith(n) => Some(*n),
        _ => None,
    });
    let restarted = restart.map_or_else(String::new, |n| format!(" RESTART WITH {n}"));
    p.plan.mariadb.push(format!(
        "ALTER SEQUENCE {} START WITH {} {}{restarted}",
        mariadb::full_name(&db.info, &table.name.o),
        sequence.start,
        clauses(&sequence)
    ));
    let args = Tree::Object(vec![
        (
            "ident",
            Tree::Object(vec![
                ("Schema", Tree::name(&db.info.name)),
                ("Name", Tree::name(&table.name)),
            ]),
        ),
        (
            "seq_options",
            Tree::List(options.iter().map(|option| tree(*option)).collect()),
        ),
    ]);
    let mut info = (**table).clone();
    info.sequence = Some(sequence.clone());
    if let Some(n) = restart {
        let base = SequenceInfo {
            start: n,
            ..sequence
        };
        p.also.push(Write::PutMember(
            db.info.id,
            meta::sequence_field(info.id),
            before_first(&base).to_string(),
        ));
    }
    column::at_once(p, Action::AlterSequence, &db.info, info, args.clone(), args);
    Ok(())
}

/// An option as a job has it: TiDB's number for it, and its value.
fn tree(option: SequenceOption) -> Tree {
    let (kind, value) = match option {
        SequenceOption::Increment(n) => (1, n),
        SequenceOption::Start(n) => (2, n),
        SequenceOption::NoMinValue => (3, 0),
        SequenceOption::MinValue(n) => (4, n),
        SequenceOption::NoMaxValue => (5, 0),
        SequenceOption::MaxValue(n) => (6, n),
        SequenceOption::NoCache => (7, 0),
        SequenceOption::Cache(n) => (8, n),
        SequenceOption::NoCycle => (9, 0),
        SequenceOption::Cycle => (10, 0),
        SequenceOption::Restart => (11, 0),
        SequenceOption::RestartWith(n) => (12, n),
    };
    Tree::Object(vec![("Tp", Tree::Int(kind)), ("IntValue", value.into())])
}

/// `DROP SEQUENCE`.
pub(super) fn drop(
    p: &mut Planner<'_>,
    sequences: &[TableName],
    if_exists: bool,
) -> Result<(), DdlError> {
    for name in sequences {
        let found = names::table(p, name).ok();
        if let Some((db, info)) = found.filter(|(_, info)| info.sequence.is_none()) {
            return Err(sql_error::wrong_object(
                &db.info.name.o,
                &info.name.o,
                "SEQUENCE",
            ));
        }
    }
    drop_objects::several(p, sequences, if_exists, Action::DropSequence)
}
