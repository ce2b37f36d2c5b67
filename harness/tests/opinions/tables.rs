//! The tables of the load: all types and key forms, with the edges of each type.

use super::dice::Dice;

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
                &["NULL", "'2024-02-29 12:34:56.789'", "'2000-01-01 00:00:00'"],
            ),
            (
                "dt6",
                "DATETIME(6)",
                &[
                    "NULL",
                    "'2024-02-29 12:34:56.000001'",
                    "'9999-12-31 23:59:59.999999'",
                ],
            ),
            (
                "past",
                "DATETIME(6)",
                &[
                    "NULL",
                    "'1969-12-31 23:59:59.999999'",
                    "'1582-10-15 00:00:00.5'",
                    "'1900-01-01 00:00:00.000001'",
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
    pub fn values(&self, dice: &mut Dice, id: u64) -> Vec<(&'static str, String)> {
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
