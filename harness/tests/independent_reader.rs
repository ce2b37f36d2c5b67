//! Flink's own TiDB CDC connector reads the embedded cluster: a PD client, a row reader and a change-feed client that are
//! not ours. It reads a snapshot and then changes, and must come to what SELECT shows.

mod on_a_lab;

use std::error::Error;

use harness::lab::{self, Compat, Kind, Lab, Topology};
use harness::observe::flink::runner::{End, Runner};
use harness::observe::flink::{Change, Changelog};
use harness::observe::sql::{Session, lossy};
use on_a_lab::on_a_lab;

/// The connector's jar in `fixtures/components`.
const CONNECTOR: &str = "tidb-cdc-reader-2.3.0";
const DATABASE: &str = "reader";
/// Stands for what makes a primary key an index of its own. 4.0 has no other that is not an integer.
const AS_AN_INDEX: &str = "{as an index}";

/// A table, what is done to it, and how it is declared in Flink.
struct Case {
    table: &'static str,
    /// `column SQL-type` and keys.
    tidb: &'static str,
    /// `column Flink-type` and keys.
    flink: &'static str,
    /// What SELECT shows of each column in the words of [`Runner`].
    select: &'static str,
    /// Before the reader starts.
    before: &'static [&'static str],
    /// While it reads.
    changes: &'static [&'static str],
    /// Changes that the reader must see: one for an insert or delete, two for an update.
    seen: usize,
}

/// Within what the connector can read: its calendar is Java's old one, which is another one before 1582-10-15; it takes the
/// bytes of BINARY (not those of VARBINARY and BLOB) for UTF-8; of keys it knows integers (`RowKey`), so a composite one
/// has to be an index.
const CASES: &[Case] = &[
    Case {
        table: "types",
        tidb: "id BIGINT PRIMARY KEY, t TINYINT, s SMALLINT, m MEDIUMINT, i INT, tu TINYINT UNSIGNED, iu INT UNSIGNED, \
               bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(20, 5), c CHAR(10), v VARCHAR(100), x TEXT, \
               b BINARY(4), vb VARBINARY(20), l BLOB, da DATE, dt DATETIME(6), ts TIMESTAMP(6) NULL, \
               tm TIME, y YEAR, e ENUM('one', 'two'), j JSON",
        flink: "id BIGINT, t TINYINT, s SMALLINT, m INT, i INT, tu SMALLINT, iu BIGINT, bu DECIMAL(20, 0), f FLOAT, \
                d DOUBLE, n DECIMAL(20, 5), c STRING, v STRING, x STRING, b BYTES, vb BYTES, l BYTES, da DATE, \
                dt TIMESTAMP(6), ts TIMESTAMP(6), tm TIME, y INT, e STRING, j STRING, PRIMARY KEY (id) NOT ENFORCED",
        select: "id, t, s, m, i, tu, iu, bu, f, d, n, c, v, x, LOWER(CONCAT('0x', HEX(b))), \
                 LOWER(CONCAT('0x', HEX(vb))), LOWER(CONCAT('0x', HEX(l))), da, dt, ts, tm, y, e, j",
        before: &[
            "INSERT INTO types VALUES (1, 1, 1, 1, 1, 1, 1, 1, 1.5, 2.25, 12.34567, 'c', 'v', 'x', 'bb', 'vb', 'l', \
             '2021-01-13', '2021-01-13 01:02:03.456789', '2021-01-13 01:02:03.456789', '01:02:03', 2021, 'one', '[]')",
            "INSERT INTO types VALUES (-9223372036854775808, -128, -32768, -8388608, -2147483648, 0, 0, 0, -1.5, \
             -1e100, -999999999999999.99999, '', '', '', '', '', '', '1582-10-15', '1582-10-15 00:00:00.000001', '1970-01-01 00:00:01.000001', '00:00:00', 1901, 'two', '\"\"')",
            "INSERT INTO types (id) VALUES (5)",
        ],
        changes: &[
            "INSERT INTO types VALUES (9223372036854775807, 127, 32767, 8388607, 2147483647, 255, 4294967295, \
             18446744073709551615, 0.125, 1e-100, 999999999999999.99999, '中文', 'ünïcödé', '🙂', x'007f4101', x'00', \
             x'ff00', '9999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '23:59:59', 2155, 'one', '-1.5')",
            "UPDATE types SET v = 'changed', n = NULL, dt = '2024-02-29 00:00:00.500001' WHERE id = 1",
            "UPDATE types SET t = 7, x = 'no longer null' WHERE id = 5",
            "DELETE FROM types WHERE id < 0",
        ],
        seen: 1 + 2 + 2 + 1,
    },
    Case {
        table: "composite",
        tidb: "a INT, b VARCHAR(20), v INT, PRIMARY KEY (a, b) {as an index}",
        flink: "a INT, b STRING, v INT, PRIMARY KEY (a, b) NOT ENFORCED",
        select: "a, b, v",
        before: &["INSERT INTO composite VALUES (1, 'x', 1), (1, 'y', 2), (2, 'x', 3)"],
        changes: &[
            "INSERT INTO composite VALUES (2, 'y', 4)",
            "UPDATE composite SET v = v + 10 WHERE a = 1 AND b = 'y'",
            "DELETE FROM composite WHERE b = 'x' AND a = 2",
        ],
        seen: 1 + 2 + 1,
    },
    Case {
        table: "keyless",
        tidb: "v INT, w VARCHAR(20)",
        // Flink wants a key of a table with updates.
        flink: "v INT, w STRING, PRIMARY KEY (v) NOT ENFORCED",
        select: "v, w",
        before: &["INSERT INTO keyless VALUES (1, 'x'), (2, 'y')"],
        changes: &[
            "INSERT INTO keyless VALUES (3, NULL)",
            "UPDATE keyless SET w = 'z' WHERE v = 1",
            "DELETE FROM keyless WHERE v = 2",
        ],
        seen: 1 + 2 + 1,
    },
];

type Failed = Box<dyn Error>;

#[test]
fn flinks_connector_comes_to_what_select_shows() -> Result<(), Failed> {
    comes_to_what_select_shows("current")
}

#[test]
fn flinks_connector_comes_to_what_select_shows_on_4_0_9() -> Result<(), Failed> {
    comes_to_what_select_shows("seed")
}

fn comes_to_what_select_shows(profile: &str) -> Result<(), Failed> {
    // What the connector runs on: Flink 1.20.
    let reader = Topology::profile("current")?;
    on_a_lab(
        &format!("reader-{profile}"),
        profile,
        &[Kind::Tidb],
        async |lab| read(lab, reader).await,
    )
}

async fn read(lab: &Lab, topology: Topology) -> Result<(), Failed> {
    // The runner brings a small Flink of its own: the connector does not belong to the lab's.
    let command = move || lab::java_command(&topology, &[CONNECTOR], &["FlinkRunner", "local"]);
    let command = tokio::task::spawn_blocking(command).await??;
    let mut runner = Runner::start(command).await?;
    let mut session = Session::connect(&lab.endpoint(Kind::Tidb, "mysql")?).await?;
    session.run(&format!("CREATE DATABASE {DATABASE}")).await?;
    session.run(&format!("USE {DATABASE}")).await?;
    let pd = lab.endpoint(Kind::Pd, "client")?;
    let as_an_index = match lab.topology().compat {
        Compat::V4 => "",
        Compat::V6 | Compat::V8 => "NONCLUSTERED",
    };
    for case in CASES {
        let compared = compare(case, as_an_index, &pd, &mut session, &mut runner).await;
        compared.map_err(|error| format!("table {}: {error}", case.table))?;
    }
    session.close().await;
    Ok(())
}

async fn compare(
    case: &Case,
    as_an_index: &str,
    pd: &str,
    session: &mut Session,
    runner: &mut Runner,
) -> Result<(), Failed> {
    let table = case.table;
    let columns = case.tidb.replace(AS_AN_INDEX, as_an_index);
    session
        .run(&format!("CREATE TABLE {table} ({columns})"))
        .await?;
    for sql in case.before {
        session.run(sql).await?;
    }
    let declared = format!(
        "CREATE TABLE {table} ({}) WITH ('connector' = 'tidb-cdc', 'pd-addresses' = '{pd}', 'database-name' = \
         '{DATABASE}', 'table-name' = '{table}', 'scan.startup.mode' = 'initial')",
        case.flink
    );
    runner.run(&declared, End::Itself).await?;
    let mut log = Changelog::default();
    let shown = rows(case, session).await?;
    let all = End::After(shown.len() + case.seen);
    let mut reading = runner.begin(&format!("SELECT * FROM {table}"), all).await?;
    while log.changes.len() < shown.len() {
        let change = reading.next().await?;
        log.changes.push(read_plainly(
            change.ok_or("its job ended within the snapshot")?,
        ));
    }
    equal("its snapshot", &log.rows()?, &shown)?;
    for sql in case.changes {
        session.run(sql).await?;
    }
    while let Some(change) = reading.next().await? {
        log.changes.push(read_plainly(change));
    }
    equal("its table", &log.rows()?, &rows(case, session).await?)
}

/// What SELECT shows, sorted as [`Changelog::rows`] are.
async fn rows(case: &Case, session: &mut Session) -> Result<Vec<Vec<Option<String>>>, Failed> {
    let select = format!("SELECT {} FROM {}", case.select, case.table);
    let found = session.run(&select).await?;
    let mut rows: Vec<Vec<Option<String>>> = found
        .rows
        .into_iter()
        .map(|row| row.into_iter().map(|value| value.map(lossy)).collect())
        .collect();
    rows.iter_mut().for_each(|row| plain(row));
    rows.sort();
    Ok(rows)
}

/// Java writes large and small numbers as `1.0E100`, SQL as `1e100`.
fn plain(row: &mut [Option<String>]) {
    for text in row.iter_mut().flatten() {
        if let Ok(number) = text.parse::<f64>()
            && text.contains(['e', 'E'])
        {
            *text = format!("{number:e}");
        }
    }
}

fn read_plainly(mut change: Change) -> Change {
    plain(&mut change.row);
    change
}

fn equal(
    what: &str,
    read: &[Vec<Option<String>>],
    shown: &[Vec<Option<String>>],
) -> Result<(), Failed> {
    if read == shown {
        return Ok(());
    }
    let pairs = read.iter().zip(shown).enumerate();
    let different: Vec<String> = pairs
        .filter(|(_, (read, shown))| read != shown)
        .map(|(row, (read, shown))| format!("row {row}:\n  read  {read:?}\n  shown {shown:?}"))
        .collect();
    let (read, shown) = (read.len(), shown.len());
    Err(format!(
        "{what} is not what SELECT shows ({read} and {shown} rows)\n{}",
        different.join("\n")
    )
    .into())
}
