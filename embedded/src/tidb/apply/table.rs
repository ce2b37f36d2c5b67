//! From the row images of a table to its keys and values in TiKV.

use std::sync::Arc;

use super::ApplyError;
use super::binlog::BinlogError;
use super::binlog::event::{RowsEvent, RowsKind, TableMap};
use super::binlog::value;
use super::effect::NetEffect;
use super::rows::{self, Image};
use crate::tidb::catalog::TableInfo;
use crate::tidb::catalog::auto_ids::Counter;
use crate::tidb::codec::Datum;
use crate::tidb::partition::Partitioning;
use crate::tidb::wire::Reader;

/// The invisible column that tells apart the rows of a table without a clustered primary key.
pub const ROW_ID: &str = "_tidb_rowid";

/// Where a column of MariaDB's goes.
#[derive(Debug, Clone, Copy)]
enum Target {
    Column(usize),
    RowId,
}

/// A table as the binlog describes it, matched with TiDB's.
#[derive(Debug)]
pub struct TableMapping {
    wire: TableMap,
    info: Arc<TableInfo>,
    partitions: Option<Arc<Partitioning>>,
    targets: Vec<Target>,
    /// Counters that its rows use, and the column of each.
    counters: Vec<(Counter, Option<usize>)>,
}

impl TableMapping {
    /// Matches columns by their names.
    pub fn new(
        wire: TableMap,
        info: Arc<TableInfo>,
        partitions: Option<Arc<Partitioning>>,
    ) -> Result<Self, ApplyError> {
        let differs = |why: String| ApplyError::Columns {
            table: full_name(&wire),
            why,
        };
        let targets = wire
            .columns
            .iter()
            .map(|column| match info.column(&column.name) {
                Some(found) => Ok(Target::Column(found.offset)),
                None if column.name == ROW_ID => Ok(Target::RowId),
                None => Err(differs(format!(
                    "TiDB's schema has no column {:?}",
                    column.name
                ))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let absent = info.columns.iter().find(|column| {
            !column.is_virtual() && wire.columns.iter().all(|w| !column.name.is(&w.name))
        });
        if let Some(column) = absent {
            return Err(differs(format!(
                "MariaDB has no column {:?}",
                column.name.o
            )));
        }
        Ok(Self {
            counters: counters(&info),
            wire,
            info,
            partitions,
            targets,
        })
    }

    /// Takes over the rows of an event.
    pub fn apply(&self, event: &RowsEvent, effect: &mut NetEffect) -> Result<(), ApplyError> {
        if event.width != self.targets.len() {
            return Err(ApplyError::Columns {
                table: full_name(&self.wire),
                why: format!(
                    "a row has {} columns, its description {}",
                    event.width,
                    self.targets.len()
                ),
            });
        }
        let mut images = Reader::new(&event.images, "a row image");
        while !images.is_empty() {
            let image = self.image(&mut images)?;
            let table = self.physical(&image)?;
            match event.kind {
                RowsKind::Write => {
                    self.count(&image, effect);
                    rows::insert(table, &image, effect)
                }
                RowsKind::Delete => rows::delete(table, &image, effect),
                RowsKind::Update => {
                    let after = self.image(&mut images)?;
                    let to = self.physical(&after)?;
                    self.count(&after, effect);
                    if table.id == to.id {
                        rows::update(table, &image, &after, effect)
                    } else {
                        rows::delete(table, &image, effect)
                            .and_then(|()| rows::insert(to, &after, effect))
                    }
                }
            }
            .map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    fn image(&self, r: &mut Reader<'_>) -> Result<Image, BinlogError> {
        let nulls = r.take(self.targets.len().div_ceil(8))?;
        let mut image = Image {
            values: vec![Datum::Null; self.info.columns.len()],
            row_id: None,
        };
        for (i, (target, wire)) in self.targets.iter().zip(&self.wire.columns).enumerate() {
            if nulls[i / 8] & (1 << (i % 8)) != 0 {
                continue;
            }
            let failed = |error: value::ValueError| BinlogError::Value {
                table: full_name(&self.wire),
                column: wire.name.clone(),
                why: error.to_string(),
            };
            match target {
                Target::RowId => {
                    image.row_id = Some(value::read_row_id(r, wire).map_err(failed)?);
                }
                Target::Column(offset) => {
                    let column = &self.info.columns[*offset];
                    image.values[*offset] =
                        value::read(r, wire, column, self.info.written_by()).map_err(failed)?;
                }
            }
        }
        Ok(image)
    }

    /// The table that keeps a row: its partition, which has the table's description under its own id.
    fn physical(&self, image: &Image) -> Result<&Arc<TableInfo>, ApplyError> {
        match &self.partitions {
            None => Ok(&self.info),
            Some(partitions) => Ok(partitions.locate(&image.values)?),
        }
    }

    /// Takes note of the counters' values in a row.
    fn count(&self, image: &Image, effect: &mut NetEffect) {
        for (counter, column) in &self.counters {
            let value = match column.map(|offset| &image.values[offset]) {
                None => image.row_id,
                Some(Datum::Int(value)) => Some(*value),
                Some(Datum::Uint(value)) => Some(i64::try_from(*value).unwrap_or(i64::MAX)),
                Some(_) => None,
            };
            let value = value.map(|value| match counter {
                Counter::RowId if self.info.shard_row_id_bits > 0 => {
                    value & (i64::MAX >> self.info.shard_row_id_bits.min(62))
                }
                Counter::AutoRandom => {
                    value & ((1 << self.info.auto_random_incremental_bits().min(62)) - 1)
                }
                _ => value,
            });
            if let Some(value) = value {
                effect.count(self.info.id, *counter, value);
            }
        }
    }

    fn failed(&self, source: crate::tidb::codec::CodecError) -> ApplyError {
        ApplyError::Row {
            table: full_name(&self.wire),
            source,
        }
    }
}

fn counters(info: &TableInfo) -> Vec<(Counter, Option<usize>)> {
    let row_id = info.has_row_id().then_some((Counter::RowId, None));
    let increment = info
        .auto_increment_column()
        .map(|c| (Counter::AutoIncrement, Some(c.offset)));
    let random = info
        .auto_random_column()
        .map(|c| (Counter::AutoRandom, Some(c.offset)));
    [row_id, increment, random].into_iter().flatten().collect()
}

/// Database and table, for messages.
pub fn full_name(wire: &TableMap) -> String {
    format!("`{}`.`{}`", wire.schema, wire.table)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::tidb::apply::Gtid;
    use crate::tidb::apply::binlog::event::Event;
    use crate::tidb::catalog::TidbVersion;
    use crate::tidb::catalog::model::{CiStr, ColumnInfo, Tp, flag};
    use crate::tidb::codec::{Decimal, Duration, Time, json as binary_json};

    /// Events of MariaDB 10.11: a table with a column of each type, and a row of it.
    const GTID: &str =
        "1ca5056ba201000000260000006e03000008000700000000000000000000000c000000000000";
    const TABLE: &str = "1ca5056b1301000000ba00000058050000000017000000000001000174000274790018010109080405f60d0a1211131313fe0ffe0ffcfc\
         fefe10fc1a04080e040306020600fe28b004fe0505000202f701f801040104ffffff01015102072e023f033f053f044002693102753102\
         69330275380166016402646501790264610264740274730274690374693602743001630176016202766202747802626c01650173026274\
         016a0a012e05070301780179017a06050201610162";
    const ROW: &str = "1ca5056b170100000086000000e20500000000170000000000010018ffffff000000ffff000080ffffffffffffffff0000c03f00000000\
         000002c07ef204c72dfb2d7c5dd00f99b2ba108311d065dfd78b06f8557fef7cd37fffffffffff4b910502616201007601610161040074\
         6578740400626c6f6202050aaa070000007b2261223a317d";

    fn event(hex: &str) -> Event {
        Event::parse(&Bytes::from(hex::decode(hex).unwrap())).unwrap()
    }

    /// Columns of the recorded table: name, type, flags, length.
    const COLUMNS: [(&str, Tp, u64, i64); 24] = [
        ("i1", Tp::Tiny, 0, 4),
        ("u1", Tp::Tiny, flag::UNSIGNED, 3),
        ("i3", Tp::Int24, 0, 9),
        ("u8", Tp::LongLong, flag::UNSIGNED, 20),
        ("f", Tp::Float, 0, 12),
        ("d", Tp::Double, 0, 22),
        ("de", Tp::NewDecimal, 0, 14),
        ("y", Tp::Year, 0, 4),
        ("da", Tp::Date, 0, 10),
        ("dt", Tp::Datetime, 0, 23),
        ("ts", Tp::Timestamp, 0, 26),
        ("ti", Tp::Duration, 0, 13),
        ("ti6", Tp::Duration, 0, 17),
        ("t0", Tp::Duration, 0, 10),
        ("c", Tp::String, 0, 10),
        ("v", Tp::Varchar, 0, 300),
        ("b", Tp::String, flag::BINARY, 5),
        ("vb", Tp::Varchar, flag::BINARY, 5),
        ("tx", Tp::Blob, 0, 65_535),
        ("bl", Tp::Blob, flag::BINARY, 65_535),
        ("e", Tp::Enum, 0, 1),
        ("s", Tp::Set, 0, 5),
        ("bt", Tp::Bit, flag::UNSIGNED, 12),
        ("j", Tp::Json, flag::BINARY, -1),
    ];

    fn table() -> TableInfo {
        let text = |s: &str| s.to_owned();
        let mut info = TableInfo::new(
            TidbVersion::V8_5,
            104,
            CiStr::new("ty"),
            text("utf8mb4"),
            text("utf8mb4_bin"),
        );
        for (offset, (name, tp, flags, flen)) in COLUMNS.into_iter().enumerate() {
            let binary = flags & flag::BINARY != 0;
            let charset = if binary { "binary" } else { "utf8mb4" };
            let is_float = matches!(tp, Tp::Float | Tp::Double);
            let decimal = if is_float { -1 } else { 0 };
            let column: ColumnInfo = serde_json::from_value(json!({
                "id": offset + 1, "name": {"O": name, "L": name}, "offset": offset, "origin_default": null,
                "default": null, "default_bit": null, "default_is_expr": false, "generated_expr_string": "",
                "generated_stored": false, "dependences": null, "state": 5, "comment": "", "hidden": false,
                "version": 2,
                "type": {"Tp": tp as u8, "Flag": flags, "Flen": flen, "Decimal": decimal, "Charset": charset,
                         "Collate": charset}
            }))
            .unwrap();
            info.columns.push(column);
        }
        info
    }

    fn parts() -> (TableMapping, RowsEvent) {
        let (Event::Table(map), Event::Rows(rows)) = (event(TABLE), event(ROW)) else {
            panic!("the recorded events are a table and its rows");
        };
        (
            TableMapping::new(map, Arc::new(table()), None).unwrap(),
            rows,
        )
    }

    #[test]
    fn a_transaction_begins_with_its_id() {
        assert_eq!(
            event(GTID),
            Event::Begin {
                gtid: Gtid(7),
                standalone: false
            }
        );
    }

    #[test]
    fn every_type_is_read() {
        let (mapping, rows) = parts();
        let mut images = Reader::new(&rows.images, "a row image");
        let image = mapping.image(&mut images).unwrap();
        assert!(images.is_empty());
        let bytes = |s: &str| Datum::Bytes(s.as_bytes().to_vec());
        let date = Time {
            year: 2024,
            month: 2,
            day: 29,
            ..Time::default()
        };
        let at = |micro| {
            Datum::Time(Time {
                hour: 1,
                minute: 2,
                second: 3,
                micro,
                ..date
            })
        };
        let expected = [
            Datum::Int(-1),
            Datum::Uint(255),
            Datum::Int(-8_388_608),
            Datum::Uint(u64::MAX),
            Datum::Float(1.5),
            Datum::Float(-2.25),
            Datum::Decimal("-1234567890.1234".parse::<Decimal>().unwrap()),
            Datum::Int(2024),
            Datum::Time(date),
            at(456_000),
            at(456_789),
            Datum::Duration(Duration::new(true, 1, 2, 3, 450_000)),
            Datum::Duration(Duration::new(true, 0, 0, 0, 1)),
            Datum::Duration(Duration::new(true, 838, 59, 59, 0)),
            bytes("ab"),
            bytes("v"),
            bytes("a\0\0\0\0"),
            bytes("a"),
            bytes("text"),
            bytes("blob"),
            Datum::Uint(2),
            Datum::Uint(0b101),
            Datum::Uint(0b1010_1010_1010),
            Datum::Json(binary_json::from_text(r#"{"a":1}"#, TidbVersion::V8_5).unwrap()),
        ];
        for ((value, expected), (name, ..)) in image.values.iter().zip(expected).zip(COLUMNS) {
            assert_eq!(*value, expected, "{name}");
        }
    }

    #[test]
    fn a_table_that_differs_is_refused() {
        let Event::Table(map) = event(TABLE) else {
            panic!("the recorded event is a table");
        };
        let mut more = map.clone();
        more.columns[3].name = "other".to_owned();
        let error = TableMapping::new(more, Arc::new(table()), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no column \"other\""), "{error}");
        let mut fewer = map;
        fewer.columns.pop();
        let error = TableMapping::new(fewer, Arc::new(table()), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("MariaDB has no column \"j\""), "{error}");
    }

    #[test]
    fn damaged_images_never_panic() {
        let (mapping, rows) = parts();
        for cut in 0..rows.images.len() {
            let event = RowsEvent {
                images: rows.images.slice(..cut),
                ..rows.clone()
            };
            let outcome = mapping.apply(&event, &mut NetEffect::default());
            assert_eq!(outcome.is_ok(), cut == 0, "cut at {cut}");
        }
    }
}
