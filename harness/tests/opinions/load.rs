//! A random load that is the same in every run: tables of all types and key forms, rows with the edges of each type and without
//! values, transactions of several statements, some of which change a row twice, move it or come to nothing.

use std::error::Error;

use harness::observe::sql::{Session, SqlError};

use super::dice::Dice;
use super::history::{Image, Told};

/// Ids are below this: rows meet often.
const IDS: u64 = 25;
/// The id, or what else the first column is, of a table's last row.
const LAST: u64 = 1000;
/// What a statement may run into: a key that is there.
const DUPLICATE: u16 = 1062;

/// A table: its columns' definitions with values that are literals, and the columns of its key, which the definitions begin with.
pub struct Table {
    pub name: &'static str,
    pub key: &'static [&'static str],
    pub columns: &'static [(&'static str, &'static str, &'static [&'static str])],
    pub rest: &'static str,
}

const TEXTS: &[&str] = &[
    "NULL",
    "''",
    "'a'",
    "'ünïcödé'",
    "'中文🙂'",
    "'with \\'quotes\\' and \\\\'",
    "'line\\nfeed\\ttab'",
    "'NULL'",
];
const SHORT: &[&str] = &["NULL", "''", "'a'", "'A'", "'é'", "'中文'", "'a b'"];
const BYTES: &[&str] = &["NULL", "''", "x'00'", "x'007f80ff'", "'text'", "x'c3a9'"];
const NUMBERS: &[&str] = &["NULL", "0", "1", "-1", "42", "2147483647", "-2147483648"];

/// Dates from 1582-10-15 on: some readers count those before by another calendar.
pub const TABLES: &[Table] = &[
    Table {
        name: "types",
        key: &["id"],
        columns: &[
            ("id", "BIGINT NOT NULL", &[]),
            ("t", "TINYINT", &["NULL", "0", "127", "-128"]),
            ("s", "SMALLINT", &["NULL", "0", "32767", "-32768"]),
            ("m", "MEDIUMINT", &["NULL", "0", "8388607", "-8388608"]),
            ("i", "INT", NUMBERS),
            (
                "l",
                "BIGINT",
                &["NULL", "0", "9223372036854775807", "-9223372036854775808"],
            ),
            ("tu", "TINYINT UNSIGNED", &["NULL", "0", "255"]),
            ("su", "SMALLINT UNSIGNED", &["NULL", "0", "65535"]),
            ("mu", "MEDIUMINT UNSIGNED", &["NULL", "0", "16777215"]),
            ("iu", "INT UNSIGNED", &["NULL", "0", "4294967295"]),
            (
                "lu",
                "BIGINT UNSIGNED",
                &["NULL", "0", "9223372036854775808", "18446744073709551615"],
            ),
            ("bl", "BOOL", &["NULL", "TRUE", "FALSE"]),
            (
                "f",
                "FLOAT",
                &["NULL", "0", "1.5", "-0.1", "3.4e38", "1.2e-38", "16777217"],
            ),
            (
                "d",
                "DOUBLE",
                &[
                    "NULL",
                    "0",
                    "0.1",
                    "-1e100",
                    "1.7976931348623157e308",
                    "2.2250738585072014e-308",
                ],
            ),
            (
                "n",
                "DECIMAL(20, 5)",
                &["NULL", "0", "12.34567", "-999999999999999.99999", "0.00001"],
            ),
            (
                "w",
                "DECIMAL(65, 30)",
                &[
                    "NULL",
                    "0",
                    "1.000000000000000000000000000001",
                    "-99999999999999999999999999999999999.5",
                ],
            ),
            ("c", "CHAR(10)", SHORT),
            ("v", "VARCHAR(100)", TEXTS),
            ("x", "TEXT", TEXTS),
            (
                "xl",
                "LONGTEXT",
                &["NULL", "''", "REPEAT('long ünï ', 2000)"],
            ),
            ("vb", "VARBINARY(20)", BYTES),
            (
                "b",
                "BINARY(4)",
                &["NULL", "x'007f80ff'", "x'01000000'", "'text'", "''"],
            ),
            ("bb", "BLOB", BYTES),
            ("bt", "TINYBLOB", BYTES),
            (
                "da",
                "DATE",
                &[
                    "NULL",
                    "'2024-02-29'",
                    "'1582-10-15'",
                    "'1969-12-31'",
                    "'9999-12-31'",
                ],
            ),
            (
                "dt",
                "DATETIME",
                &[
                    "NULL",
                    "'2024-02-29 12:34:56'",
                    "'1582-10-15 00:00:00'",
                    "'9999-12-31 23:59:59'",
                ],
            ),
            (
                "dt3",
                "DATETIME(3)",
                &[
                    "NULL",
                    "'2024-02-29 12:34:56.789'",
                    "'1969-12-31 23:59:59.999'",
                    "'2000-01-01 00:00:00'",
                ],
            ),
            (
                "dt6",
                "DATETIME(6)",
                &[
                    "NULL",
                    "'2024-02-29 12:34:56.000001'",
                    "'1582-10-15 00:00:00.5'",
                    "'9999-12-31 23:59:59.999999'",
                ],
            ),
            (
                "ts",
                "TIMESTAMP NULL",
                &[
                    "NULL",
                    "'1970-01-01 00:00:01'",
                    "'2024-03-31 02:30:00'",
                    "'2038-01-19 03:14:07'",
                ],
            ),
            (
                "ts6",
                "TIMESTAMP(6) NULL",
                &[
                    "NULL",
                    "'1970-01-01 00:00:01.000001'",
                    "'2024-10-27 01:30:00.25'",
                    "'2038-01-19 03:14:07.999999'",
                ],
            ),
            (
                "tm",
                "TIME",
                &[
                    "NULL",
                    "'00:00:00'",
                    "'23:59:59'",
                    "'-838:59:59'",
                    "'838:59:59'",
                    "'-00:00:01'",
                ],
            ),
            (
                "tm6",
                "TIME(6)",
                &[
                    "NULL",
                    "'-00:00:00.000001'",
                    "'12:34:56.789'",
                    "'838:59:59'",
                    "'-100:00:00.5'",
                ],
            ),
            ("y", "YEAR", &["NULL", "1901", "2155", "2024"]),
            (
                "e",
                "ENUM('one', 'two', 'drei ä')",
                &["NULL", "'one'", "'two'", "'drei ä'"],
            ),
            (
                "st",
                "SET('a', 'b', 'c')",
                &["NULL", "''", "'a'", "'a,c'", "'a,b,c'"],
            ),
            ("b1", "BIT(1)", &["NULL", "b'0'", "b'1'"]),
            (
                "b12",
                "BIT(12)",
                &["NULL", "b'0'", "b'101010101010'", "b'111111111111'"],
            ),
            (
                "b64",
                "BIT(64)",
                &["NULL", "b'0'", "b'1'", "x'ffffffffffffffff'"],
            ),
            (
                "j",
                "JSON",
                &[
                    "NULL",
                    "'null'",
                    "'[]'",
                    "'{\"b\": [1, 2.5, null, true, \"x\"], \"a\": {}}'",
                    "'\"text with \\\\\"quotes\\\\\" ä\"'",
                    "'[9223372036854775807, -9223372036854775808]'",
                    "'-1.5'",
                ],
            ),
        ],
        rest: "PRIMARY KEY (id)",
    },
    Table {
        name: "composite",
        key: &["a", "b"],
        columns: &[
            ("a", "INT NOT NULL", &[]),
            ("b", "VARCHAR(20) NOT NULL", &["'x'", "'y'", "'中'"]),
            ("v", "VARCHAR(40)", TEXTS),
            ("n", "DECIMAL(10, 2)", &["NULL", "0", "-1.25"]),
        ],
        rest: "PRIMARY KEY (a, b) CLUSTERED",
    },
    Table {
        name: "as_index",
        key: &["s"],
        columns: &[
            ("n", "INT NOT NULL", &[]),
            (
                "s",
                "VARCHAR(20) NOT NULL",
                &["'p'", "'q'", "'r'", "'s'", "'t'", "'longer than a group'"],
            ),
            ("v", "VARCHAR(40)", TEXTS),
        ],
        rest: "PRIMARY KEY (s) NONCLUSTERED, KEY (n)",
    },
    Table {
        name: "unique_only",
        key: &["id"],
        columns: &[
            ("id", "INT UNSIGNED NOT NULL", &[]),
            ("v", "VARCHAR(40)", TEXTS),
            ("n", "INT", NUMBERS),
        ],
        rest: "UNIQUE KEY (id)",
    },
    Table {
        name: "two_keys",
        key: &["id"],
        columns: &[
            ("id", "INT NOT NULL", &[]),
            ("u", "INT", NUMBERS),
            ("v", "VARCHAR(40)", TEXTS),
        ],
        rest: "PRIMARY KEY (id), UNIQUE KEY (u)",
    },
    Table {
        name: "in_parts",
        key: &["id"],
        columns: &[
            ("id", "INT NOT NULL", &[]),
            ("v", "VARCHAR(40)", TEXTS),
            (
                "t",
                "TIMESTAMP(3) NULL",
                &["NULL", "'2024-02-29 00:00:00.5'"],
            ),
        ],
        rest: "PRIMARY KEY (id)) PARTITION BY HASH (id) PARTITIONS (3",
    },
    Table {
        name: "computed",
        key: &["id"],
        columns: &[
            ("id", "INT NOT NULL", &[]),
            ("n", "INT", &["NULL", "0", "1", "-7"]),
        ],
        rest: "PRIMARY KEY (id), twice INT AS (n * 2) STORED, again VARCHAR(20) AS (CONCAT('n', n)) STORED",
    },
];

impl Table {
    /// `CREATE TABLE`.
    pub fn create(&self) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, kind, _)| format!("{name} {kind}"))
            .collect();
        let (name, columns) = (self.name, columns.join(", "));
        format!("CREATE TABLE {name} ({columns}, {})", self.rest)
            .replace("PARTITIONS (3)", "PARTITIONS 3")
    }

    /// Values of all columns as literals, with this number where no others are given.
    fn values(&self, dice: &mut Dice, id: u64) -> Vec<(&'static str, String)> {
        let value = |(name, _, values): &(&'static str, &str, &'static [&'static str])| {
            let value = match values {
                [] => id.to_string(),
                values => (*dice.pick(values)).to_owned(),
            };
            (*name, value)
        };
        self.columns.iter().map(value).collect()
    }
}

fn statement(dice: &mut Dice) -> String {
    // Half of all on the table of all types.
    let table = match dice.roll(2) {
        0 => &TABLES[0],
        _ => dice.pick(TABLES),
    };
    let (id, other) = (1 + dice.roll(IDS), 1 + dice.roll(IDS));
    let name = table.name;
    let number = table.columns[0].0;
    let set = |values: Vec<(&str, String)>| {
        let set: Vec<String> = values
            .into_iter()
            .map(|(column, value)| format!("{column} = {value}"))
            .collect();
        set.join(", ")
    };
    let some = |dice: &mut Dice| {
        let mut values = table.values(dice, id);
        values.retain(|(column, _)| !table.key.contains(column) && *column != number);
        let kept = 1 + dice.roll(4) as usize;
        while values.len() > kept {
            let out = dice.roll(values.len() as u64) as usize;
            values.remove(out);
        }
        set(values)
    };
    match dice.roll(12) {
        0..=2 => format!("INSERT INTO {name} SET {}", set(table.values(dice, id))),
        3 => format!(
            "INSERT INTO {name} SET {} ON DUPLICATE KEY UPDATE {}",
            set(table.values(dice, id)),
            some(dice)
        ),
        4 => format!("REPLACE INTO {name} SET {}", set(table.values(dice, id))),
        5..=7 => format!(
            "UPDATE IGNORE {name} SET {} WHERE {number} = {id}",
            some(dice)
        ),
        8 => format!(
            "UPDATE IGNORE {name} SET {} WHERE {number} > {id} ORDER BY {number} LIMIT 4",
            some(dice)
        ),
        9 => format!("UPDATE IGNORE {name} SET {number} = {other} WHERE {number} = {id}"),
        10 => format!("UPDATE {name} SET {number} = {number} WHERE {number} = {id}"),
        _ => format!("DELETE FROM {name} WHERE {number} = {id}"),
    }
}

/// Random transactions, some taken back.
pub async fn run(
    session: &mut Session,
    seed: u64,
    transactions: u64,
) -> Result<(), Box<dyn Error>> {
    let mut dice = Dice::new(seed);
    for _ in 0..transactions {
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..=dice.roll(4) {
            statements.push(statement(&mut dice));
        }
        let end = *dice.pick(&["COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]);
        statements.push(end.to_owned());
        for sql in statements {
            match session.run(&sql).await {
                Err(SqlError::Server {
                    code: DUPLICATE, ..
                }) => {}
                Err(error) => return Err(format!("{sql}: {error}").into()),
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// The last row of each table.
pub async fn end(session: &mut Session) -> Result<(), SqlError> {
    for table in TABLES {
        let of_column = |(name, _, values): &(&str, &str, &[&str])| {
            let value = match (values.is_empty(), table.key.contains(name)) {
                (true, _) => LAST.to_string(),
                (false, true) => format!("'{LAST}'"),
                (false, false) => "NULL".to_owned(),
            };
            format!("{name} = {value}")
        };
        let values: Vec<String> = table.columns.iter().map(of_column).collect();
        session
            .run(&format!(
                "INSERT INTO {} SET {}",
                table.name,
                values.join(", ")
            ))
            .await?;
    }
    Ok(())
}

/// Tables whose last row is not told.
pub fn without_end(told: &[Told]) -> Vec<&'static str> {
    let is_last = |told: &Told, table: &Table| {
        let cell = |image: &Image| {
            image
                .get(table.columns[0].0)
                .and_then(|value| value.cell.clone())
        };
        told.table == table.name && told.after.as_ref().and_then(cell) == Some(LAST.to_string())
    };
    let missing = TABLES
        .iter()
        .filter(|table| !told.iter().any(|told| is_last(told, table)));
    missing.map(|table| table.name).collect()
}
