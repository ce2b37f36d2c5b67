//! Changes of a table's own options: its character set, where its ids go on.

use super::super::auto_ids::Counter;
use super::super::build::statement::{CharsetClause, Ignored, TtlOptions};
use super::super::build::ttl;
use super::super::model::{Action, CiStr, DbInfo, TableInfo, Tree, flag};
use super::super::plan::Write;
use super::super::{DdlError, charset, mariadb};
use super::change::{Edit, Op};
use super::planner::Planner;
use super::{index, modify, sql_error};

pub(super) fn table_charset(
    p: &mut Planner<'_>,
    table: &TableInfo,
    clause: &CharsetClause,
    convert: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let inherited = (table.charset.as_str(), table.collate.as_str());
    let (cs, co) = charset::resolve(
        p.version(),
        clause.charset.as_deref(),
        clause.collate.as_deref(),
        inherited,
    )?;
    let mut clauses = vec![];
    if convert {
        for column in &table.columns {
            let ft = &column.field_type;
            if ft.charset == "binary" || ft.charset == cs && ft.collate == co {
                continue;
            }
            modify::check_charset_change(&ft.charset, &cs)?;
            if table
                .indexes
                .iter()
                .any(|i| i.columns.iter().any(|c| c.offset == column.offset))
                && p.modern()
            {
                return Err(p.unsupported(format!(
                    "another collation of the indexed column {:?}",
                    column.name.o
                )));
            }
            let mut column = column.clone();
            let ft = &mut column.field_type;
            (ft.charset, ft.collate) = (cs.clone(), co.clone());
            clauses.push(format!(
                "MODIFY COLUMN {}",
                mariadb::column(p.query, table, &column)?
            ));
        }
    }
    modify::check_charset_change(&table.charset, &cs)?;
    if table.charset == cs && table.collate == co && clauses.is_empty() {
        return Ok(None);
    }
    let args = if p.modern() {
        let mut members = vec![
            ("to_charset", cs.as_str().into()),
            ("to_collate", co.as_str().into()),
        ];
        members.extend(convert.then_some(("needs_overwrite_cols", true.into())));
        Tree::Object(members)
    } else {
        Tree::List(vec![cs.as_str().into(), co.as_str().into(), convert.into()])
    };
    let edit = Edit::Charset {
        charset: cs,
        collate: co,
        convert,
    };
    let clause = (!clauses.is_empty()).then(|| clauses.join(", "));
    Ok(Some((
        Op::at_once(Action::ModifyTableCharset, args, edit),
        clause,
    )))
}

pub(super) fn auto_increment(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    base: u64,
    force: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let asked = i64::try_from(base).map_err(|_| {
        sql_error::refused(
            1467,
            "Failed to read auto-increment value from storage engine",
        )
    })?;
    let counter = Counter::AutoIncrement;
    let end = p
        .catalog
        .table_by_id(table.id)
        .map_or(0, |(db, table)| db.counter(table, counter));
    let mut next = end.saturating_add(1);
    if table.has_separate_counters() && table.auto_increment_column().is_some() {
        // The service behind AUTO_ID_CACHE=1 knows which values were handed out.
        match p.session.next_auto_increment {
            Some(told) => next = told,
            None => {
                let names = (db.name.o.clone(), table.name.o.clone());
                p.plan.asks_next_auto_increment = Some(names);
            }
        }
    }
    // Values that a server has taken may be in use.
    let base = if force { asked } else { asked.max(next) };
    if base != asked && p.modern() {
        let message = format!(
            "Can't reset AUTO_INCREMENT to {asked} without FORCE option, using {base} instead"
        );
        p.warn("Warning", sql_error::refused(1105, message))?;
    }
    let args = if p.modern() {
        let mut members = vec![("new_base", base.into())];
        members.extend(force.then_some(("force", true.into())));
        Tree::Object(members)
    } else {
        Tree::List(vec![base.into()])
    };
    let counted = table.has_row_id() || table.auto_increment_column().is_some();
    if counted && (force || base > end.saturating_add(1)) {
        let field = table.counter_field(counter);
        p.also
            .push(Write::PutMember(db.id, field, (base - 1).to_string()));
    }
    let clause = table
        .columns
        .iter()
        .any(|c| c.field_type.has(flag::AUTO_INCREMENT))
        .then(|| format!("AUTO_INCREMENT = {base}"));
    let op = Op::at_once(Action::RebaseAutoId, args, Edit::AutoIncrement(base));
    Ok(Some((op, clause)))
}

pub(super) fn visibility(
    p: &Planner<'_>,
    table: &TableInfo,
    name: &str,
    invisible: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    if !p.modern() {
        // 4.0 reads it and does nothing.
        return Ok(None);
    }
    let Some(found) = table.index(name) else {
        return Err(sql_error::key_does_not_exist(name, &table.name.o));
    };
    if found.is_primary && invisible {
        return Err(sql_error::refused(
            3522,
            "A primary key index cannot be invisible",
        ));
    }
    if found.is_invisible == invisible {
        return Ok(None);
    }
    // To MariaDB all are the same: what an index is for is found by TiDB's own optimizer.
    Ok(Some((
        index::visibility(&CiStr::new(name), invisible),
        None,
    )))
}

pub(super) fn shard_row_id_bits(
    p: &Planner<'_>,
    table: &TableInfo,
    bits: u64,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    if bits > 0 && !table.has_row_id() {
        return Err(sql_error::refused(
            8200,
            "Unsupported shard_row_id_bits for table with primary key as row id",
        ));
    }
    Err(p.unsupported("SHARD_ROW_ID_BITS"))
}

/// TTL and its options (8.5).
pub(super) fn ttl(
    p: &mut Planner<'_>,
    table: &TableInfo,
    options: &TtlOptions,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    if p.modern() && table.temp_table_type.is_some_and(|kind| kind > 0) {
        return Err(sql_error::refused(
            8151,
            "Set TTL for temporary table is not allowed",
        ));
    }
    let Some(new) = ttl::ttl(table, options)? else {
        return Ok(None);
    };
    let text = |text: &str| Tree::Text(text.to_owned());
    let args = Tree::Object(vec![
        (
            "ttl_info",
            Tree::Object(vec![
                ("column", Tree::name(&new.column)),
                ("interval_expr", text(&new.interval_expr)),
                (
                    "interval_time_unit",
                    i64::from(new.interval_time_unit).into(),
                ),
                ("enable", new.enable.into()),
                ("job_interval", text(&new.job_interval)),
            ]),
        ),
        ("ttl_enable", options.enable.map_or(Tree::Null, Tree::Bool)),
        (
            "ttl_cron_job_schedule",
            options.job_interval.as_deref().map_or(Tree::Null, text),
        ),
    ]);
    let edit = Edit::Ttl(Some(new));
    Ok(Some((Op::at_once(Action::AlterTtlInfo, args, edit), None)))
}

/// REMOVE TTL (8.5).
pub(super) fn remove_ttl(table: &TableInfo) -> Option<(Op, Option<String>)> {
    table.ttl_info.iter().flatten().next()?;
    let op = Op::at_once(Action::AlterTtlRemove, Tree::Null, Edit::Ttl(None));
    Some((op, None))
}

/// The warning about what TiDB reads and does not make.
pub(super) fn ignored(
    p: &mut Planner<'_>,
    table: &TableInfo,
    what: Ignored,
) -> Result<(), DdlError> {
    let (code, text) = match what {
        Ignored::Check if p.modern() => (1105, "tidb_enable_check_constraint is off".to_owned()),
        // The parser's own warning there, under the code of its errors.
        Ignored::Check => (
            1064,
            "The CHECK clause is parsed but ignored by all storage engines.".to_owned(),
        ),
        Ignored::FullText => (
            1214,
            "The used table type doesn't support FULLTEXT indexes".to_owned(),
        ),
        Ignored::OrderBy if table.has_row_id() => return Ok(()),
        Ignored::OrderBy => (
            1105,
            format!(
                "ORDER BY ignored as there is a user-defined clustered index in the table '{}'",
                table.name.o
            ),
        ),
    };
    p.warn("Warning", sql_error::refused(code, text))
}
