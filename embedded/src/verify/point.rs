//! A point at which MariaDB and TiKV can be compared while clients write.
//!
//! MariaDB tells the binlog position of a snapshot that it takes. Each transaction of the binlog is one of TiKV's, which
//! carries the position (`ARCHITECTURE.md`, "One write, one position"): the timestamp of the first one at that position is
//! the same moment.

use std::time::Instant;

use super::VerifyError;
use super::mariadb::MariaDb;
use crate::client::{Client, Ts};
use crate::tidb::apply::Gtid;
use crate::tidb::apply::Intent;
use crate::tidb::apply::record::Applied;

/// The same moment on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) ts: Ts,
    pub(super) gtid: Gtid,
    /// The schema's version as of then.
    schema: i64,
}

/// A point, or why there is none just now.
pub(super) enum Found {
    Point(Point),
    Disturbed(String),
}

/// Opens MariaDB's snapshot and finds its timestamp, waiting for TiKV until `deadline`.
pub(super) async fn find(
    client: &Client,
    mariadb: &mut MariaDb,
    deadline: Instant,
) -> Result<Found, VerifyError> {
    let mut before = client.tso().await?;
    let gtid = mariadb.open_snapshot().await?;
    let mut after = loop {
        let now = client.tso().await?;
        let applied = applied(client, now).await?;
        if applied >= gtid {
            break now;
        }
        if Instant::now() >= deadline {
            return Ok(Found::Disturbed(format!(
                "TiKV is at {applied}, MariaDB at {gtid}"
            )));
        }
        tokio::time::sleep(super::PAUSE).await;
    };
    if applied(client, before).await? >= gtid {
        after = before;
    }
    // The first timestamp at which TiKV has come so far lies between.
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        match applied(client, middle).await? >= gtid {
            true => after = middle,
            false => before = middle,
        }
    }
    let found = applied(client, after).await?;
    if found != gtid {
        return Ok(Found::Disturbed(format!(
            "no transaction of TiKV ends at {gtid}, the next one at {found}"
        )));
    }
    if let Some(intent) = Intent::load(&client.snapshot(after)).await? {
        return Ok(Found::Disturbed(under_way(&intent)));
    }
    Ok(Found::Point(Point {
        ts: after,
        gtid,
        schema: schema_version(client, after).await?,
    }))
}

/// What a DDL statement has done to the schema since a point.
pub(super) async fn disturbed(
    client: &Client,
    point: Point,
) -> Result<Option<String>, VerifyError> {
    let now = client.tso().await?;
    if let Some(intent) = Intent::load(&client.snapshot(now)).await? {
        return Ok(Some(under_way(&intent)));
    }
    let version = schema_version(client, now).await?;
    Ok((version != point.schema).then(|| {
        format!(
            "the schema went from version {} to {version} meanwhile",
            point.schema
        )
    }))
}

fn under_way(intent: &Intent) -> String {
    format!("a DDL statement is under way: {}", intent.sql)
}

async fn applied(client: &Client, ts: Ts) -> Result<Gtid, VerifyError> {
    match Applied::load(&client.snapshot(ts)).await? {
        Some(applied) => Ok(applied.gtid()?),
        None => Ok(Gtid(0)),
    }
}

/// `SchemaVersionKey` (`docs/spec/tidb-schema.md §5`).
async fn schema_version(client: &Client, ts: Ts) -> Result<i64, VerifyError> {
    const KEY: &[u8] = b"mSchemaVe\xffrsionKey\xff\0\0\0\0\0\0\0\0\xf7\0\0\0\0\0\0\0s";
    let value = client.snapshot(ts).get(KEY).await?;
    let text = value.as_deref().map(String::from_utf8_lossy);
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}
