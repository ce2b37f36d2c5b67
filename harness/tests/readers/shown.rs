//! What SQL shows of a table.

use harness::observe::sql::{Session, lossy};
use serde_json::Value;

use super::client::{Column, Read};

/// A table by SQL: its columns by `information_schema`, its rows by SELECT, sorted.
pub struct Shown {
    columns: Vec<Described>,
    pub rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug)]
struct Described {
    name: String,
    /// `column_type`.
    kind: String,
    not_null: bool,
    primary: bool,
    auto_increment: bool,
}

impl Described {
    /// How it is selected: as the reader's program shows it.
    fn selected(&self) -> String {
        let Self { name, kind, .. } = self;
        if kind.starts_with("bit") {
            format!("{name} + 0")
        } else if kind.contains("binary") || kind.contains("blob") {
            format!("LOWER(CONCAT('0x', HEX({name})))")
        } else {
            name.clone()
        }
    }

    fn is(&self, column: &Column) -> bool {
        let number = ["int", "decimal", "float", "double"]
            .iter()
            .any(|word| self.kind.contains(word));
        let unsigned = number && self.kind.contains("unsigned");
        let word = self.kind.split([' ', '(']).next().unwrap_or_default();
        self.name == column.name
            && in_the_clients_words(word) == Some(column.kind.as_str())
            && (!number || unsigned == column.unsigned)
            && self.not_null == column.not_null
            && self.primary == column.primary
            && self.auto_increment == column.auto_increment
    }
}

/// What the client calls a type.
fn in_the_clients_words(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "tinyint" => "TypeTiny",
        "smallint" => "TypeShort",
        "mediumint" => "TypeInt24",
        "int" => "TypeLong",
        "bigint" => "TypeLonglong",
        "float" => "TypeFloat",
        "double" => "TypeDouble",
        "decimal" => "TypeNewDecimal",
        "char" | "binary" => "TypeString",
        "varchar" | "varbinary" => "TypeVarchar",
        "tinytext" | "tinyblob" => "TypeTinyBlob",
        "text" | "blob" => "TypeBlob",
        "mediumtext" | "mediumblob" => "TypeMediumBlob",
        "longtext" | "longblob" => "TypeLongBlob",
        "date" => "TypeDate",
        "datetime" => "TypeDatetime",
        "timestamp" => "TypeTimestamp",
        "time" => "TypeDuration",
        "year" => "TypeYear",
        "enum" => "TypeEnum",
        "set" => "TypeSet",
        "bit" => "TypeBit",
        "json" => "TypeJSON",
        _ => return None,
    })
}

pub async fn shown(
    session: &mut Session,
    database: &str,
    table: &str,
) -> Result<Shown, Box<dyn std::error::Error>> {
    let asked = format!(
        "SELECT column_name, column_type, is_nullable, column_key, extra FROM information_schema.columns \
         WHERE table_schema = '{database}' AND table_name = '{table}' ORDER BY ordinal_position"
    );
    let described = session.run(&asked).await?.rows.into_iter().map(|row| {
        let texts: Vec<String> = row
            .into_iter()
            .map(|v| lossy(v.unwrap_or_default()))
            .collect();
        Described {
            name: texts[0].clone(),
            kind: texts[1].to_lowercase(),
            not_null: texts[2] == "NO",
            primary: texts[3] == "PRI",
            auto_increment: texts[4].contains("auto_increment"),
        }
    });
    let columns: Vec<Described> = described.collect();
    let selected: Vec<String> = columns.iter().map(Described::selected).collect();
    let select = format!("SELECT {} FROM {table}", selected.join(", "));
    let rows = session.run(&select).await?.rows.into_iter();
    let mut rows: Vec<Vec<Option<String>>> = rows
        .map(|row| row.into_iter().map(|value| value.map(lossy)).collect())
        .collect();
    rows.iter_mut().flatten().for_each(plain);
    rows.sort();
    Ok(Shown { columns, rows })
}

/// Java writes large and small numbers as `1.0E100`, SQL as `1e100`; JSON has several spellings.
fn plain(text: &mut Option<String>) {
    let Some(text) = text else { return };
    if let Ok(number) = text.parse::<f64>()
        && text.contains(['e', 'E'])
    {
        *text = format!("{number:e}");
    } else if text.starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str::<Value>(text)
    {
        *text = json.to_string();
    }
}

impl Shown {
    /// Fails with what differs.
    pub fn equals(&self, read: &Read) -> Result<(), Box<dyn std::error::Error>> {
        let same = self.columns.len() == read.columns.len()
            && self
                .columns
                .iter()
                .zip(&read.columns)
                .all(|(shown, read)| shown.is(read));
        if !same {
            return Err(format!(
                "columns\n  read  {:?}\n  shown {:?}",
                read.columns, self.columns
            )
            .into());
        }
        let mut rows = read.rows.clone();
        rows.iter_mut().flatten().for_each(plain);
        rows.sort();
        if rows == self.rows {
            return Ok(());
        }
        let pairs = rows.iter().zip(&self.rows).enumerate();
        let pairs = pairs.filter(|(_, (read, shown))| read != shown);
        let different: Vec<String> = pairs
            .map(|(row, (read, shown))| format!("row {row}: {}", self.difference(read, shown)))
            .collect();
        let (read, shown) = (rows.len(), self.rows.len());
        Err(format!("{read} rows read, {shown} shown\n{}", different.join("\n")).into())
    }

    /// The values of a row that are not the same.
    fn difference(&self, read: &[Option<String>], shown: &[Option<String>]) -> String {
        let values = self.columns.iter().zip(read.iter().zip(shown));
        let values = values.filter(|(_, (read, shown))| read != shown);
        let values: Vec<String> = values
            .map(|(column, (read, shown))| {
                format!("{}: {read:?} read, {shown:?} shown", column.name)
            })
            .collect();
        values.join("; ")
    }
}
