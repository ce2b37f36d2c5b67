//! `ADMIN …`: what looks at a table's keys in TiKV; and `ANALYZE TABLE`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::served::{Served, refused, select, served, unknown_table};
use super::session::Session;
use super::statement::Route;
use super::text::{Text, literal};
use super::{FrontError, errors};
use crate::client::{Change, Snapshot};
use crate::tidb::apply::rows;
use crate::tidb::catalog::TableInfo;
use crate::tidb::codec::origin::origin_value;
use crate::tidb::codec::{CodecError, crc64, index, keys, row};
use crate::tidb::wire::ErrPacket;

/// `ErrDataInconsistent`.
const INCONSISTENT: u16 = 8223;

impl Session {
    /// `ADMIN …`.
    pub(super) async fn admin(&mut self, text: &Text<'_>) -> Served {
        if text.are(1, &["SHOW", "DDL", "JOBS"]) {
            return self.show_jobs(text, 4).await;
        }
        let check = text.are(1, &["CHECK", "TABLE"]);
        if !check && !text.are(1, &["CHECKSUM", "TABLE"]) {
            let what = format!("ADMIN {}", text.get(1).to_ascii_uppercase());
            return refused(errors::unsupported(&what));
        }
        let tables = match self.tables(text, 3) {
            Ok(tables) => tables,
            Err(refusal) => return refused(refusal),
        };
        let snapshot = self.shared.client.snapshot(self.shared.client.tso().await?);
        if !check {
            return self.checksum(&snapshot, &tables).await;
        }
        for (_, table) in &tables {
            let over_virtual = index::written(table)
                .flat_map(|index| &index.columns)
                .filter_map(|part| table.columns.get(part.offset))
                .any(|column| column.is_virtual());
            if over_virtual {
                return refused(errors::unsupported(
                    "ADMIN CHECK TABLE where indexes have virtual columns",
                ));
            }
            if let Some(fault) = inconsistency(&snapshot, table).await? {
                return refused(ErrPacket::new(INCONSISTENT, "HY000", fault));
            }
        }
        Ok(Ok(Route::Nothing { warnings: vec![] }))
    }

    /// `ANALYZE TABLE`: there are no statistics to collect, but the tables have to exist.
    pub(super) fn analyze(&self, text: &Text<'_>) -> Result<Route, ErrPacket> {
        let mut n = 1;
        while ["INCREMENTAL", "TABLE", "NO_WRITE_TO_BINLOG", "LOCAL"]
            .iter()
            .any(|w| text.is(n, w))
        {
            n += 1;
        }
        loop {
            let after = self.existing_table(text, n)?;
            if !text.is_sign(after, ',') {
                return Ok(Route::Nothing { warnings: vec![] });
            }
            n = after + 1;
        }
    }

    /// The tables of a list from the n-th token on, with the names of their databases.
    fn tables(
        &self,
        text: &Text<'_>,
        mut n: usize,
    ) -> Result<Vec<(String, Arc<TableInfo>)>, ErrPacket> {
        let catalog = self.shared.apply.catalog();
        let mut out = Vec::new();
        loop {
            let (database, name, after) = self.named_table(text, n)?;
            let found = catalog.database(&database).and_then(|db| {
                let table = db.table(&name).filter(|table| table.is_base_table())?;
                Some((db.info.name.o.clone(), Arc::clone(table)))
            });
            out.push(found.ok_or_else(|| unknown_table(&database, &name))?);
            if after == text.tokens.len() {
                return Ok(out);
            }
            if !text.is_sign(after, ',') {
                return Err(errors::syntax_at_token(text, after));
            }
            n = after + 1;
        }
    }

    /// A sum over all keys and values of tables, as TiKV makes it.
    async fn checksum(&self, snapshot: &Snapshot, tables: &[(String, Arc<TableInfo>)]) -> Served {
        let columns = [
            "Db_name",
            "Table_name",
            "Checksum_crc64_xor",
            "Total_kvs",
            "Total_bytes",
        ];
        let mut out = Vec::new();
        for (database, table) in tables {
            let (mut sum, mut pairs, mut bytes) = (0, 0_u64, 0);
            for id in table.physical_ids() {
                let (start, end) = (keys::table_prefix(id), keys::record_end(id));
                let mut from = Some(Bytes::from(start));
                while let Some(start) = from {
                    let (page, next) = snapshot.page(&start, &end).await?;
                    for pair in page {
                        sum ^= crc64::of(&[&pair.key, &pair.value]);
                        pairs += 1;
                        bytes += pair.key.len() + pair.value.len();
                    }
                    from = next;
                }
            }
            out.push(vec![
                literal(database),
                literal(&table.name.o),
                sum.to_string(),
                pairs.to_string(),
                bytes.to_string(),
            ]);
        }
        served(select(&columns, &out))
    }
}

/// How the rows of a table and the entries of its indexes differ, if they do.
async fn inconsistency(
    snapshot: &Snapshot,
    table: &TableInfo,
) -> Result<Option<String>, FrontError> {
    for id in table.physical_ids() {
        let prefix = keys::record_prefix(id);
        let records = snapshot.scan(&prefix, &keys::record_end(id)).await?;
        let mut wanted = BTreeMap::new();
        for record in records {
            if let Err(error) = add_entries(&mut wanted, table, id, &record.key, &record.value) {
                let key = hex::encode(&record.key);
                let fault = format!(
                    "data inconsistency in table: {}, record {key}: {error}",
                    table.name.o
                );
                return Ok(Some(fault));
            }
        }
        let found = snapshot.scan(&keys::table_prefix(id), &prefix).await?;
        let mut found: BTreeMap<Bytes, Bytes> = found
            .into_iter()
            .map(|pair| (pair.key, pair.value))
            .collect();
        for (key, change) in wanted {
            let Change::Put(value) = change else { continue };
            if found.remove(&key) != Some(value) {
                return Ok(Some(at_entry(table, &key, "lacks a record's entry")));
            }
        }
        if let Some(key) = found.keys().next() {
            return Ok(Some(at_entry(table, key, "has an entry without a record")));
        }
    }
    Ok(None)
}

fn at_entry(table: &TableInfo, key: &[u8], what: &str) -> String {
    let index = table.indexes.iter().find(|index| {
        keys::table_of(key).is_some_and(|id| key.starts_with(&keys::index_prefix(id, index.id)))
    });
    let name = index.map_or("", |index| &index.name.o);
    format!(
        "data inconsistency in table: {}, index: {name}, which {what}: {}",
        table.name.o,
        hex::encode(key)
    )
}

/// The entries that a record has to have.
fn add_entries(
    wanted: &mut BTreeMap<Bytes, Change>,
    table: &TableInfo,
    id: i64,
    key: &[u8],
    value: &[u8],
) -> Result<(), CodecError> {
    let (_, handle) = keys::decode_record_key(key)?;
    let values = row::decode_row(table, &handle, value, origin_value)?;
    let row = index::Row {
        physical_id: id,
        values: &values,
        handle: &handle,
    };
    rows::put_entries(wanted, table, index::written(table), row)
}
