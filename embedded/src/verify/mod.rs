//! `embedded verify`: the proof that what is in TiKV is what MariaDB has, each row once, with its index entries.
//!
//! MariaDB is read in a transaction with a snapshot, and TiKV at the timestamp of the same binlog position, which travels
//! in TiKV's transactions: so clients may write meanwhile ([`point`]). A DDL statement is waited for; it waits in its turn
//! for a table that is being read. TiKV's bytes are read by a decoder of its own ([`read`]).
//!
//! * [`table`] compares a table's [`rows`], [`shape`] its description, [`index`] its entries, [`counters`] its counters;
//!   [`objects`] compares views and sequences;
//! * [`store`] has all keys at the timestamp, and says which of them belong to nothing;
//! * [`mariadb`] is the other side, [`report`] what comes out.

mod counters;
mod index;
mod mariadb;
mod objects;
mod part;
mod point;
pub mod read;
pub mod report;
mod rows;
mod shape;
mod store;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::client::{Client, ClientError};
use crate::tidb::apply::{ApplyError, GtidError};
use crate::tidb::wire::WireError;
use mariadb::{MariaDb, Object, SequenceRow, TableName};
use read::Unreadable;
pub use report::Report;

/// Exit code when nothing could be proved.
const COULD_NOT: u8 = 2;
/// Between looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// `embedded verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// PD of the cluster.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:12379")]
    pub pd: String,
    /// MariaDB's socket: `mariadb.sock` in the data folder of `embedded tidb`.
    #[arg(long, value_name = "PATH")]
    pub mariadb: PathBuf,
    /// How long to wait for TiKV to come up to MariaDB, and for DDL statements and locks to end.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
    /// Print JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Why nothing could be proved. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// PD or TiKV could not be read.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// MariaDB could not be read.
    #[error(transparent)]
    MariaDb(#[from] WireError),
    /// The position in TiKV could not be read.
    #[error(transparent)]
    Position(#[from] ApplyError),
    /// MariaDB's position is none.
    #[error(transparent)]
    Gtid(#[from] GtidError),
    /// The schema in TiKV could not be read.
    #[error("read the schema in TiKV: {0}")]
    Schema(Unreadable),
    /// There is no point at which both could be compared.
    #[error("find a point to compare at: {why} after {} s", waited.as_secs())]
    NoPoint {
        /// What was in the way last.
        why: String,
        /// How long it was tried.
        waited: Duration,
    },
}

/// Verifies once and prints what was found.
pub async fn run(args: Args) -> ExitCode {
    let patience = Duration::from_secs(args.patience);
    let verified = async {
        let client = Client::connect(std::slice::from_ref(&args.pd), patience).await?;
        verify(&client, &args.mariadb, patience).await
    };
    match verified.await {
        Ok(report) => {
            if args.json {
                println!("{}", report.json());
            } else {
                println!("{report}");
            }
            match report.is_clean() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            tracing::error!("failed to {error}");
            ExitCode::from(COULD_NOT)
        }
    }
}

/// Compares all of TiKV with MariaDB.
///
/// # Errors
/// [`VerifyError`], if they cannot be compared. Differences are in the report.
pub async fn verify(
    client: &Client,
    mariadb: &std::path::Path,
    patience: Duration,
) -> Result<Report, VerifyError> {
    let deadline = Instant::now() + patience;
    loop {
        let mut mariadb = MariaDb::connect(mariadb).await?;
        let sequences = mariadb.sequences().await?;
        let point = point::find(client, &mut mariadb, deadline).await?;
        let why = match point {
            point::Found::Point(point) => {
                let compared = compare(client, &mut mariadb, &sequences, point, deadline).await;
                // What a DDL statement changes meanwhile does not show in MariaDB's snapshot.
                match point::disturbed(client, point).await? {
                    None => return compared,
                    Some(why) => why,
                }
            }
            point::Found::Disturbed(why) => why,
        };
        if Instant::now() >= deadline {
            return Err(VerifyError::NoPoint {
                why,
                waited: patience,
            });
        }
        // A DDL statement may wait for the tables that were read.
        drop(mariadb);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn compare(
    client: &Client,
    mariadb: &mut MariaDb,
    sequences: &BTreeMap<TableName, SequenceRow>,
    point: point::Point,
    deadline: Instant,
) -> Result<Report, VerifyError> {
    let mut report = Report::new(point.ts, point.gtid);
    store::locks(client, point.ts, deadline, &mut report).await?;
    let mut store = store::Store::load(client, point.ts, &mut report).await?;
    let schema = store.schema().map_err(VerifyError::Schema)?;
    let mut known = mariadb.objects().await?;
    let objects = objects::Objects {
        schema: &schema,
        before: sequences,
        after: &mariadb.sequences().await?,
    };
    for database in schema.databases.values() {
        for table in database.tables.values() {
            let name = (database.name.clone(), table.name.lower.clone());
            let theirs = known.remove(&name);
            if !table.has_rows() {
                objects.check(database, table, theirs, &mut report);
                continue;
            }
            let mut result = report::Table::new(&database.name, &table.name.original);
            let mut check = table::Check::new(&name, table, &mut result);
            check.rows(&store, mariadb, theirs).await?;
            check.indexes(&store);
            check.counters(&schema, database);
            report.not_compared.append(&mut check.not_compared);
            report.tables.push(result);
        }
    }
    for ((database, table), object) in known {
        let kind = match object {
            Object::Table(_) => "table",
            Object::View => "view",
            Object::Sequence => "sequence",
        };
        report.fault(format!(
            "{kind} {database}.{table} is in MariaDB, but not in the schema in TiKV"
        ));
    }
    store.strays(&schema, &mut report);
    Ok(report)
}
