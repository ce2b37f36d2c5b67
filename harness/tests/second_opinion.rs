//! Second opinions on what changed: a random load with all types on the embedded TiDB, as the pipeline's messages tell it and as
//! readers that are not ours do. Debezium's connector and the original canal server read the row events of the MariaDB in the
//! embedded TiDB: what changed before any of our encodings. Values may be told differently, which is listed; what they mean, the
//! rows before and after each transaction and which of them it changed may not. Flink's TiDB CDC connector follows TiKV's change
//! feed, as the pipeline does, and tells the same of the tables that it can read.

#![allow(missing_docs, unreachable_pub)]

mod on_a_lab;
mod opinions;

use std::error::Error;
use std::time::Duration;

use harness::lab::{Captured, DEBEZIUM_PREFIX, Kind, Lab};
use harness::observe::flink::table::Column;
use harness::observe::kafka::{Kafka, Record};
use harness::observe::sql::Session;
use harness::observe::{pd, poll};

use on_a_lab::{changefeed, on_a_lab};
use opinions::canal::Canal;
use opinions::history::{History, Shape, Shapes, Told};
use opinions::load;
use opinions::tables::{TABLES, Table};
use opinions::{connector, debezium, topic};

type Failed = Box<dyn Error>;

const DATABASE: &str = "opinions";
const TOPIC: &str = "opinions";
/// A table by which readers show that they follow.
const STARTED: &str = "started";
const SEED: u64 = 20;
const TRANSACTIONS: u64 = 400;
/// Between two writes by which readers show that they follow.
const PACE: Duration = Duration::from_millis(200);
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn readers_that_are_not_ours_see_the_same_changes() -> Result<(), Failed> {
    let parts = [Kind::Tidb, Kind::Kafka, Kind::Cdc];
    on_a_lab("second-opinion", "current", &parts, compare)
}

async fn compare(lab: &Lab) -> Result<(), Failed> {
    let kafka = lab.kafka()?;
    let mut session = Session::connect(&lab.endpoint(Kind::Tidb, "mysql")?).await?;
    session.run("SET time_zone = '+00:00'").await?;
    session.run(&format!("CREATE DATABASE {DATABASE}")).await?;
    session.run(&format!("USE {DATABASE}")).await?;
    let started = format!("CREATE TABLE {STARTED} (id INT PRIMARY KEY, n INT)");
    session.run(&started).await?;
    let mut shapes = Shapes::new();
    for table in TABLES {
        session.run(&table.create()).await?;
        let columns = Column::of(&mut session, DATABASE, table.name).await?;
        let key = table.key;
        shapes.insert(table.name, Shape { columns, key });
    }
    changefeed(lab, (TOPIC, 1), DATABASE, "").await?;

    let mariadb = lab.mariadb_port().await?;
    let mut tables = vec![STARTED];
    tables.extend(TABLES.iter().map(|table| table.name));
    for table in &tables {
        kafka.create_topic(&debezium_topic(table), 1, &[]).await?;
    }
    let captured = Captured {
        mariadb: &mariadb.address,
        database: DATABASE,
        tables: &tables,
        settings: debezium::SETTINGS,
    };
    let mut canal = Canal::start(&mariadb.address, DATABASE).await?;
    let (debezium, flink) = tokio::join!(lab.debezium(captured), connector::start());
    let (debezium, mut flink) = (debezium?, flink?);
    begun(&mut session, &kafka, &canal).await?;
    load::first(&mut session).await?;
    let (readable, pd) = (
        connector::readable(&shapes),
        lab.endpoint(Kind::Pd, "client")?,
    );
    let reading = connector::follow(&mut flink, &pd, DATABASE, &readable).await;
    let by_connector = |error| format!("Flink's connector: {error}");
    let mut reading = reading.map_err(by_connector)?;

    load::run(&mut session, SEED, TRANSACTIONS).await?;
    load::end(&mut session).await?;
    let now = pd::tso(&lab.topology().url(Kind::Pd, "client")?).await?;
    lab.cdc()?.reach(TOPIC, now, DEADLINE).await?;
    let ours = told(&kafka, &[TOPIC.to_owned()], &shapes, topic::read).await?;
    let ours = History::of(&shapes, ours)?;
    enough(&ours)?;

    let topics: Vec<String> = TABLES
        .iter()
        .map(|table| debezium_topic(table.name))
        .collect();
    let theirs = up_to_the_end(&kafka, &topics, &shapes, debezium::read).await?;
    debezium.end().await?;
    let theirs = History::of(&shapes, theirs).map_err(|error| format!("Debezium: {error}"))?;
    agree("Debezium", &ours, &theirs, &shapes, true)?;

    let there = poll::until(DEADLINE, || {
        let told = canal.told(&shapes);
        async {
            let told = told?;
            let missing = load::without_end(&shapes, told.iter());
            Ok::<_, Failed>(match missing.is_empty() {
                true => Ok(told),
                false => Err(format!(
                    "canal: the last rows of {missing:?}, of {} changes",
                    told.len()
                )),
            })
        }
    });
    let theirs = History::of(&shapes, there.await??).map_err(|error| format!("canal: {error}"))?;
    agree("canal", &ours, &theirs, &shapes, true)?;

    while !load::without_end(&readable, reading.told.iter()).is_empty() {
        reading.next().await.map_err(by_connector)?;
    }
    let theirs =
        History::of(&readable, reading.told).map_err(|error| by_connector(error.into()))?;
    let ours = told(&kafka, &[TOPIC.to_owned()], &readable, topic::read).await?;
    let ours = History::of(&readable, ours)?;
    agree("Flink's connector", &ours, &theirs, &readable, false)?;
    session.close().await;
    Ok(())
}

fn debezium_topic(table: &str) -> String {
    format!("{DEBEZIUM_PREFIX}.{DATABASE}.{table}")
}

/// Writes to a table until the readers tell of it: they see whatever comes now.
async fn begun(session: &mut Session, kafka: &Kafka, canal: &Canal) -> Result<(), Failed> {
    let begun = poll::until(DEADLINE, || async {
        let told = [
            ("canal", canal.count()),
            (
                "Debezium",
                kafka.read(&debezium_topic(STARTED), &[]).await?.len(),
            ),
        ];
        let missing: Vec<&str> = told
            .iter()
            .filter(|(_, told)| *told == 0)
            .map(|(who, _)| *who)
            .collect();
        Ok::<_, Failed>(match missing.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "nothing from {missing:?}; canal said: {}",
                canal.log()
            )),
        })
    });
    let mut begun = std::pin::pin!(begun);
    loop {
        let sql = format!("INSERT INTO {STARTED} VALUES (1, 1) ON DUPLICATE KEY UPDATE n = n + 1");
        session.run(&sql).await?;
        tokio::select! {
            begun = &mut begun => return Ok(begun??),
            () = tokio::time::sleep(PACE) => {}
        }
    }
}

type Reading = fn(&Record, &Shapes) -> Result<Option<Told>, String>;

async fn told(
    kafka: &Kafka,
    topics: &[String],
    shapes: &Shapes,
    read: Reading,
) -> Result<Vec<Told>, Failed> {
    let mut told = Vec::new();
    for topic in topics {
        for record in kafka.read(topic, &[]).await? {
            told.extend(read(&record, shapes)?);
        }
    }
    Ok(told)
}

/// All that is told, as soon as the last row of each table is.
async fn up_to_the_end(
    kafka: &Kafka,
    topics: &[String],
    shapes: &Shapes,
    read: Reading,
) -> Result<Vec<Told>, Failed> {
    let there = poll::until(DEADLINE, || async {
        let told = told(kafka, topics, shapes, read).await?;
        let missing = load::without_end(shapes, told.iter());
        Ok::<_, Failed>(match missing.is_empty() {
            true => Ok(told),
            false => Err(format!(
                "the last rows of {missing:?}, of {} changes",
                told.len()
            )),
        })
    });
    Ok(there.await??)
}

/// Fails if they do not, and lists how else they tell the same.
fn agree(
    who: &str,
    ours: &History,
    theirs: &History,
    shapes: &Shapes,
    with_transactions: bool,
) -> Result<(), Failed> {
    if let Some(difference) = ours.differs(theirs, with_transactions) {
        return Err(format!("{who} sees other changes: {difference}").into());
    }
    let (changes, keys) = (ours.len(), ours.by_key.len());
    println!(
        "{who}: {changes} changes of {keys} keys are the same; {} and {} that change nothing",
        ours.unchanged, theirs.unchanged
    );
    for (kind, (ours, theirs)) in ours.encodings(theirs, shapes) {
        println!("  {kind}: {ours} | {theirs}");
    }
    Ok(())
}

/// A load that does nothing would be no success.
fn enough(ours: &History) -> Result<(), Failed> {
    let changes = || ours.by_key.values().flatten();
    let updates = changes().filter(|change| change.before.is_some() && change.after.is_some());
    let deletes = changes().filter(|change| change.after.is_none());
    let (updates, deletes) = (updates.count(), deletes.count());
    let told = |table: &&Table| ours.by_key.keys().any(|(name, _)| name == table.name);
    match TABLES.iter().find(|table| !told(table)) {
        Some(table) => Err(format!("nothing of table {}", table.name).into()),
        None if updates < 200 || deletes < 40 => {
            Err(format!("{updates} updates and {deletes} deletes are too few").into())
        }
        None => Ok(()),
    }
}
