//! From nothing, or from what an earlier run left, to a running server.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::apply::mend::mend;
use super::apply::record::{Applied, Intent};
use super::apply::writer::Writer;
use super::apply::{Applier, ApplyError, ApplyHandle, Gtid, restore};
use super::catalog::{Catalog, Mutation, Plan, TidbVersion, bootstrap};
use super::catalog::{auto_ids, mariadb};
use super::identity::{Found, Sides};
use super::mariadb::datadir::Layout;
use super::wire::{Backend, WireError};
use super::{Args, Error, planning};
use crate::client::{Change, Client, Snapshot};

/// How long bringing TiKV up to MariaDB may take at the start.
const CATCH_UP: Duration = Duration::from_secs(300);

/// Constant defaults of TIMESTAMP are in UTC in a plan.
const UTC: &str = "+00:00";

/// Whatever begins with `m` is schema.
const SCHEMA: (&[u8], &[u8]) = (b"m", b"n");

/// A fresh MariaDB has accounts without a name, which anybody is let in as.
const NO_ANONYMOUS: [&str; 2] = [
    "DELETE FROM mysql.global_priv WHERE user = ''",
    "FLUSH PRIVILEGES",
];

/// The applier, running, with everything MariaDB has in TiKV.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) handle: ApplyHandle,
    pub(super) applier: tokio::task::JoinHandle<Result<(), ApplyError>>,
}

/// Finds out what there is, makes it if there is nothing, and brings TiKV up to MariaDB.
pub(super) async fn recover(
    args: &Args,
    layout: &Layout,
    version: TidbVersion,
    client: &Client,
    stop: CancellationToken,
) -> Result<Recovered, Error> {
    // What an interrupted run was writing is settled first: then everything read here is final, and no lock holds up the
    // resolved-ts of a change feed.
    let ended = client.end_transactions(Applied::is_key).await?;
    if ended > 0 {
        tracing::info!(
            transactions = ended,
            "an earlier run left locks: they are ended"
        );
    }
    let snapshot = client.snapshot(client.tso().await?);
    let mut own = Backend::connect(&layout.socket).await?;
    Backend::run_unlogged(&layout.socket, &NO_ANONYMOUS.map(str::to_owned)).await?;
    let binlog = binlog_end(&mut own).await?;
    let found = Sides {
        dir: &args.data_dir,
        cluster_id: client.cluster_id(),
        version,
        applied: Applied::load(&snapshot).await?,
        has_schema: has_schema(&snapshot).await?,
        binlog,
    }
    .settle()?;
    let (identity, applied) = match found {
        Found::Known(identity, applied) => (identity, applied.gtid()?),
        Found::Fresh(identity) => {
            tracing::info!(cluster_id = client.cluster_id(), %version, "a new cluster");
            fill_mariadb(&mut own).await?;
            fill_tikv(client, &identity.identity, version).await?;
            (identity, Gtid(0))
        }
    };
    if binlog < applied {
        return Err(ApplyError::Behind { applied, binlog }.into());
    }

    let snapshot = client.snapshot(client.tso().await?);
    let catalog = load_catalog(&snapshot, version).await?;
    let pending = match Intent::load(&snapshot).await? {
        None => None,
        Some(intent) => {
            tracing::info!(sql = intent.sql, "a DDL statement was interrupted");
            let plan = replan(client, version, &intent).await?;
            Some((intent, plan))
        }
    };
    let interrupted = pending
        .as_ref()
        .map(|(intent, plan)| (intent.clone(), plan.clone()));
    let writer = Writer::new(client.clone(), identity.identity, applied);
    let (applier, handle) = Applier::new(&layout.socket, writer, catalog, pending);
    let mut applier = tokio::spawn(applier.run(stop));
    let settled = async {
        catch_up(&handle, binlog).await?;
        if let Some((intent, plan)) = interrupted {
            let seen = handle.seen().await?;
            if seen.is_none_or(|seen| seen == 0) {
                // Before the intent goes: should this be broken off too, the next start does it again.
                let (catalog, told) = (handle.catalog(), seen.is_none());
                mend(client, &layout.socket, &catalog, &intent.sql, told).await?;
            }
            settle(&handle, &layout.socket, &mut own, &intent, &plan).await?;
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        settled = settled => match settled {
            // The applier's own error tells why.
            Err(Error::Ended(_)) => return Err(applier_ended(applier.await)),
            settled => settled?,
        },
        ended = &mut applier => return Err(applier_ended(ended)),
    }
    give_triggers(&handle, &layout.socket, &mut own).await?;
    restore::clear(&layout.socket).await?;
    take_row_ids_back(&handle, &layout.socket, &mut own).await?;
    own.execute("PURGE BINARY LOGS BEFORE NOW()").await?;
    Ok(Recovered { handle, applier })
}

/// Why the applier ended, which it does not do by itself.
pub(super) fn applier_ended(
    ended: Result<Result<(), ApplyError>, tokio::task::JoinError>,
) -> Error {
    match ended {
        Ok(Ok(())) => Error::ApplierEnded {
            why: "it was told to".to_owned(),
        },
        Ok(Err(error)) => error.into(),
        Err(panic) => Error::ApplierEnded {
            why: panic.to_string(),
        },
    }
}

async fn catch_up(handle: &ApplyHandle, binlog: Gtid) -> Result<(), Error> {
    match tokio::time::timeout(CATCH_UP, handle.wait(binlog)).await {
        Ok(waited) => Ok(waited?),
        Err(_) => Err(Error::CatchUp {
            applied: handle.gtid(),
            binlog,
            waited: CATCH_UP,
        }),
    }
}

/// Ends a DDL statement whose intent was left: the binlog, which is applied up to its end, has told whether MariaDB ran
/// it.
async fn settle(
    handle: &ApplyHandle,
    socket: &Path,
    own: &mut Backend,
    intent: &Intent,
    plan: &Plan,
) -> Result<(), Error> {
    use super::apply::handle::Abandoned;
    let end = binlog_end(own).await?;
    match handle.abandon(end).await? {
        Abandoned::Dropped => {
            tracing::info!(sql = intent.sql, "MariaDB had not run it: it is dropped");
            Ok(())
        }
        Abandoned::Done => {
            Backend::run_unlogged(socket, &plan.after).await?;
            tracing::info!(sql = intent.sql, "MariaDB had run it: it is completed");
            Ok(())
        }
        Abandoned::Partly { seen } => {
            for statement in plan.mariadb.iter().skip(seen) {
                own.execute(&mariadb::planned(statement, false, Some(UTC)))
                    .await?;
            }
            let end = binlog_end(own).await?;
            catch_up(handle, end).await?;
            Backend::run_unlogged(socket, &plan.after).await?;
            tracing::info!(
                sql = intent.sql,
                "MariaDB had run a part of it: it is completed"
            );
            Ok(())
        }
    }
}

/// Makes the triggers of AUTO_RANDOM tables that a crash just after CREATE TABLE or within TRUNCATE left without.
async fn give_triggers(
    handle: &ApplyHandle,
    socket: &Path,
    own: &mut Backend,
) -> Result<(), Error> {
    let catalog = handle.catalog();
    for db in catalog.databases() {
        for table in db.tables().filter(|t| t.auto_random_bits > 0) {
            if own
                .value(&auto_ids::count_triggers(&db.info, table))
                .await?
                == "0"
            {
                let (before, after) = auto_ids::of_new_table(&db.info, table);
                let statements: Vec<String> = before.into_iter().chain(after).collect();
                Backend::run_unlogged(socket, &statements).await?;
            }
        }
    }
    Ok(())
}

/// Lets the row ids of tables be counted by their defaults again, of which a crash while rows were copied left that to triggers.
async fn take_row_ids_back(
    handle: &ApplyHandle,
    socket: &Path,
    own: &mut Backend,
) -> Result<(), Error> {
    let lent = own.rows(&auto_ids::lent_row_ids()).await?;
    let catalog = handle.catalog();
    for row in &lent.rows {
        let names = row.iter().flatten();
        let names: Vec<_> = names.map(|name| String::from_utf8_lossy(name)).collect();
        let [db, table] = &names[..] else { continue };
        let Some((db, table)) = catalog
            .database(db)
            .and_then(|db| Some((&db.info, db.table(table)?)))
        else {
            continue;
        };
        Backend::run_unlogged(socket, &auto_ids::take_row_ids_back(db, table)).await?;
    }
    Ok(())
}

/// Where MariaDB's binlog ends.
pub(super) async fn binlog_end(own: &mut Backend) -> Result<Gtid, Error> {
    let text = own.value("SELECT @@gtid_binlog_pos").await?;
    text.parse()
        .map_err(|e| WireError::malformed("gtid_binlog_pos", format!("{e}")).into())
}

async fn has_schema(snapshot: &Snapshot) -> Result<bool, Error> {
    Ok(!snapshot.scan(SCHEMA.0, SCHEMA.1).await?.is_empty())
}

async fn load_catalog(snapshot: &Snapshot, version: TidbVersion) -> Result<Catalog, Error> {
    let pairs = snapshot.scan(SCHEMA.0, SCHEMA.1).await?;
    let pairs = pairs.into_iter().map(|p| (p.key, p.value));
    Ok(Catalog::load(version, pairs)?)
}

async fn replan(client: &Client, version: TidbVersion, intent: &Intent) -> Result<Plan, Error> {
    let catalog = load_catalog(&client.snapshot(intent.schema_ts), version).await?;
    let session = intent.session.clone().into();
    let mut plan =
        planning::plan(&catalog, &session, &intent.sql).map_err(|source| ApplyError::Replan {
            sql: intent.sql.clone(),
            source: Box::new(source),
        })?;
    if let Some(failure) = &intent.failure {
        plan.roll_back(failure);
    }
    Ok(plan)
}

/// The database `test`, which a fresh TiDB has; not in the binlog, for TiKV gets it with its bootstrap.
async fn fill_mariadb(own: &mut Backend) -> Result<(), Error> {
    for statement in [
        "SET SESSION sql_log_bin = 0",
        "CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "SET SESSION sql_log_bin = 1",
    ] {
        own.execute(statement).await?;
    }
    Ok(())
}

async fn fill_tikv(client: &Client, identity: &str, version: TidbVersion) -> Result<(), Error> {
    let mut writer = Writer::new(client.clone(), identity.to_owned(), Gtid(0));
    writer
        .commit(Gtid(0), |start_ts| {
            let mutations =
                bootstrap::bootstrap(version, start_ts).map_err(|source| ApplyError::Replan {
                    sql: "(the bootstrap of a new cluster)".to_owned(),
                    source: Box::new(source),
                })?;
            Ok(mutations
                .into_iter()
                .map(|mutation| match mutation {
                    Mutation::Put { key, value } => (key.into(), Change::Put(value.into())),
                    Mutation::Delete { key } => (key.into(), Change::Delete),
                })
                .collect())
        })
        .await?;
    Ok(())
}
