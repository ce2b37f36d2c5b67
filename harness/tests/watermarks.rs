//! Messages are tables at every watermark: of a random load by several sessions, over splits of regions and kills of the pipeline,
//! what lies in a topic before a watermark gives the rows that `tikv-client-java`, which is not ours, reads at its timestamp.

#![allow(missing_docs, unreachable_pub)]

#[allow(dead_code)]
#[path = "../../embedded/tests/cluster/dice.rs"]
mod dice;
mod on_a_lab;
#[allow(dead_code)]
mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::lab::{Kind, Lab};
use harness::observe::kafka::Kafka;
use harness::observe::poll;
use harness::observe::sql::{Session, SqlError};
use harness::scenario::message::{Message, Row};

use dice::Dice;
use on_a_lab::{changefeed, on_a_lab};
use readers::client::{READER, Reader};

type Failed = Box<dyn Error + Send + Sync>;

const DATABASE: &str = "moments";
const TOPIC: &str = "moments";
const PARTITIONS: i32 = 3;
const SESSIONS: u64 = 4;
/// Of a session, at least.
const TRANSACTIONS: u64 = 250;
const SEED: u64 = 7;
/// Watermarks that are compared; there are more.
const COMPARED: usize = 40;
const DEADLINE: Duration = Duration::from_secs(60);
/// What a statement may run into: a key that is there, a lock, a circle of locks.
const EXPECTED: [u16; 3] = [1062, 1205, 1213];

/// With their keys: of an integer, of text beside an integer, of a row id, and of partitions.
const TABLES: [(&str, &[&str], &str); 4] = [
    (
        "by_number",
        &["id"],
        "id BIGINT PRIMARY KEY, n INT, v VARCHAR(40), d DECIMAL(10,2), t DATETIME(3)",
    ),
    (
        "by_text",
        &["id", "s"],
        "id INT, s VARCHAR(20), n INT, v VARCHAR(40), PRIMARY KEY (id, s) CLUSTERED",
    ),
    (
        "by_row_id",
        &["id"],
        "id BIGINT NOT NULL, n INT, v VARCHAR(40), UNIQUE KEY (id)",
    ),
    (
        "in_parts",
        &["id"],
        "id BIGINT PRIMARY KEY, n INT, v VARCHAR(40)) PARTITION BY HASH (id) PARTITIONS (4",
    ),
];

#[test]
fn messages_are_the_tables_at_every_watermark() -> Result<(), Box<dyn Error>> {
    let parts = [Kind::Tidb, Kind::Kafka, Kind::Cdc];
    on_a_lab("watermarks", "current", &parts, async |lab| {
        compare(lab)
            .await
            .map_err(|error| -> Box<dyn Error> { error })
    })
}

async fn compare(lab: &Lab) -> Result<(), Failed> {
    let (kafka, cdc) = (lab.kafka()?, lab.cdc()?);
    let sql = lab.endpoint(Kind::Tidb, "mysql")?;
    let mut session = Session::connect(&sql).await?;
    session.run(&format!("CREATE DATABASE {DATABASE}")).await?;
    for (table, _, columns) in TABLES {
        let create = format!("CREATE TABLE {DATABASE}.{table} ({columns})");
        session
            .run(&create.replace("PARTITIONS (4)", "PARTITIONS 4"))
            .await?;
    }
    let sink = format!(
        "[sink]\ndispatchers = [{{ matcher = ['{DATABASE}.*'], partition = 'index-value' }}]\n"
    );
    changefeed(lab, (TOPIC, PARTITIONS), DATABASE, &sink).await?;

    let over = Arc::new(AtomicBool::new(false));
    let load = async {
        let mut sessions = tokio::task::JoinSet::new();
        for n in 0..SESSIONS {
            sessions.spawn(write(sql.clone(), SEED * SESSIONS + n, Arc::clone(&over)));
        }
        while let Some(written) = sessions.join_next().await {
            written??;
        }
        Ok::<_, Failed>(())
    };
    let mut reader = Reader::start(READER, &lab.endpoint(Kind::Pd, "client")?)
        .await
        .map_err(|error| error.to_string())?;
    let trouble = async {
        for table in ["by_number", "by_text"] {
            let later = seen(&kafka).await?.len() + 150;
            at_least(&kafka, later).await?;
            reader.split(DATABASE, table, 3).await?;
            let killed = lab.clone();
            tokio::task::spawn_blocking(move || killed.kill(Kind::Cdc)).await??;
            lab.start(Kind::Cdc).await?;
        }
        over.store(true, Ordering::Relaxed);
        Ok::<_, Failed>(())
    };
    tokio::try_join!(load, trouble)?;
    let now = reader.now().await?;
    cdc.reach(TOPIC, now, DEADLINE).await?;
    let messages = up_to(&kafka, now).await?;

    let watermarks: BTreeSet<u64> = messages.iter().filter_map(|m| m.watermark_ts).collect();
    let watermarks: Vec<u64> = watermarks.into_iter().collect();
    let step = watermarks.len().div_ceil(COMPARED).max(1);
    // The last is always among them.
    let compared: Vec<u64> = watermarks.iter().rev().step_by(step).copied().collect();
    let mut rows = 0;
    for ts in &compared {
        for (table, key, _) in TABLES {
            rows += at(*ts, (table, key), &messages, &mut reader).await?;
        }
    }
    let kinds: BTreeSet<&str> = messages.iter().map(|m| m.kind.as_str()).collect();
    for kind in ["INSERT", "UPDATE", "DELETE"] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    assert!(compared.len() >= 5, "{} watermarks alone", watermarks.len());
    println!(
        "{} messages, {} watermarks, {} of them compared in {rows} rows",
        messages.len(),
        watermarks.len(),
        compared.len()
    );
    session.close().await;
    Ok(())
}

/// Random transactions of a session.
async fn write(address: String, seed: u64, over: Arc<AtomicBool>) -> Result<(), Failed> {
    let mut session = Session::connect(&address).await?;
    let mut dice = Dice::new(seed);
    session.run(&format!("USE {DATABASE}")).await?;
    session.run("SET innodb_lock_wait_timeout = 5").await?;
    // The trouble is for messages on their way.
    for n in (0..).take_while(|n| *n < TRANSACTIONS || !over.load(Ordering::Relaxed)) {
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..1 + dice.roll(4) {
            statements.push(statement(&mut dice, n));
        }
        statements.push(
            dice.pick(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])
                .to_string(),
        );
        for sql in statements {
            match session.run(&sql).await {
                Err(SqlError::Server { code, .. }) if EXPECTED.contains(&code) => {}
                Err(error) => return Err(format!("{sql}: {error}").into()),
                Ok(_) => {}
            }
        }
    }
    session.close().await;
    Ok(())
}

fn statement(dice: &mut Dice, n: u64) -> String {
    let (table, ..) = *dice.pick(&TABLES);
    let (id, number) = (dice.roll(60), dice.roll(1000));
    let text = ["'a'", "''", "NULL", "'ünïcödé'", "'\"quoted\"'"][dice.roll(5) as usize];
    let own = match table {
        "by_number" => format!(
            "v = {text}, d = {number}.25, t = '2024-02-29 12:00:{:02}.5'",
            n % 60
        ),
        "by_text" => format!("v = {text}, s = 'k{}'", dice.roll(3)),
        _ => format!("v = {text}"),
    };
    match dice.roll(8) {
        0..3 => format!("INSERT INTO {table} SET id = {id}, n = {number}, {own}"),
        3..5 => format!("UPDATE {table} SET n = {number} WHERE id >= {id} LIMIT 5"),
        5 => format!("UPDATE {table} SET id = {} WHERE id = {id}", dice.roll(60)),
        6 => format!("REPLACE INTO {table} SET id = {id}, n = {number}, {own}"),
        _ => format!("DELETE FROM {table} WHERE id = {id}"),
    }
}

async fn seen(kafka: &Kafka) -> Result<Vec<Message>, Failed> {
    let records = kafka.read(TOPIC, &[]).await?;
    Ok(records
        .iter()
        .map(Message::read)
        .collect::<Result<_, _>>()?)
}

/// Waits until there are so many messages.
async fn at_least(kafka: &Kafka, count: usize) -> Result<(), Failed> {
    let there = poll::until(DEADLINE, || async {
        let found = seen(kafka).await?.len();
        Ok::<_, Failed>(
            (found >= count)
                .then_some(())
                .ok_or_else(|| format!("{found} of {count} messages")),
        )
    });
    Ok(there.await??)
}

/// All messages, as soon as every partition has a watermark of at least this.
async fn up_to(kafka: &Kafka, ts: u64) -> Result<Vec<Message>, Failed> {
    let there = poll::until(DEADLINE, || async {
        let messages = seen(kafka).await?;
        let last = |partition: i32| {
            let own = messages.iter().filter(|m| m.partition == partition);
            own.filter_map(|m| m.watermark_ts).max().unwrap_or_default()
        };
        let behind: Vec<i32> = (0..PARTITIONS).filter(|p| last(*p) < ts).collect();
        Ok::<_, Failed>(match behind.is_empty() {
            true => Ok(messages),
            false => Err(format!(
                "partitions without a watermark above {ts}: {behind:?}"
            )),
        })
    });
    Ok(there.await??)
}

/// The rows of a table at a watermark, by the messages before it and by the client; gives how many there are.
async fn at(
    ts: u64,
    (table, key): (&str, &[&str]),
    messages: &[Message],
    reader: &mut Reader,
) -> Result<usize, Failed> {
    let read = reader.read(DATABASE, table, ts).await?;
    let mut newest: BTreeMap<Vec<Option<String>>, (u64, Option<&Row>)> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let own = || messages.iter().filter(move |m| m.partition == partition);
        let end = own().position(|m| m.watermark_ts == Some(ts));
        let end = end.ok_or_else(|| format!("watermark {ts} is not in partition {partition}"))?;
        for message in own().take(end).filter(|m| m.table == table) {
            let (Some(commit_ts), Some(row)) = (message.commit_ts, message.data.row()) else {
                continue;
            };
            if commit_ts > ts {
                continue;
            }
            let is_there = message.kind != "DELETE";
            let of = |row: &Row| -> Vec<Option<String>> {
                key.iter().map(|column| value(row, column)).collect()
            };
            let known = newest
                .entry(of(row))
                .or_insert((commit_ts, is_there.then_some(row)));
            // Of one transaction a delete goes before an insert of the same key; what comes again is older or the same.
            if (commit_ts, is_there) >= (known.0, known.1.is_some()) {
                *known = (commit_ts, is_there.then_some(row));
            }
            if let Some(old) = message.old.row().filter(|_| message.kind == "UPDATE") {
                let changed = key.iter().any(|column| {
                    value(old, column).is_some_and(|before| Some(before) != value(row, column))
                });
                assert!(
                    !changed,
                    "an UPDATE of a key was not split: {}",
                    message.text
                );
            }
        }
    }
    let mut told: Vec<Vec<Option<String>>> = newest
        .into_values()
        .filter_map(|(_, row)| row)
        .map(|row| {
            read.columns
                .iter()
                .map(|column| value(row, &column.name))
                .collect()
        })
        .collect();
    let mut there = read.rows;
    told.sort();
    there.sort();
    assert_eq!(
        told, there,
        "table {table} at watermark {ts}: told by messages, and read"
    );
    Ok(there.len())
}

fn value(row: &Row, column: &str) -> Option<String> {
    let found = row.iter().find(|(name, _)| name == column);
    found.and_then(|(_, value)| value.clone())
}
