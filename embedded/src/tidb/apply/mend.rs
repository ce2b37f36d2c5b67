//! Tables that MariaDB was killed at work on.
//!
//! Its changes of partitioned tables and its TRUNCATE are no atomic ones: what was done of them may be there though the binlog
//! does not tell of it, and a table may be there that cannot be opened, whatever the binlog tells. TiKV has what the binlog tells,
//! and so such a table is made anew from there.

use std::path::Path;
use std::sync::Arc;

use tidb_sql::SqlMode;
use tidb_sql::lexer::{Token, tokens};

use super::{ApplyError, orphans, restore};
use crate::client::Client;
use crate::tidb::catalog::mariadb::{DROP_RESTORED, full_name, put_in_place, restoring};
use crate::tidb::catalog::model::{DbInfo, TableInfo, lower_case};
use crate::tidb::catalog::{Catalog, Restored, auto_ids};
use crate::tidb::wire::{Backend, WireError};

/// Makes the tables anew that a statement may have left half-way. Of one that the binlog, applied up to its end, does not tell of
/// these are all; of one that it tells of (`told`) those that cannot be read.
pub async fn mend(
    client: &Client,
    socket: &Path,
    catalog: &Catalog,
    sql: &str,
    told: bool,
) -> Result<(), ApplyError> {
    for (db, table) in touched(catalog, sql) {
        let name = full_name(db, &table.name.o);
        let readable = can_be_read(socket, &name).await?;
        if told && readable {
            continue;
        }
        let snapshot = client.snapshot(client.tso().await?);
        let counters = restore::counters(&snapshot, db.id, table.id).await?;
        let made = counters.behind(table);
        let aside = restoring(sql, db, &made).map_err(|error| ApplyError::Restore {
            table: table.name.o.clone(),
            why: error.to_string(),
        })?;
        // Its triggers a start gives it anyway.
        let (sequence, _) = auto_ids::of_new_table(db, &made);
        let mut prepare = vec![DROP_RESTORED.to_owned()];
        prepare.extend(sequence);
        prepare.push(aside);
        let restored = Restored {
            table: Arc::clone(table),
            prepare,
        };
        match restore::make(client, socket, &restored).await {
            Ok(()) => {}
            Err(error @ ApplyError::Restore { .. }) if readable => {
                // Most likely nothing has happened to it; whether so, `embedded verify` tells.
                tracing::warn!(%error, "a table that a statement was broken off on is left as it is");
                restore::clear(socket).await?;
                continue;
            }
            Err(error) => return Err(error),
        }
        Backend::run_unlogged(socket, &[format!("DROP TABLE IF EXISTS {name}")]).await?;
        orphans::remove(socket, &db.name.o, &table.name.o).await?;
        Backend::run_unlogged(socket, &[put_in_place(db, &table.name.o)]).await?;
        tracing::info!(
            database = db.name.o,
            table = table.name.o,
            "made anew from TiKV: a statement was broken off half-way"
        );
    }
    Ok(())
}

async fn can_be_read(socket: &Path, table: &str) -> Result<bool, WireError> {
    let mut own = Backend::connect(socket).await?;
    match own.rows(&format!("SELECT 1 FROM {table} LIMIT 1")).await {
        Ok(_) => Ok(true),
        Err(WireError::Server { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The tables that a statement names, if MariaDB does not change them as a whole. Those with foreign keys, which are in one
/// piece, are left as they are.
fn touched<'a>(catalog: &'a Catalog, sql: &str) -> Vec<(&'a DbInfo, &'a Arc<TableInfo>)> {
    let Ok(tokens) = tokens(sql, SqlMode::default()) else {
        return vec![];
    };
    let words: Vec<&Token<'_>> = tokens.iter().filter(|t| !t.kind.is_trivia()).collect();
    let is_named = |table: &TableInfo| {
        let mut names = words.iter().map(|t| lower_case(t.text.trim_matches('`')));
        table.is_base_table() && names.any(|name| name == table.name.l)
    };
    let named: Vec<_> = catalog
        .databases()
        .flat_map(|db| db.tables().map(move |table| (&db.info, table)))
        .filter(|(_, table)| is_named(table))
        .collect();
    let truncates = words.first().is_some_and(|word| word.is_word("TRUNCATE"));
    if !truncates && !named.iter().any(|(_, table)| table.partitions().is_some()) {
        return vec![];
    }
    let refers = |to: &TableInfo| {
        let all = catalog.databases().flat_map(|db| db.tables());
        let mut keys = all.flat_map(|table| table.fk_info.iter().flatten());
        keys.any(|key| key.ref_table.l == to.name.l)
    };
    let free =
        |table: &TableInfo| table.fk_info.iter().flatten().next().is_none() && !refers(table);
    let free = named.into_iter().filter(|(_, table)| free(table));
    free.collect()
}
