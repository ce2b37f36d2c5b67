//! A TiDB table declared as a Flink table over its topic.

use std::fmt::Write as _;

use crate::observe::sql::{Session, SqlError, lossy, quoted};

/// A column as `information_schema` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `DATA_TYPE`, e.g. `decimal`.
    pub data_type: String,
    /// `COLUMN_TYPE`, e.g. `decimal(10,2) unsigned`.
    pub column_type: String,
    /// Whether it is part of the primary key.
    pub primary: bool,
}

impl Column {
    /// The columns of a table, in order; none if there is no such table.
    ///
    /// # Errors
    /// [`SqlError`].
    pub async fn of(
        session: &mut Session,
        database: &str,
        table: &str,
    ) -> Result<Vec<Column>, SqlError> {
        let sql = format!(
            "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COLUMN_KEY FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = '{}' AND TABLE_NAME = '{}' ORDER BY ORDINAL_POSITION",
            literal(database),
            literal(table)
        );
        let rows = session.run(&sql).await?.rows;
        let text = |value: &Option<Vec<u8>>| lossy(value.clone().unwrap_or_default());
        Ok(rows
            .iter()
            .map(|row| Column {
                name: text(&row[0]),
                data_type: text(&row[1]).to_ascii_lowercase(),
                column_type: text(&row[2]).to_ascii_lowercase(),
                primary: text(&row[3]) == "PRI",
            })
            .collect())
    }

    fn unsigned(&self) -> bool {
        self.column_type.contains("unsigned")
    }

    /// The numbers in parentheses of the column's type.
    fn sizes(&self) -> Vec<u32> {
        let inside = self
            .column_type
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .map_or("", |(inside, _)| inside);
        inside
            .split(',')
            .filter_map(|n| n.trim().parse().ok())
            .collect()
    }

    /// The Flink type that loses nothing of the column's canal-json text.
    fn flink_type(&self) -> String {
        let (size, unsigned) = (self.sizes(), self.unsigned());
        match self.data_type.as_str() {
            "tinyint" if !unsigned => "TINYINT".to_owned(),
            "tinyint" => "SMALLINT".to_owned(),
            "smallint" if !unsigned => "SMALLINT".to_owned(),
            "smallint" | "mediumint" | "year" | "enum" => "INT".to_owned(),
            "int" if !unsigned => "INT".to_owned(),
            "int" => "BIGINT".to_owned(),
            "bigint" if !unsigned => "BIGINT".to_owned(),
            "bigint" | "bit" | "set" => "DECIMAL(20, 0)".to_owned(),
            // Flink's DECIMAL ends at 38 digits; wider ones are kept as text.
            "decimal" => match (
                size.first().copied().unwrap_or(10),
                size.get(1).copied().unwrap_or(0),
            ) {
                (precision, scale) if precision <= 38 => format!("DECIMAL({precision}, {scale})"),
                _ => "STRING".to_owned(),
            },
            "float" => "FLOAT".to_owned(),
            "double" => "DOUBLE".to_owned(),
            "date" => "DATE".to_owned(),
            "datetime" | "timestamp" => {
                format!("TIMESTAMP({})", size.first().copied().unwrap_or(0))
            }
            // TIME goes to ±838 hours, beyond Flink's; binary values are latin-1 text in canal-json.
            _ => "STRING".to_owned(),
        }
    }
}

/// A table over a topic.
#[derive(Debug, Clone)]
pub struct Source {
    /// Kafka's bootstrap servers.
    pub bootstrap: String,
    /// The topic.
    pub topic: String,
    /// The database whose rows count.
    pub database: String,
    /// The table whose rows count.
    pub table: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Whether the topic holds messages that canal-json in Flink cannot read (DDL other than CREATE TABLE).
    pub ignore_parse_errors: bool,
    /// How many changes its messages make (an UPDATE makes two): the end, where Flink cannot bound a topic.
    pub changes: usize,
}

impl Source {
    /// The name of the table in Flink, free of other scenarios' names.
    pub fn flink_name(&self) -> String {
        format!(
            "`{}.{}`",
            self.topic.replace('`', ""),
            self.table.replace('`', "")
        )
    }

    /// `CREATE TABLE`; `modern`: bounded by the topic's present end, and names are patterns (1.12 compares them as they
    /// are).
    pub fn create(&self, modern: bool) -> String {
        let named = |name: &str| match modern {
            true => exactly(name),
            false => name.to_owned(),
        };
        let mut sql = format!("CREATE TABLE {} (", self.flink_name());
        for (index, column) in self.columns.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let _ = write!(
                sql,
                "{comma}{} {}",
                quoted(&column.name),
                column.flink_type()
            );
        }
        let keys: Vec<String> = self
            .columns
            .iter()
            .filter(|c| c.primary)
            .map(|c| quoted(&c.name))
            .collect();
        if !keys.is_empty() {
            let _ = write!(sql, ", PRIMARY KEY ({}) NOT ENFORCED", keys.join(", "));
        }
        let mut options = vec![
            ("connector", "kafka".to_owned()),
            ("topic", self.topic.clone()),
            ("properties.bootstrap.servers", self.bootstrap.clone()),
            ("properties.group.id", format!("cdclab-{}", self.topic)),
            ("scan.startup.mode", "earliest-offset".to_owned()),
            ("format", "canal-json".to_owned()),
            ("canal-json.database.include", named(&self.database)),
            ("canal-json.table.include", named(&self.table)),
        ];
        if modern {
            options.push(("scan.bounded.mode", "latest-offset".to_owned()));
        }
        if self.ignore_parse_errors {
            options.push(("canal-json.ignore-parse-errors", "true".to_owned()));
        }
        let options: Vec<String> = options
            .iter()
            .map(|(name, value)| format!("'{name}' = '{}'", literal(value)))
            .collect();
        let _ = write!(sql, ") WITH ({})", options.join(", "));
        sql
    }

    /// `SELECT` of all columns.
    pub fn select(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|c| quoted(&c.name)).collect();
        format!("SELECT {} FROM {}", names.join(", "), self.flink_name())
    }

    /// `DROP TABLE`.
    pub fn drop(&self) -> String {
        format!("DROP TABLE IF EXISTS {}", self.flink_name())
    }
}

/// A regular expression for exactly this text.
fn exactly(text: &str) -> String {
    format!("^{}$", regex::escape(text))
}

fn literal(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(data_type: &str, column_type: &str) -> Column {
        Column {
            name: "c".into(),
            data_type: data_type.into(),
            column_type: column_type.into(),
            primary: false,
        }
    }

    #[test]
    fn types_lose_nothing() {
        for (data_type, column_type, flink) in [
            ("int", "int(11)", "INT"),
            ("int", "int(10) unsigned", "BIGINT"),
            ("bigint", "bigint(20) unsigned", "DECIMAL(20, 0)"),
            ("decimal", "decimal(10,2)", "DECIMAL(10, 2)"),
            ("decimal", "decimal(65,30)", "STRING"),
            ("datetime", "datetime(6)", "TIMESTAMP(6)"),
            ("timestamp", "timestamp", "TIMESTAMP(0)"),
            ("varbinary", "varbinary(9)", "STRING"),
        ] {
            assert_eq!(
                column(data_type, column_type).flink_type(),
                flink,
                "{column_type}"
            );
        }
    }

    #[test]
    fn names_are_quoted_and_matched_exactly() {
        let source = Source {
            bootstrap: "127.0.0.1:9092".into(),
            topic: "t".into(),
            database: "d".into(),
            table: "a.b".into(),
            columns: vec![column("int", "int(11)")],
            ignore_parse_errors: false,
            changes: 0,
        };
        let sql = source.create(true);
        assert!(
            sql.contains(r"'canal-json.table.include' = '^a\.b$'"),
            "{sql}"
        );
        assert!(
            sql.contains("'scan.bounded.mode' = 'latest-offset'"),
            "{sql}"
        );
        let old = source.create(false);
        assert!(
            old.contains("'canal-json.table.include' = 'a.b'") && !old.contains("bounded"),
            "{old}"
        );
    }
}
