//! Tables of all column types and key forms. Each has a column `v`, which is dropped in the end.

/// A table, and what is done to it.
pub struct Case {
    pub table: &'static str,
    /// `column type` and keys; [`CLUSTERED`] and [`NONCLUSTERED`] stand for the words of releases that know them.
    columns: &'static str,
    /// What comes after the columns.
    pub options: &'static str,
    pub in_4_0: bool,
    pub before: &'static [&'static str],
    pub changes: &'static [&'static str],
}

const NONCLUSTERED: &str = "{nonclustered}";

impl Case {
    pub fn columns(&self, v4: bool) -> String {
        let word = if v4 { "" } else { "NONCLUSTERED" };
        self.columns.replace(NONCLUSTERED, word)
    }
}

/// Within what the client can read: its dates are Java's, whose old calendar is another one before 1582-10-15 and has no
/// zero dates; in JSON it reads unsigned numbers as signed ones; a column that was added with a default has none in the rows before.
pub const CASES: &[Case] = &[
    Case {
        table: "types",
        columns: "id BIGINT PRIMARY KEY, t TINYINT, s SMALLINT, m MEDIUMINT, i INT, tu TINYINT UNSIGNED, \
                  su SMALLINT UNSIGNED, mu MEDIUMINT UNSIGNED, iu INT UNSIGNED, bu BIGINT UNSIGNED, bl BOOL, f FLOAT, d DOUBLE, \
                  n DECIMAL(20, 5), w DECIMAL(65, 30), c CHAR(10), v VARCHAR(100), x TEXT, xl LONGTEXT, b BINARY(4), \
                  vb VARBINARY(20), l BLOB, lt TINYBLOB, da DATE, dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, \
                  ts3 TIMESTAMP(3) NULL, tm TIME, tm6 TIME(6), y YEAR, e ENUM('one', 'two', 'drei'), st SET('a', 'b', 'c'), \
                  bt BIT(1), bt12 BIT(12), bt64 BIT(64), j JSON",
        options: "",
        in_4_0: true,
        before: &[
            "INSERT INTO types VALUES (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, TRUE, 1.5, 2.25, 12.34567, 1.000000000000000000000000000001, \
             'c', 'v', 'x', 'xl', 'bb', 'vb', 'l', 'lt', '2021-01-13', '2021-01-13 01:02:03', '2021-01-13 01:02:03.456789', \
             '2021-01-13 01:02:03', '2021-01-13 01:02:03.456', '01:02:03', '01:02:03.456789', 2021, 'one', 'a,c', b'1', \
             b'101010101010', b'1', '{\"b\": [1, 2.5, null, true, \"x\"], \"a\": {}}')",
            "INSERT INTO types VALUES (-9223372036854775808, -128, -32768, -8388608, -2147483648, 0, 0, 0, 0, 0, FALSE, -1.5, \
             -1e100, -999999999999999.99999, -99999999999999999999999999999999999.999999999999999999999999999999, '', '', '', \
             '', '', '', '', '', '1582-10-15', '1582-10-15 00:00:00', '1582-10-15 00:00:00.000001', '1970-01-01 00:00:01', \
             '1970-01-01 00:00:01.001', '-838:59:59', '-00:00:00.000001', 1901, 'two', '', b'0', b'0', b'0', '[]')",
            "INSERT INTO types (id) VALUES (5)",
        ],
        changes: &[
            "INSERT INTO types VALUES (9223372036854775807, 127, 32767, 8388607, 2147483647, 255, 65535, 16777215, 4294967295, \
             18446744073709551615, TRUE, 0.125, 1e-100, 999999999999999.99999, \
             99999999999999999999999999999999999.999999999999999999999999999999, '中文', 'ünïcödé', '🙂', REPEAT('long ', 5000), \
             x'007f8101', x'00', x'ff00', x'80', '9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', \
             '2038-01-19 03:14:07', '2038-01-19 03:14:07.999', '838:59:59', '23:59:59.999999', 2155, 'drei', 'a,b,c', b'1', \
             b'111111111111', x'ffffffffffffffff', '-1.5')",
            "UPDATE types SET v = 'changed', n = NULL, dt6 = '2024-02-29 00:00:00.500001', j = '\"text\"' WHERE id = 1",
            "UPDATE types SET t = 7, x = 'no longer null', j = '[9223372036854775807, -9223372036854775808, {\"ä\": \"ü\"}]' WHERE id = 5",
            "DELETE FROM types WHERE id < 0",
        ],
    },
    Case {
        table: "unsigned_key",
        columns: "id BIGINT UNSIGNED PRIMARY KEY, v INT",
        options: "",
        in_4_0: true,
        before: &[
            "INSERT INTO unsigned_key VALUES (0, 1), (9223372036854775808, 2), (18446744073709551615, 3)",
        ],
        changes: &[
            "UPDATE unsigned_key SET v = 20 WHERE id = 9223372036854775808",
            "INSERT INTO unsigned_key VALUES (9223372036854775807, 4)",
            "DELETE FROM unsigned_key WHERE id = 0",
        ],
    },
    Case {
        table: "counted",
        columns: "id INT AUTO_INCREMENT PRIMARY KEY, u VARCHAR(20) UNIQUE, v INT, k INT DEFAULT 5, KEY (k)",
        options: "",
        in_4_0: true,
        before: &["INSERT INTO counted (u, v) VALUES ('a', 1), ('b', 2), ('c', 3), (NULL, 4)"],
        changes: &[
            "UPDATE counted SET id = 100 WHERE u = 'a'",
            "INSERT INTO counted (u, v) VALUES ('d', 5) ON DUPLICATE KEY UPDATE v = 6",
            "REPLACE INTO counted (u, v) VALUES ('b', 7)",
            "DELETE FROM counted WHERE u IS NULL",
        ],
    },
    Case {
        table: "nonclustered",
        columns: "a VARCHAR(20), b INT, v INT, PRIMARY KEY (a, b) {nonclustered}",
        options: "",
        in_4_0: true,
        before: &["INSERT INTO nonclustered VALUES ('x', 1, 1), ('y', 1, 2), ('x', 2, 3)"],
        changes: &[
            "UPDATE nonclustered SET b = 9 WHERE a = 'y'",
            "INSERT INTO nonclustered VALUES ('z', 1, 4)",
            "DELETE FROM nonclustered WHERE a = 'x' AND b = 2",
        ],
    },
    Case {
        table: "keyless",
        columns: "w VARCHAR(20), v INT",
        options: "",
        in_4_0: true,
        before: &["INSERT INTO keyless VALUES ('x', 1), ('x', 1), (NULL, 2)"],
        changes: &[
            "INSERT INTO keyless VALUES ('y', NULL), ('z', 3)",
            "UPDATE keyless SET w = 'changed' WHERE v = 2",
            "DELETE FROM keyless WHERE w = 'y'",
        ],
    },
    Case {
        table: "clustered",
        columns: "a INT, b VARCHAR(20), v INT, PRIMARY KEY (a, b) CLUSTERED",
        options: "",
        in_4_0: false,
        before: &[
            "INSERT INTO clustered VALUES (1, 'x', 1), (1, 'longer than a group', 2), (-5, '', 3), (2, '中文', 4)",
        ],
        changes: &[
            "UPDATE clustered SET b = 'moved' WHERE a = 1 AND b = 'x'",
            "INSERT INTO clustered VALUES (2, 'trailing  ', 5)",
            "DELETE FROM clustered WHERE a = -5",
        ],
    },
    Case {
        table: "clustered_text",
        columns: "a VARCHAR(20) COLLATE utf8mb4_general_ci, v INT, PRIMARY KEY (a) CLUSTERED",
        options: "",
        in_4_0: false,
        before: &["INSERT INTO clustered_text VALUES ('AbC', 1), ('中文', 2), ('z', 3)"],
        changes: &[
            "UPDATE clustered_text SET v = 10 WHERE a = 'abc'",
            "INSERT INTO clustered_text VALUES ('ZZ', 4)",
            "DELETE FROM clustered_text WHERE a = 'Z'",
        ],
    },
    Case {
        table: "clustered_numbers",
        columns: "a DATE, b DECIMAL(10, 2), c BIGINT UNSIGNED, v INT, PRIMARY KEY (a, b, c) CLUSTERED",
        options: "",
        in_4_0: false,
        before: &[
            "INSERT INTO clustered_numbers VALUES ('2020-01-01', -1.5, 18446744073709551615, 1), ('1999-12-31', 0, 0, 2), \
             ('9999-12-31', 99999999.99, 1, 3)",
        ],
        changes: &[
            "UPDATE clustered_numbers SET a = '2020-02-29' WHERE v = 1",
            "INSERT INTO clustered_numbers VALUES ('2021-01-01', 0.01, 7, 4)",
            "DELETE FROM clustered_numbers WHERE v = 2",
        ],
    },
    Case {
        table: "clustered_times",
        columns: "a DATETIME(3), b VARBINARY(10), e ENUM('x', 'y'), t TIME, v INT, PRIMARY KEY (a, b, e, t) CLUSTERED",
        options: "",
        in_4_0: false,
        before: &[
            "INSERT INTO clustered_times VALUES ('2020-01-01 01:02:03.456', x'00ff', 'y', '-10:00:00', 1), \
             ('1970-01-01 00:00:00', '', 'x', '00:00:00', 2), ('9999-12-31 23:59:59.999', x'80', 'x', '838:59:59', 3)",
        ],
        changes: &[
            "UPDATE clustered_times SET v = 10, t = '01:00:00' WHERE e = 'y'",
            "INSERT INTO clustered_times VALUES ('2021-01-01', 'b', 'y', '11:22:33', 4)",
            "DELETE FROM clustered_times WHERE v = 2",
        ],
    },
    Case {
        table: "by_range",
        columns: "id INT PRIMARY KEY, v INT",
        options: "PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), \
                  PARTITION p2 VALUES LESS THAN MAXVALUE)",
        in_4_0: true,
        before: &["INSERT INTO by_range VALUES (-1, 1), (10, 2), (19, 3), (1000, 4), (2000, 5)"],
        changes: &[
            "UPDATE by_range SET id = 5 WHERE id = 1000",
            "INSERT INTO by_range VALUES (15, 6)",
            "DELETE FROM by_range WHERE id = 19",
        ],
    },
    Case {
        table: "by_hash",
        columns: "id INT PRIMARY KEY, v INT",
        options: "PARTITION BY HASH (id) PARTITIONS 3",
        in_4_0: true,
        before: &["INSERT INTO by_hash VALUES (1, 1), (2, 2), (3, 3), (4, 4), (7, 7)"],
        changes: &[
            "UPDATE by_hash SET id = 12 WHERE id = 1",
            "INSERT INTO by_hash VALUES (5, 5)",
            "DELETE FROM by_hash WHERE id = 3",
        ],
    },
    Case {
        table: "by_key",
        columns: "id INT, w VARCHAR(20), v INT, PRIMARY KEY (id, w) CLUSTERED",
        options: "PARTITION BY KEY (id, w) PARTITIONS 3",
        in_4_0: false,
        before: &["INSERT INTO by_key VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4)"],
        changes: &[
            "UPDATE by_key SET w = 'z' WHERE id = 1",
            "INSERT INTO by_key VALUES (5, 'e', 5)",
            "DELETE FROM by_key WHERE id = 3",
        ],
    },
    Case {
        table: "by_list",
        columns: "id INT PRIMARY KEY, v INT",
        options: "PARTITION BY LIST (id) (PARTITION a VALUES IN (1, 2), PARTITION b VALUES IN (20, 21, 22))",
        in_4_0: false,
        before: &["INSERT INTO by_list VALUES (1, 1), (20, 2), (21, 3)"],
        changes: &[
            "UPDATE by_list SET id = 2 WHERE id = 20",
            "INSERT INTO by_list VALUES (22, 4)",
            "DELETE FROM by_list WHERE id = 21",
        ],
    },
];
