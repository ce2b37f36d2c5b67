//! `org.tikv:tikv-client-java` and the change-feed client of Flink's connector read the embedded cluster: a catalog, a region
//! cache, and decoders of rows and keys that are not ours. Of every table they must come to what SELECT shows: now and at a
//! timestamp before the changes, over region splits and a kill of TiKV. And what the feed tells from any timestamp on makes of
//! the rows of then those of now.

#![allow(missing_docs, unreachable_pub)]

mod on_a_lab;
mod readers;

use std::error::Error;

use harness::lab::{Compat, Kind, Lab};
use harness::observe::sql::Session;

use on_a_lab::on_a_lab;
use readers::cases::{CASES, Case};
use readers::client::{FEED, READER, Reader};
use readers::shown::{Shown, shown};

const DATABASE: &str = "reader";

/// The tables that are followed by the change feed.
const FOLLOWED: [&str; 5] = [
    "types",
    "unsigned_key",
    "nonclustered",
    "clustered",
    "by_range",
];

type Failed = Box<dyn Error>;

#[test]
fn tikv_client_java_comes_to_what_select_shows() -> Result<(), Failed> {
    comes_to_what_select_shows("current")
}

#[test]
fn tikv_client_java_comes_to_what_select_shows_on_4_0_9() -> Result<(), Failed> {
    comes_to_what_select_shows("seed")
}

fn comes_to_what_select_shows(profile: &str) -> Result<(), Failed> {
    on_a_lab(
        &format!("java-reader-{profile}"),
        profile,
        &[Kind::Tidb],
        read,
    )
}

/// What was shown of each table, at a timestamp.
struct Moment {
    what: &'static str,
    ts: u64,
    shown: Vec<Shown>,
}

async fn read(lab: &Lab) -> Result<(), Failed> {
    let pd = lab.endpoint(Kind::Pd, "client")?;
    let mut reader = Reader::start(READER, &pd).await?;
    let mut feed = Reader::start(FEED, &pd).await?;
    let mut session = Session::connect(&lab.endpoint(Kind::Tidb, "mysql")?).await?;
    let v4 = lab.topology().compat == Compat::V4;
    let cases: Vec<&Case> = CASES.iter().filter(|case| !v4 || case.in_4_0).collect();
    session.run("SET time_zone = '+00:00'").await?;
    session.run(&format!("CREATE DATABASE {DATABASE}")).await?;
    session.run(&format!("USE {DATABASE}")).await?;
    let never = reader.now().await?;
    let mut moments = Vec::new();
    for case in &cases {
        let columns = case.columns(v4);
        let create = format!("CREATE TABLE {} ({columns}) {}", case.table, case.options);
        session.run(&create).await?;
        run(&mut session, case.before).await?;
    }
    moments.push(moment("at first", &cases, &mut reader, &mut session).await?);
    let missing = reader.read(DATABASE, cases[0].table, never).await;
    let told = missing.map_or_else(|error| error.to_string(), |_| "the table".to_owned());
    assert!(told.contains("no table"), "before it was made: {told}");
    compare(&cases, &moments, &mut reader).await?;

    for case in &cases {
        run(&mut session, case.changes).await?;
    }
    moments.push(moment("after changes", &cases, &mut reader, &mut session).await?);
    compare(&cases, &moments, &mut reader).await?;

    // From a timestamp in the past. A client and its threads for each of a table's partitions are much for one machine: some
    // of the tables.
    let some = |case: &&&Case| FOLLOWED.contains(&case.table);
    let some: Vec<&Case> = cases.iter().filter(some).copied().collect();
    for case in &some {
        feed.follow(DATABASE, case.table, moments[0].ts).await?;
    }
    let followed = (moments[0].ts, &some[..]);
    catch_up(followed, &mut feed).await?;

    let mut regions = 0;
    for case in &cases {
        let before = reader.regions(DATABASE, case.table).await?;
        let keys = reader.split(DATABASE, case.table, 3).await?;
        let after = reader.regions(DATABASE, case.table).await?;
        let table = case.table;
        assert!(
            after > before,
            "{table}: {before} regions, split at {keys} keys, {after} regions"
        );
        regions += after;
    }
    compare(&cases, &moments, &mut reader).await?;

    lab.kill(Kind::Tikv)?;
    lab.start(Kind::Tikv).await?;
    let (table, ts) = (cases[0].table, moments[0].ts);
    reader.reconnect("READ", DATABASE, table, ts).await?;
    feed.reconnect("DUMP", DATABASE, table, ts).await?;
    compare(&cases, &moments, &mut reader).await?;
    for case in &cases {
        // NULL and 1 become 1 and 2.
        let sql = format!("UPDATE {} SET v = IFNULL(v, 0) + 1", case.table);
        let text = format!("UPDATE {} SET v = CONCAT(IFNULL(v, ''), '+')", case.table);
        let sql = if case.table == "types" { text } else { sql };
        session.run(&sql).await?;
    }
    catch_up(followed, &mut feed).await?;

    for case in &cases {
        let table = case.table;
        session
            .run(&format!("ALTER TABLE {table} ADD COLUMN added INT"))
            .await?;
        session
            .run(&format!("UPDATE {table} SET added = 7"))
            .await?;
    }
    moments.push(
        moment(
            "after a column was added",
            &cases,
            &mut reader,
            &mut session,
        )
        .await?,
    );
    for case in &cases {
        session
            .run(&format!("ALTER TABLE {} DROP COLUMN v", case.table))
            .await?;
    }
    moments.push(
        moment(
            "after a column was dropped",
            &cases,
            &mut reader,
            &mut session,
        )
        .await?,
    );
    let rows = compare(&cases, &moments, &mut reader).await?;
    let changed = catch_up(followed, &mut feed).await?;
    println!(
        "{} tables in {regions} regions at {} timestamps, {rows} rows as SELECT shows them; {changed} keys changed by the feed",
        cases.len(),
        moments.len()
    );
    session.close().await;
    Ok(())
}

async fn run(session: &mut Session, statements: &[&str]) -> Result<(), Failed> {
    for sql in statements {
        session
            .run(sql)
            .await
            .map_err(|error| format!("{sql}: {error}"))?;
    }
    Ok(())
}

async fn moment(
    what: &'static str,
    cases: &[&Case],
    reader: &mut Reader,
    session: &mut Session,
) -> Result<Moment, Failed> {
    let mut of_tables = Vec::new();
    for case in cases {
        of_tables.push(shown(session, DATABASE, case.table).await?);
    }
    Ok(Moment {
        what,
        ts: reader.now().await?,
        shown: of_tables,
    })
}

/// Reads every table at every moment; gives how many rows that were.
async fn compare(
    cases: &[&Case],
    moments: &[Moment],
    reader: &mut Reader,
) -> Result<usize, Failed> {
    let now = moments.last().map_or("", |moment| moment.what);
    let mut rows = 0;
    for moment in moments {
        for (case, shown) in cases.iter().zip(&moment.shown) {
            let read = reader.read(DATABASE, case.table, moment.ts).await;
            let compared = read
                .map_err(Failed::from)
                .and_then(|read| shown.equals(&read));
            compared
                .map_err(|error| format!("table {} {}, {now}: {error}", case.table, moment.what))?;
            rows += shown.rows.len();
        }
    }
    Ok(rows)
}

/// The rows of then, with what the feed tells of them since, are the rows of now; gives how many keys were changed.
async fn catch_up((then, cases): (u64, &[&Case]), feed: &mut Reader) -> Result<usize, Failed> {
    let now = feed.now().await?;
    let mut keys = 0;
    for case in cases {
        let mut rows = feed.dump(DATABASE, case.table, then).await?;
        let changes = feed.catch_up(DATABASE, case.table, now).await?;
        keys += changes.len();
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        let expected = feed.dump(DATABASE, case.table, now).await?;
        let table = case.table;
        assert_eq!(
            rows, expected,
            "table {table} by its feed from {then} to {now}"
        );
    }
    Ok(keys)
}
