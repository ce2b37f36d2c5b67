//! CREATE VIEW and DROP VIEW.
//!
//! MariaDB gets a view of the same text, with its stars written out and its tables' databases named, and reads through it.

use super::super::build::statement::{TableName, View};
use super::super::build::{name::check_object, view::Resolver};
use super::super::model::{
    Action, CiStr, ColumnInfo, Definer, SchemaState, TableInfo, Tree, ViewInfo,
};
use super::super::plan::{Write, start_of};
use super::super::{DdlError, TidbVersion, mariadb};
use super::planner::{Planner, on_table};
use super::{drop as drop_objects, names, sql_error};
use tidb_sql::Release;
use tidb_sql::ast::User;
use tidb_sql::restore::restore_query;

/// `CREATE [OR REPLACE] VIEW`.
pub(super) fn create(p: &mut Planner<'_>, view: &View) -> Result<(), DdlError> {
    let db = names::database(p, &view.name)?;
    check_object(p.query, "table", &view.name.table)?;
    let database = p.session.database.as_deref();
    let mut query = view.query.clone();
    let found = Resolver::new(p.catalog, database, p.query).query(&mut query)?;
    let columns = match &view.columns {
        listed if listed.is_empty() => found,
        listed if listed.len() != found.len() => {
            return Err(sql_error::refused(
                1353,
                "View's SELECT and view's field list have different column counts",
            ));
        }
        listed => listed.clone(),
    };
    for (n, name) in columns.iter().enumerate() {
        if columns[..n].iter().any(|c| c.eq_ignore_ascii_case(name)) {
            return Err(sql_error::duplicate_column(name));
        }
    }
    let old = match db.table(&view.name.table) {
        None => None,
        Some(_) if !view.or_replace => {
            return Err(sql_error::table_exists(&db.info.name.o, &view.name.table));
        }
        Some(old) if old.view.is_none() => {
            return Err(sql_error::wrong_object(
                &db.info.name.o,
                &view.name.table,
                "VIEW",
            ));
        }
        Some(old) => Some(old.id),
    };
    let select = restore_query(&query, release(p), database.unwrap_or_default());
    let info = description(p, view, &columns, select.clone());
    p.plan
        .mariadb
        .push(in_mariadb(&db.info.name.o, view, &columns, &select));
    queue(p, &db.info, info, view.or_replace, old);
    Ok(())
}

fn release(p: &Planner<'_>) -> Release {
    match p.version() {
        TidbVersion::V4_0 => Release::V4_0,
        TidbVersion::V8_5 => Release::V8_5,
    }
}

fn description(p: &mut Planner<'_>, view: &View, columns: &[String], select: String) -> TableInfo {
    let version = p.version();
    let mut info = TableInfo::new(
        version,
        p.new_id(),
        CiStr::new(&view.name.table),
        "utf8mb4".to_owned(),
        "utf8mb4_bin".to_owned(),
    );
    info.columns = columns
        .iter()
        .enumerate()
        .map(|(offset, name)| ColumnInfo {
            id: offset as i64 + 1,
            offset,
            state: SchemaState::Public,
            ..ColumnInfo::only_named(version, CiStr::new(name))
        })
        .collect();
    info.max_col_id = columns.len() as i64;
    let named = |user: &User| match user {
        User::Current => (String::new(), String::new()),
        User::Named { name, host } => (name.clone(), host.clone()),
    };
    let (username, hostname) = named(&view.definer);
    info.view = Some(ViewInfo {
        algorithm: match view.algorithm {
            "MERGE" => 1,
            "TEMPTABLE" => 2,
            _ => 0,
        },
        definer: Definer {
            username,
            hostname,
            current_user: view.definer == User::Current,
            auth_username: String::new(),
            auth_hostname: String::new(),
            auth_plugin: p.modern().then(String::new),
        },
        security: u8::from(view.invoker),
        select,
        check_option: u8::from(!view.local_check),
        columns: None,
    });
    info
}

/// The same view in MariaDB. Nothing is written through views, so there is nothing to check.
fn in_mariadb(database: &str, view: &View, columns: &[String], select: &str) -> String {
    let definer = match &view.definer {
        User::Current => "CURRENT_USER".to_owned(),
        User::Named { name, host } => {
            format!("{}@{}", mariadb::quoted(name), mariadb::quoted(host))
        }
    };
    let security = if view.invoker { "INVOKER" } else { "DEFINER" };
    let columns: Vec<String> = columns.iter().map(|name| mariadb::quoted(name)).collect();
    format!(
        "CREATE {}ALGORITHM={} DEFINER={definer} SQL SECURITY {security} VIEW {}.{} ({}) AS {select}",
        if view.or_replace { "OR REPLACE " } else { "" },
        view.algorithm,
        mariadb::quoted(database),
        mariadb::quoted(&view.name.table),
        columns.join(", ")
    )
}

fn queue(
    p: &mut Planner<'_>,
    db: &super::super::model::DbInfo,
    mut info: TableInfo,
    or_replace: bool,
    old: Option<i64>,
) {
    let fk_check = p.session.foreign_key_checks;
    let args = |modern: bool, info: &TableInfo| {
        let table = Tree::Table(Box::new(info.clone()));
        if !modern {
            return Tree::List(vec![table, or_replace.into(), old.unwrap_or(0).into()]);
        }
        let members = [
            Some(("table_info", table)),
            or_replace.then_some(("on_exist_replace", true.into())),
            old.map(|id| ("old_view_tbl_id", id.into())),
            fk_check.then_some(("fk_check", true.into())),
        ];
        Tree::Object(members.into_iter().flatten().collect())
    };
    let queued_args = args(p.modern(), &info);
    let mut queued = p.enqueue(Action::CreateView, &on_table(db, &info), queued_args);
    p.submit(&mut queued);
    info.state = SchemaState::Public;
    info.update_timestamp = start_of(p.next_step());
    queued.job.raw_args = args(p.modern(), &info);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    let mut diff = p.diff(Action::CreateView, db.id, info.id);
    diff.old_table_id = old.unwrap_or(0);
    let mut writes: Vec<Write> = old
        .map(|id| Write::DeleteTable(db.id, id))
        .into_iter()
        .collect();
    writes.push(Write::PutTable(db.id, Box::new(info)));
    writes.push(Write::Diff(Box::new(diff)));
    p.done(queued, SchemaState::Public, writes);
}

/// `DROP VIEW`.
pub(super) fn drop(
    p: &mut Planner<'_>,
    views: &[TableName],
    if_exists: bool,
) -> Result<(), DdlError> {
    for name in views {
        let found = names::table(p, name).ok();
        if let Some((db, info)) = found.filter(|(_, info)| info.view.is_none()) {
            return Err(sql_error::wrong_object(
                &db.info.name.o,
                &info.name.o,
                "VIEW",
            ));
        }
    }
    drop_objects::several(p, views, if_exists, Action::DropView)
}
