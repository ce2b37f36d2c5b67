//! `SHOW TABLE … REGIONS` and `SPLIT TABLE`.

use bytes::Bytes;

use super::errors;
use super::pd::boundary;
use super::served::{Served, filtered, no_database, refused, select, served, unknown_table};
use super::session::Session;
use super::text::{Kind, Text, literal};
use crate::tidb::catalog::{TableInfo, TidbVersion};
use crate::tidb::codec::{Handle, keys as codec};
use crate::tidb::wire::ErrPacket;

/// `ErrInvalidSplitRegionRanges`.
const SPLIT_RANGES: u16 = 8212;
/// `ER_UNKNOWN_ERROR`.
const UNKNOWN: u16 = 1105;
/// Rows that a region has to have room for.
const MIN_STEP: i128 = 1000;
/// Regions that one statement may ask for.
const MAX_REGIONS: i64 = 1000;
/// Length of an int handle.
const INT_HANDLE_LEN: usize = 8;

const COLUMNS: [&str; 11] = [
    "REGION_ID",
    "START_KEY",
    "END_KEY",
    "LEADER_ID",
    "LEADER_STORE_ID",
    "PEERS",
    "SCATTERING",
    "WRITTEN_BYTES",
    "READ_BYTES",
    "APPROXIMATE_SIZE(MB)",
    "APPROXIMATE_KEYS",
];
const COLUMNS_OF_8_5: [&str; 2] = ["SCHEDULING_CONSTRAINTS", "SCHEDULING_STATE"];

/// Where rows of an int handle are to be cut.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// So many pieces between two.
    Between(i64, i64, i64),
    /// At these.
    By(Vec<i64>),
}

impl Session {
    /// The regions of a table, of all its partitions.
    pub(super) async fn show_regions(
        &mut self,
        text: &Text<'_>,
        info: &TableInfo,
        n: usize,
    ) -> Served {
        let modern = self.shared.version >= TidbVersion::V8_5;
        let mut columns = COLUMNS.to_vec();
        if modern {
            columns.extend(COLUMNS_OF_8_5);
        }
        let all = self.shared.pd_api.regions().await?;
        let mut rows = Vec::new();
        for id in info.physical_ids() {
            let (start, end) = (codec::table_prefix(id), codec::table_prefix(id + 1));
            for region in &all {
                let (from, to) = (boundary(region, "start_key")?, boundary(region, "end_key")?);
                if from >= end || (!to.is_empty() && to <= start) {
                    continue;
                }
                let peers = region["peers"].as_array().into_iter().flatten();
                let peers: Vec<String> = peers.map(|peer| peer["id"].to_string()).collect();
                let mut row = vec![
                    region["id"].to_string(),
                    literal(&shown_key(id, &from)),
                    literal(&shown_key(id, &to)),
                    region["leader"]["id"].to_string(),
                    region["leader"]["store_id"].to_string(),
                    literal(&peers.join(", ")),
                    "0".to_owned(),
                    region["written_bytes"].to_string(),
                    region["read_bytes"].to_string(),
                    region["approximate_size"].to_string(),
                    region["approximate_keys"].to_string(),
                ];
                if modern {
                    row.extend([literal(""), literal("")]);
                }
                rows.push(row);
            }
        }
        match filtered(&select(&columns, &rows), "REGION_ID", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    /// `SPLIT [REGION FOR] [PARTITION] TABLE t BETWEEN (…) AND (…) REGIONS n`, `… BY (…), (…)`.
    pub(super) async fn split(&mut self, text: &Text<'_>) -> Served {
        let mut n = 1;
        if text.are(n, &["REGION", "FOR"]) {
            n += 2;
        }
        n += usize::from(text.is(n, "PARTITION"));
        if !text.is(n, "TABLE") {
            return refused(errors::syntax_at_token(text, n));
        }
        let Some((database, name, n)) = text.full_name(n + 1) else {
            return refused(errors::syntax_at_token(text, n + 1));
        };
        let Some(database) = database.or_else(|| self.database.clone()) else {
            return refused(no_database());
        };
        if !self.rights().await?.may("INSERT", &database, &name) {
            return refused(self.denied("INSERT", &name));
        }
        let catalog = self.shared.apply.catalog();
        let Some(info) = catalog.table(&database, &name) else {
            return refused(unknown_table(&database, &name));
        };
        if text.is(n, "INDEX") || text.is(n, "PARTITION") {
            let what = format!("SPLIT TABLE … {}", text.get(n).to_ascii_uppercase());
            return refused(errors::unsupported(&what));
        }
        if info.common_handle_index().is_some() || !info.is_base_table() {
            return refused(errors::unsupported(
                "SPLIT TABLE where rows have no integer handle",
            ));
        }
        let cut = match self.cut(text, n).await? {
            Ok(cut) => cut,
            Err(refusal) => return refused(refusal),
        };
        let handles = match handles(&cut, &info.name.o, self.shared.version) {
            Ok(handles) => handles,
            Err(refusal) => return refused(refusal),
        };
        let mut wanted: Vec<Bytes> = Vec::new();
        for id in info.physical_ids() {
            // What lies before the rows: the entries of indexes get a region of their own.
            if !info.indexes.is_empty() {
                wanted.push(codec::record_prefix(id).into());
            }
            let cuts = handles
                .iter()
                .map(|h| codec::record_key(id, &Handle::Int(*h)).into());
            wanted.extend(cuts);
        }
        let made = self.shared.client.split_at(wanted).await?;
        let columns = ["TOTAL_SPLIT_REGION", "SCATTER_FINISH_RATIO"];
        served(select(&columns, &[vec![made.to_string(), "1".to_owned()]]))
    }

    async fn cut(
        &mut self,
        text: &Text<'_>,
        n: usize,
    ) -> Result<Result<Cut, ErrPacket>, super::FrontError> {
        let mut values = Vec::new();
        let between = text.is(n, "BETWEEN");
        if !between && !text.is(n, "BY") {
            return Ok(Err(errors::syntax_at_token(text, n)));
        }
        let mut n = n + 1;
        loop {
            let (value, after) = match integer(text, n) {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            values.push(value);
            n = after;
            let more = if between {
                text.is(n, "AND")
            } else {
                text.is_sign(n, ',')
            };
            if !more {
                break;
            }
            n += 1;
        }
        if !between {
            return Ok(match n == text.tokens.len() {
                true => Ok(Cut::By(values)),
                false => Err(errors::syntax_at_token(text, n)),
            });
        }
        let number = text
            .get(n + 1)
            .parse()
            .ok()
            .filter(|_| text.is(n, "REGIONS"));
        Ok(match (values.as_slice(), number) {
            ([low, high], Some(number)) => Ok(Cut::Between(*low, *high, number)),
            _ => Err(errors::syntax_at_token(text, n)),
        })
    }
}

/// `(number)` at the n-th token, and the place after it.
fn integer(text: &Text<'_>, n: usize) -> Result<(i64, usize), ErrPacket> {
    if !text.is_sign(n, '(') {
        return Err(errors::syntax_at_token(text, n));
    }
    let minus = usize::from(text.is_sign(n + 1, '-'));
    let at = n + 1 + minus;
    let number = text
        .tokens
        .get(at)
        .filter(|token| token.kind == Kind::Number && text.is_sign(at + 1, ')'))
        .and_then(|token| {
            let sign = if minus == 1 { "-" } else { "" };
            format!("{sign}{}", text.of(token)).parse::<i64>().ok()
        });
    let Some(number) = number else {
        return Err(errors::unsupported(
            "SPLIT TABLE by values other than integers",
        ));
    };
    Ok((number, at + 2))
}

/// The handles at which regions are to begin, or why they cannot.
fn handles(cut: &Cut, table: &str, release: TidbVersion) -> Result<Vec<i64>, ErrPacket> {
    let (low, high, number) = match cut {
        Cut::By(values) => return Ok(values.clone()),
        Cut::Between(low, high, number) => (*low, *high, *number),
    };
    let refuse = |code: u16, message: String| Err(ErrPacket::new(code, "HY000", message));
    let code = match release {
        TidbVersion::V4_0 => UNKNOWN,
        TidbVersion::V8_5 => SPLIT_RANGES,
    };
    if number <= 0 || number > MAX_REGIONS {
        let message = match number <= 0 {
            true => "Split table region num should more than 0".to_owned(),
            false => format!("Split table region num exceeded the limit {MAX_REGIONS}"),
        };
        return refuse(UNKNOWN, message);
    }
    if low >= high {
        let message = format!(
            "Split table `{table}` region lower value {low} should less than the upper value {high}"
        );
        return refuse(code, message);
    }
    let (low, high) = (i128::from(low), i128::from(high));
    let step = (high - low) / i128::from(number);
    if step < MIN_STEP {
        let message = match release {
            TidbVersion::V4_0 => format!(
                "Split table `{table}` region step value should more than {MIN_STEP}, step {step} is invalid"
            ),
            TidbVersion::V8_5 => format!(
                "Failed to split region ranges: the region size is too small, expected at least {MIN_STEP}, but got {step}"
            ),
        };
        return refuse(code, message);
    }
    let handles = (1..number).map(|i| low + i128::from(i) * step);
    Ok(handles
        .filter_map(|handle| i64::try_from(handle).ok())
        .collect())
}

/// A key as TiDB shows it to one who asks about a table.
fn shown_key(table: i64, key: &[u8]) -> String {
    let int = |bytes: &[u8]| -> Option<i64> {
        let bytes: [u8; INT_HANDLE_LEN] = bytes.get(..INT_HANDLE_LEN)?.try_into().ok()?;
        Some((u64::from_be_bytes(bytes) ^ (1 << 63)) as i64)
    };
    if let Some(handle) = key.strip_prefix(codec::record_prefix(table).as_slice()) {
        return match (handle.len(), int(handle)) {
            (0, _) => format!("t_{table}_r"),
            (INT_HANDLE_LEN, Some(handle)) => format!("t_{table}_r_{handle}"),
            _ => format!("t_{table}_r_{}", hex::encode(handle)),
        };
    }
    if let Some(rest) = key.strip_prefix(codec::table_prefix(table).as_slice()) {
        return match rest.strip_prefix(b"_i") {
            None => format!("t_{table}_{}", hex::encode(rest)),
            Some(index) => match int(index) {
                Some(id) => format!("t_{table}_i_{id}_{}", hex::encode(&index[INT_HANDLE_LEN..])),
                None => format!("t_{table}_i__{}", hex::encode(index)),
            },
        };
    }
    match key.strip_prefix(b"t") {
        Some(rest) => match int(rest) {
            Some(id) => format!("t_{id}_{}", hex::encode(&rest[INT_HANDLE_LEN..])),
            None => format!("t_{}", hex::encode(rest)),
        },
        None => hex::encode(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_tidb_does() {
        let record = codec::record_key(7, &Handle::Int(-1));
        let index = [
            codec::table_prefix(7),
            b"_i\x80\0\0\0\0\0\0\x01\xab".to_vec(),
        ]
        .concat();
        for (key, shown) in [
            (b"t".to_vec(), "t_"),
            (b"u".to_vec(), "75"),
            (vec![], ""),
            (codec::table_prefix(8), "t_8_"),
            (codec::table_prefix(7), "t_7_"),
            (codec::record_prefix(7), "t_7_r"),
            (record, "t_7_r_-1"),
            (index, "t_7_i_1_ab"),
        ] {
            assert_eq!(shown_key(7, &key), shown);
        }
    }

    #[test]
    fn ranges_are_cut_evenly() {
        let of =
            |low, high, number, release| handles(&Cut::Between(low, high, number), "t", release);
        assert_eq!(
            of(0, 4000, 4, TidbVersion::V8_5),
            Ok(vec![1000, 2000, 3000])
        );
        let small = of(0, 1000, 4, TidbVersion::V8_5).unwrap_err();
        assert_eq!(small.code, SPLIT_RANGES);
        assert!(
            small
                .message
                .ends_with("expected at least 1000, but got 250")
        );
        let whole = of(i64::MIN, i64::MAX, 4, TidbVersion::V8_5).unwrap();
        let quarter = 1_i64 << 62;
        assert_eq!(whole, [-quarter - 1, -2, quarter - 3]);
        let old = of(0, 1000, 4, TidbVersion::V4_0).unwrap_err();
        assert_eq!(
            (old.code, old.message.as_str()),
            (
                1105,
                "Split table `t` region step value should more than 1000, step 250 is invalid"
            )
        );
        assert!(of(5, 5, 1, TidbVersion::V8_5).is_err());
        assert!(of(0, 5000, 0, TidbVersion::V8_5).is_err());
        let all = of(i64::MIN, i64::MAX, 2, TidbVersion::V8_5).unwrap();
        assert_eq!(all, [-1]);
    }
}
