//! Options of tables.

use super::cursor::Cursor;
use crate::ast::{StatsValue, TableOption};
use crate::lexer::TokenKind;
use crate::{ParseError, Release};

/// Options that have a number.
const NUMBERS: [&str; 8] = [
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "TABLE_CHECKSUM",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "DELAY_KEY_WRITE",
    "NODEGROUP",
];
/// Options that have a string.
const TEXTS: [&str; 4] = ["COMPRESSION", "CONNECTION", "PASSWORD", "ENCRYPTION"];
const ROW_FORMATS: [&str; 15] = [
    "DEFAULT",
    "DYNAMIC",
    "FIXED",
    "COMPRESSED",
    "REDUNDANT",
    "COMPACT",
    "TOKUDB_DEFAULT",
    "TOKUDB_FAST",
    "TOKUDB_SMALL",
    "TOKUDB_ZLIB",
    "TOKUDB_QUICKLZ",
    "TOKUDB_LZMA",
    "TOKUDB_SNAPPY",
    "TOKUDB_ZSTD",
    "TOKUDB_UNCOMPRESSED",
];

impl Cursor<'_> {
    /// Options one after the other, with commas between them where those do not begin something else.
    pub(super) fn table_options(&mut self, commas: bool) -> Result<Vec<TableOption>, ParseError> {
        let mut options = Vec::new();
        let mut after_comma = false;
        while let Some(option) = self.table_option()? {
            options.push(option);
            after_comma = commas && self.eat_sign(",");
        }
        match after_comma {
            true => Err(self.unexpected()),
            false => Ok(options),
        }
    }

    /// An option, if there is one.
    pub(super) fn table_option(&mut self) -> Result<Option<TableOption>, ParseError> {
        if let Some(option) = self.charset_option()? {
            return Ok(Some(option));
        }
        if let Some(option) = self.partition_option()? {
            return Ok(Some(option));
        }
        if let Some(option) = self.tidb_option()? {
            return Ok(Some(option));
        }
        if let Some(option) = self.stats_option()? {
            return Ok(Some(option));
        }
        if let Some(name) = self.eat_any(&NUMBERS) {
            self.eat_equals();
            return Ok(Some(TableOption::Number(name, self.number()?)));
        }
        if let Some(name) = self.eat_any(&TEXTS) {
            self.eat_equals();
            return Ok(Some(TableOption::Text(name, self.string()?)));
        }
        if self.eat("ROW_FORMAT") {
            self.eat_equals();
            let format = self.expect_any(&ROW_FORMATS)?;
            return Ok(Some(TableOption::Keyword("ROW_FORMAT", format)));
        }
        if self.eat("SECONDARY_ENGINE") {
            self.eat_equals();
            if self.eat("NULL") {
                return Ok(Some(TableOption::SecondaryEngineNull));
            }
            let engine = self.string_or_name()?;
            return Ok(Some(TableOption::Text("SECONDARY_ENGINE", engine)));
        }
        if self.eat("UNION") {
            self.eat_equals();
            return Ok(Some(TableOption::Union(
                self.parenthesised(Self::table_name)?,
            )));
        }
        if self.eat("STORAGE") {
            let media = self.expect_any(&["DISK", "MEMORY"])?;
            return Ok(Some(TableOption::Storage(media)));
        }
        Ok(None)
    }

    fn charset_option(&mut self) -> Result<Option<TableOption>, ParseError> {
        let default = self.eat("DEFAULT");
        if self.eat_charset() {
            self.eat_equals();
            let name = match self.eat("DEFAULT") {
                true => None,
                false => Some(self.charset_name()?),
            };
            return Ok(Some(TableOption::Charset {
                name,
                convert: false,
            }));
        }
        if self.eat("COLLATE") {
            self.eat_equals();
            return Ok(Some(TableOption::Collate(self.collation_name()?)));
        }
        match default {
            true => Err(self.unexpected()),
            false => Ok(None),
        }
    }

    /// Those that partitions have too.
    pub(super) fn partition_option(&mut self) -> Result<Option<TableOption>, ParseError> {
        if self.eat("COMMENT") {
            self.eat_equals();
            return Ok(Some(TableOption::Comment(self.string()?)));
        }
        if self.eat("ENGINE") || self.eat_all(&["STORAGE", "ENGINE"]) {
            self.eat_equals();
            return Ok(Some(TableOption::Engine(self.string_or_name()?)));
        }
        for (name, word) in [("DATA DIRECTORY", "DATA"), ("INDEX DIRECTORY", "INDEX")] {
            if self.eat_all(&[word, "DIRECTORY"]) {
                self.eat_equals();
                return Ok(Some(TableOption::Text(name, self.string()?)));
            }
        }
        if self.eat("INSERT_METHOD") {
            self.eat_equals();
            let method = self.expect_any(&["NO", "FIRST", "LAST"])?;
            return Ok(Some(TableOption::Keyword("INSERT_METHOD", method)));
        }
        if self.eat("TABLESPACE") {
            self.eat_equals();
            return Ok(Some(TableOption::Tablespace(self.name()?)));
        }
        if let Some(name) = self.eat_any(&["MAX_ROWS", "MIN_ROWS", "NODEGROUP"]) {
            self.eat_equals();
            return Ok(Some(TableOption::Number(name, self.number()?)));
        }
        if self.release() >= Release::V6_5 && self.is_word_at(0, "PLACEMENT") {
            return Ok(Some(TableOption::PlacementPolicy(self.placement_policy()?)));
        }
        Ok(None)
    }

    /// `PLACEMENT POLICY [=] name`.
    pub(super) fn placement_policy(&mut self) -> Result<String, ParseError> {
        self.expect_all(&["PLACEMENT", "POLICY"])?;
        if self.eat_all(&["SET", "DEFAULT"]) {
            return Ok("default".to_owned());
        }
        self.eat_equals();
        match self.eat("DEFAULT") {
            true => Ok("default".to_owned()),
            false => self.string_or_name(),
        }
    }

    fn tidb_option(&mut self) -> Result<Option<TableOption>, ParseError> {
        let force = ["AUTO_INCREMENT", "AUTO_RANDOM_BASE"]
            .iter()
            .any(|word| self.is_word_at(1, word))
            && self.eat("FORCE");
        if self.eat("AUTO_INCREMENT") {
            self.eat_equals();
            let value = self.number()?;
            return Ok(Some(TableOption::AutoIncrement { value, force }));
        }
        if self.eat("AUTO_RANDOM_BASE") {
            self.eat_equals();
            let value = self.number()?;
            return Ok(Some(TableOption::AutoRandomBase { value, force }));
        }
        if self.eat("AUTO_ID_CACHE") {
            self.eat_equals();
            return Ok(Some(TableOption::AutoIdCache(self.number()?)));
        }
        if self.eat("SHARD_ROW_ID_BITS") {
            self.eat_equals();
            return Ok(Some(TableOption::ShardRowIdBits(self.number()?)));
        }
        if self.eat("PRE_SPLIT_REGIONS") {
            self.eat_equals();
            return Ok(Some(TableOption::PreSplitRegions(self.number()?)));
        }
        if self.eat_since(Release::V6_5, "TTL") {
            self.eat_equals();
            let column = self.name()?;
            self.expect_sign("+")?;
            self.expect("INTERVAL")?;
            let literal = self.literal()?;
            let interval = literal.ok_or_else(|| self.missing("a constant"))?;
            return Ok(Some(TableOption::Ttl {
                column,
                interval: Box::new(crate::ast::Expr::Literal(interval)),
                unit: self.time_unit()?,
            }));
        }
        if self.eat_since(Release::V6_5, "TTL_ENABLE") {
            self.eat_equals();
            let at = self.mark();
            let on = match self.string()?.to_ascii_uppercase().as_str() {
                "ON" => true,
                "OFF" => false,
                _ => {
                    self.reset(at);
                    return Err(self.missing("'ON' or 'OFF'"));
                }
            };
            return Ok(Some(TableOption::TtlEnable(on)));
        }
        if self.eat_since(Release::V6_5, "TTL_JOB_INTERVAL") {
            self.eat_equals();
            return Ok(Some(TableOption::TtlJobInterval(self.string()?)));
        }
        Ok(None)
    }

    fn stats_option(&mut self) -> Result<Option<TableOption>, ParseError> {
        let forgotten = [
            ("STATS_PERSISTENT", "TableOptionStatsPersistent"),
            ("PACK_KEYS", "TableOptionPackKeys"),
        ];
        for (name, called) in forgotten {
            if self.eat(name) {
                self.eat_equals();
                if !self.eat("DEFAULT") {
                    self.number()?;
                }
                return Ok(Some(TableOption::Forgotten { name, called }));
            }
        }
        if let Some(name) = self.eat_any(&[
            "STATS_AUTO_RECALC",
            "STATS_SAMPLE_PAGES",
            "STATS_BUCKETS",
            "STATS_TOPN",
        ]) {
            self.eat_equals();
            let value = match self.eat("DEFAULT") {
                true => StatsValue::Default,
                false => StatsValue::Value(self.number()?.to_string()),
            };
            return Ok(Some(TableOption::Stats(name, value)));
        }
        if self.eat("STATS_SAMPLE_RATE") {
            self.eat_equals();
            if self.eat("DEFAULT") {
                return Ok(Some(TableOption::Stats(
                    "STATS_SAMPLE_RATE",
                    StatsValue::Default,
                )));
            }
            let number = [TokenKind::Integer, TokenKind::Decimal, TokenKind::Float];
            let token = self.peek().filter(|token| number.contains(&token.kind));
            let token = token.ok_or_else(|| self.missing("a number"))?;
            self.advance();
            let value = StatsValue::Value(token.text.to_owned());
            return Ok(Some(TableOption::Stats("STATS_SAMPLE_RATE", value)));
        }
        if let Some(name) = self.eat_any(&["STATS_COL_CHOICE", "STATS_COL_LIST"]) {
            self.eat_equals();
            return Ok(Some(match self.eat("DEFAULT") {
                true => TableOption::Stats(name, StatsValue::Default),
                false => TableOption::Text(name, self.string()?),
            }));
        }
        Ok(None)
    }

    /// What stands behind SET TIFLASH REPLICA.
    pub(super) fn tiflash_replica(&mut self) -> Result<(u64, Vec<String>), ParseError> {
        let count = self.number()?;
        let labels = match self.eat_all(&["LOCATION", "LABELS"]) {
            true => self.list(Self::string)?,
            false => Vec::new(),
        };
        Ok((count, labels))
    }
}
