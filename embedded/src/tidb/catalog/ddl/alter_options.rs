//! Changes of a table's own options: its character set, where its ids go on.

use super::super::auto_ids::Counter;
use super::super::build::statement::CharsetClause;
use super::super::model::{Action, DbInfo, SchemaState, TableInfo, Tree, flag};
use super::super::plan::Write;
use super::super::{DdlError, charset, mariadb};
use super::column::at_once;
use super::planner::Planner;
use super::{modify, sql_error};

pub(super) fn table_charset(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    clause: &CharsetClause,
    convert: bool,
) -> Result<Option<(TableInfo, Option<String>)>, DdlError> {
    let inherited = (table.charset.as_str(), table.collate.as_str());
    let (cs, co) = charset::resolve(
        p.version(),
        clause.charset.as_deref(),
        clause.collate.as_deref(),
        inherited,
    )?;
    let mut info = table.clone();
    let mut clauses = vec![];
    if convert {
        for column in &mut info.columns {
            let ft = &mut column.field_type;
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
            (ft.charset, ft.collate) = (cs.clone(), co.clone());
            clauses.push(format!(
                "MODIFY COLUMN {}",
                mariadb::column(p.query, p.version(), column)?
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
    (info.charset, info.collate) = (cs, co);
    let info = at_once(p, Action::ModifyTableCharset, db, info, args.clone(), args);
    let clause = (!clauses.is_empty()).then(|| clauses.join(", "));
    Ok(Some((info, clause)))
}

pub(super) fn auto_increment(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    base: u64,
    force: bool,
) -> Result<Option<(TableInfo, Option<String>)>, DdlError> {
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
    // Values that a server has taken may be in use.
    let base = if force {
        asked
    } else {
        asked.max(end.saturating_add(1))
    };
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
    if force || base > end.saturating_add(1) {
        let field = table.counter_field(counter);
        p.also
            .push(Write::PutMember(db.id, field, (base - 1).to_string()));
    }
    let info = TableInfo {
        auto_inc_id: base,
        state: SchemaState::Public,
        ..table.clone()
    };
    let info = at_once(p, Action::RebaseAutoId, db, info, args.clone(), args);
    let clause = table
        .columns
        .iter()
        .any(|c| c.field_type.has(flag::AUTO_INCREMENT))
        .then(|| format!("AUTO_INCREMENT = {base}"));
    Ok(Some((info, clause)))
}
