//! The spelling of statements, and that any text is read without a panic. Recorded messages hold the spelling to TiDB's own
//! in the pipeline's tests.

use proptest::prelude::*;
use tidb_sql::restore::{generated, restore};
use tidb_sql::{ParseError, ParseOptions, Release, SqlMode, parse, parse_expr, parse_one};

fn restored(sql: &str, release: Release) -> String {
    let options = ParseOptions {
        release,
        ..ParseOptions::default()
    };
    let statement = parse_one(sql, &options).unwrap_or_else(|error| panic!("{sql}: {error}"));
    restore(&statement, release)
}

/// Statements with their spelling.
const SPELLED: &[(&str, &str)] = &[
    (
        "create table t(id int primary key)",
        "CREATE TABLE `t` (`id` INT PRIMARY KEY)",
    ),
    (
        "create table if not exists `a``b`.t (a decimal(5), b char binary default 'it''s', key(a, b(3) desc)) \
         engine=innodb comment 'x'",
        "CREATE TABLE IF NOT EXISTS `a``b`.`t` (`a` DECIMAL(5),`b` CHAR BINARY DEFAULT _UTF8MB4'it''s',\
         INDEX(`a`, `b`(3) DESC)) ENGINE = innodb COMMENT = 'x'",
    ),
    (
        "alter table t add column a int default 3, drop primary key",
        "ALTER TABLE `t` ADD COLUMN `a` INT DEFAULT 3, DROP PRIMARY KEY",
    ),
    (
        "alter table t alter a set default -1",
        "ALTER TABLE `t` ALTER COLUMN `a` SET DEFAULT (-1)",
    ),
    (
        "create table t (u varchar(36) default (uuid()), b int default x'0F', c bit(4) default b'0011', d double default 1e5)",
        "CREATE TABLE `t` (`u` VARCHAR(36) DEFAULT (UUID()),`b` INT DEFAULT x'0f',`c` BIT(4) DEFAULT b'11',\
         `d` DOUBLE DEFAULT 1e+05)",
    ),
    (
        "create view v (x, y) as select a.id x, count(distinct b.v) from a left join b on a.id = b.id, c where a.id > 3 and \
         b.v is not null group by a.id having count(*) > 1 order by 1 desc limit 2, 3",
        "CREATE ALGORITHM = UNDEFINED DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW `v` (`x`,`y`) AS \
         SELECT `a`.`id` AS `x`,COUNT(DISTINCT `b`.`v`) FROM (`a` LEFT JOIN `b` ON `a`.`id`=`b`.`id`) JOIN `c` \
         WHERE `a`.`id`>3 AND `b`.`v` IS NOT NULL GROUP BY `a`.`id` HAVING COUNT(1)>1 ORDER BY 1 DESC LIMIT 2,3",
    ),
    (
        "create view v as select * from (select 1) a, b, c",
        "CREATE ALGORITHM = UNDEFINED DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW `v` AS \
         SELECT * FROM ((SELECT 1) AS `a`, `b`) JOIN `c`",
    ),
    (
        "create view v as select ((select 1) + 1), (select 2) from ((select 3) union (select 4)) a where b in ((select 5))",
        "CREATE ALGORITHM = UNDEFINED DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW `v` AS \
         SELECT ((SELECT 1)+1),(SELECT 2) FROM ((SELECT 3) UNION (SELECT 4)) AS `a` WHERE `b` IN ((SELECT 5))",
    ),
    (
        "create view v as select cast(a as decimal(5,2)), cast(a as decimal(5,0)), cast(a as decimal), cast(a as datetime(0)), \
         convert(a, char(3) charset utf8mb4), cast(a as char charset latin1), cast(a as char(3) binary), cast(a as float(30)), \
         cast(a as float(24)), trim(leading from a), insert(a, 1, 2, 'z'), std(a), stddev(a), variance(a), _binary x'4a', \
         a = any (select 1), a > all (select 2) from t use index (Primary) ignore index for join (`x`)",
        "CREATE ALGORITHM = UNDEFINED DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW `v` AS \
         SELECT CAST(`a` AS DECIMAL(5, 2)),CAST(`a` AS DECIMAL(5)),CAST(`a` AS DECIMAL(10)),CAST(`a` AS DATETIME),\
         CONVERT(`a`, CHAR(3)),CAST(`a` AS CHAR CHARSET LATIN1),CAST(`a` AS BINARY(3)),CAST(`a` AS DOUBLE),CAST(`a` AS FLOAT),\
         TRIM(LEADING _UTF8MB4' ' FROM `a`),INSERT_FUNC(`a`, 1, 2, _UTF8MB4'z'),STDDEV_POP(`a`),STDDEV_POP(`a`),VAR_POP(`a`),x'4a',\
         `a`=ANY (SELECT 1),`a`>ALL (SELECT 2) FROM `t` USE INDEX (`Primary`) IGNORE INDEX FOR JOIN (`x`)",
    ),
    (
        "rename table a to b, c.d to e",
        "RENAME TABLE `a` TO `b`, `c`.`d` TO `e`",
    ),
    (
        "create table t (d date default '2020-01-01', e int as (d > date '2020-01-01'), constraint foreign key (e) references p(id), \
         foreign key (e) references p(id))",
        "CREATE TABLE `t` (`d` DATE DEFAULT _UTF8MB4'2020-01-01',`e` INT GENERATED ALWAYS AS(`d`>DATE '2020-01-01') VIRTUAL,\
         CONSTRAINT FOREIGN KEY (`e`) REFERENCES `p`(`id`),CONSTRAINT FOREIGN KEY (`e`) REFERENCES `p`(`id`))",
    ),
    (
        "create index i on t (a) algorithm = default lock = default",
        "CREATE INDEX `i` ON `t` (`a`)",
    ),
    (
        "drop index i on t lock = none algorithm = inplace",
        "DROP INDEX `i` ON `t` ALGORITHM = INPLACE LOCK = NONE",
    ),
    (
        "drop index if exists i on t",
        "DROP INDEX /*T! IF EXISTS  */`i` ON `t`",
    ),
    (
        "create table t (p int, foreign key (p) references q (id), foreign key `` (p) references q (id))",
        "CREATE TABLE `t` (`p` INT,CONSTRAINT FOREIGN KEY (`p`) REFERENCES `q`(`id`),\
         CONSTRAINT FOREIGN KEY (`p`) REFERENCES `q`(`id`))",
    ),
    (
        "create table t (a date default (curdate()), b varchar(9) default _utf8 x'41', y year unsigned zerofill, \
         n nchar varchar(3), l long character set latin1, key (b(0)), u int unique global)",
        "CREATE TABLE `t` (`a` DATE DEFAULT (CURRENT_DATE()),`b` VARCHAR(9) DEFAULT x'41',`y` YEAR,`n` VARCHAR(3),\
         `l` MEDIUMTEXT CHARACTER SET LATIN1,`u` INT UNIQUE KEY GLOBAL,INDEX(`b`))",
    ),
    (
        "create table t (a int as (mod(b, 2)), c decimal(4,2) as (cast(b as decimal(4,2))), d char(2) as (cast(b as char(2) \
         charset gbk)), e char(2) as (cast(b as char charset utf8mb4)), f date as ({d '2020-02-02'}), g int as (1 member of \
         (j)), h blob as (weight_string(b as char(3))), i text as (trim(both from b)))",
        "CREATE TABLE `t` (`a` INT GENERATED ALWAYS AS(`b`%2) VIRTUAL,`c` DECIMAL(4,2) GENERATED ALWAYS AS(CAST(`b` AS \
         DECIMAL(4, 2))) VIRTUAL,`d` CHAR(2) GENERATED ALWAYS AS(CAST(`b` AS CHAR(2) CHARSET GBK)) VIRTUAL,`e` CHAR(2) \
         GENERATED ALWAYS AS(CAST(`b` AS CHAR)) VIRTUAL,`f` DATE GENERATED ALWAYS AS(DATE '2020-02-02') VIRTUAL,`g` INT \
         GENERATED ALWAYS AS(1 MEMBER OF (`j`)) VIRTUAL,`h` BLOB GENERATED ALWAYS AS(WEIGHT_STRING(`b` AS CHAR(3))) \
         VIRTUAL,`i` TEXT GENERATED ALWAYS AS(TRIM(BOTH _UTF8MB4' ' FROM `b`)) VIRTUAL)",
    ),
    (
        "create table t (a int) partition by range (a) subpartition by hash (a) (partition p values less than (1) \
         (subpartition x, subpartition y))",
        "CREATE TABLE `t` (`a` INT) PARTITION BY RANGE (`a`) SUBPARTITION BY HASH (`a`) SUBPARTITIONS 2 (PARTITION `p` \
         VALUES LESS THAN (1) (SUBPARTITION `x`,SUBPARTITION `y`))",
    ),
    (
        "alter table t ttl_enable='on', placement policy p, attributes 'x', comment 'y', add (check (a > 1), key (a))",
        "ALTER TABLE `t` COMMENT = 'y', ADD COLUMN (CHECK(`a`>1) ENFORCED, INDEX(`a`))",
    ),
    ("alter table t ttl_enable='on'", "ALTER TABLE `t`"),
    (
        "create index i on t (a) lock default algorithm = default",
        "CREATE INDEX `i` ON `t` (`a`)",
    ),
    (
        "create vector index i on t ((vec_l2_distance(a)))",
        "CREATE VECTOR INDEX `i` ON `t` ((VEC_L2_DISTANCE(`a`))) USING HNSW",
    ),
    (
        "create view v as select a >= all (select 1), rank() over (partition by a, b order by a, b) from ((a use index for \
         join (i) join b))",
        "CREATE ALGORITHM = UNDEFINED DEFINER = CURRENT_USER SQL SECURITY DEFINER VIEW `v` AS SELECT `a`>=ALL (SELECT 1),\
         RANK() OVER (PARTITION BY `a`, `b` ORDER BY `a`,`b`) FROM `a` USE INDEX FOR JOIN (`i`) JOIN `b`",
    ),
];

#[test]
fn statements_are_spelled_as_tidb_spells_them() {
    for (sql, spelled) in SPELLED {
        assert_eq!(restored(sql, Release::V8_5), *spelled);
    }
}

#[test]
fn only_expressions_double_their_backslashes() {
    let sql = r"create table t (e enum('a\\b') default 'c\\d' comment 'e\\f', key (e) comment 'g\\h') comment 'i\\j'";
    assert_eq!(
        restored(sql, Release::V8_5),
        r"CREATE TABLE `t` (`e` ENUM('a\b') DEFAULT _UTF8MB4'c\\d' COMMENT 'e\\f',INDEX(`e`) COMMENT 'g\h') COMMENT = 'i\j'"
    );
}

#[test]
fn generated_expressions_are_spelled_as_tables_keep_them() {
    for (text, in_8_5, in_4_0) in [
        ("a*2", "`a` * 2", "`a` * 2"),
        (
            "CONCAT('x',`B`)",
            "concat(_utf8mb4'x', `B`)",
            "concat('x', `B`)",
        ),
        (
            "j->>'$.n'",
            "json_unquote(json_extract(`j`, _utf8mb4'$.n'))",
            "json_unquote(json_extract(`j`, '$.n'))",
        ),
        ("a DIV 2 OR NULL", "`a` div 2 or null", "`a` div 2 or null"),
    ] {
        for (release, expected) in [(Release::V8_5, in_8_5), (Release::V4_0, in_4_0)] {
            let options = ParseOptions {
                release,
                ..ParseOptions::default()
            };
            let tree = parse_expr(text, &options).unwrap();
            assert_eq!(generated(&tree, release), expected);
        }
    }
}

#[test]
fn what_is_spelled_is_read_back_as_the_same() {
    for (_, spelled) in SPELLED {
        assert_eq!(restored(spelled, Release::V8_5), *spelled);
    }
}

#[test]
fn defaults_that_are_calls_stand_in_parentheses_since_8_5() {
    let sql = "create table t (u varchar(36) default (uuid()), d datetime default now())";
    let rest = ",`d` DATETIME DEFAULT CURRENT_TIMESTAMP())";
    for (release, default) in [(Release::V8_5, "(UUID())"), (Release::V6_5, "UUID()")] {
        let expected = format!("CREATE TABLE `t` (`u` VARCHAR(36) DEFAULT {default}{rest}");
        assert_eq!(restored(sql, release), expected);
    }
}

#[test]
fn options_of_a_key_without_effect_leave_a_blank_in_6_5() {
    let sql = "create table t (a int, key (a) comment 'c' comment '', key (a) key_block_size 0)";
    for (release, blank) in [(Release::V8_5, ""), (Release::V6_5, " ")] {
        let expected =
            format!("CREATE TABLE `t` (`a` INT,INDEX(`a`) COMMENT 'c',INDEX(`a`){blank})");
        assert_eq!(restored(sql, release), expected);
    }
    let sql = "create index i on t (a) comment ''";
    assert_eq!(
        restored(sql, Release::V6_5),
        "CREATE INDEX `i` ON `t` (`a`)"
    );
}

/// What TiDB writes then cannot be read again.
#[test]
fn bytes_of_a_length_have_no_name_in_6_5() {
    let sql = "alter table t add key ((cast(a as binary(4))))";
    for (release, cast) in [(Release::V8_5, "BINARY(4)"), (Release::V6_5, "")] {
        let expected = format!("ALTER TABLE `t` ADD INDEX((CAST(`a` AS {cast})))");
        assert_eq!(restored(sql, release), expected);
    }
}

#[test]
fn ttl_arrives_turned_off_since_8_5() {
    let sql = "create table t (d datetime) ttl = `d` + interval 1 day ttl_enable = 'ON'";
    let head = "CREATE TABLE `t` (`d` DATETIME) /*T![ttl] TTL = `d` + INTERVAL 1 DAY */ /*T![ttl] TTL_ENABLE = ";
    assert_eq!(restored(sql, Release::V8_5), format!("{head}'OFF' */"));
    assert_eq!(restored(sql, Release::V6_5), format!("{head}'ON' */"));
}

#[test]
fn modes_change_how_a_text_is_read() {
    let ansi = ParseOptions {
        mode: SqlMode {
            ansi_quotes: true,
            ..SqlMode::default()
        },
        ..ParseOptions::default()
    };
    let statement = parse_one(r#"create table "t" ("id" int)"#, &ansi).unwrap();
    assert_eq!(
        restore(&statement, Release::V8_5),
        "CREATE TABLE `t` (`id` INT)"
    );
    assert!(parse_one(r#"create table "t" (id int)"#, &ParseOptions::default()).is_err());
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    let error = parse_one("create table t (id int,\n  )", &ParseOptions::default()).unwrap_err();
    assert_eq!(error.place().unwrap().line, 2);
    let text = error.to_string();
    assert!(
        text.starts_with("read the SQL text at line 2 column 3: expected"),
        "{text}"
    );
    assert!(
        error
            .as_tidb("create table t (id int,\n  )")
            .contains("line 2 column 3 near \")\""),
        "{}",
        error.as_tidb("create table t (id int,\n  )")
    );
}

/// Texts of a depth: each must be read, or refused for its depth, on a thread's usual stack.
fn nested(depth: usize) -> Vec<String> {
    let of = |open: &str, inner: &str, close: &str| {
        format!(
            "create table t (a int, check ({}{inner}{}))",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    vec![
        of("(", "a", ")"),
        of("-", "a", ""),
        of("not ", "a", ""),
        of("a + ", "a", ""),
        of("abs(", "a", ")"),
        of("case when ", "a", " then 1 end"),
        of("a in (", "a", ")"),
        of("(1 + ", "a", ")"),
        of("", "a", " + a"),
        of("", "a", " collate utf8mb4_bin"),
        of("", "a", " is null"),
        format!(
            "create view v as select * from {}t{}",
            "(".repeat(depth),
            ")".repeat(depth)
        ),
        format!(
            "create view v as {}select 1{}",
            "(".repeat(depth),
            ")".repeat(depth)
        ),
        format!(
            "create view v as select * from t{}",
            " join t".repeat(depth)
        ),
        format!("create view v as select * from t{}", ", t".repeat(depth)),
        format!(
            "create view v as select {}1{}",
            "(select ".repeat(depth),
            ")".repeat(depth)
        ),
    ]
}

#[test]
fn depth_is_limited() {
    // The stack of a test's and of a server's threads.
    const STACK: usize = 2 << 20;
    let deep = std::thread::Builder::new().stack_size(STACK).spawn(|| {
        let mut refused = 0;
        for text in [10, 90, 190, 4900, 20_000].into_iter().flat_map(nested) {
            match parse_one(&text, &ParseOptions::default()) {
                Ok(statement) => assert!(!restore(&statement, Release::V8_5).is_empty()),
                Err(ParseError::TooDeep { .. }) => refused += 1,
                Err(other) => panic!("{}: {other}", &text[..60.min(text.len())]),
            }
        }
        refused
    });
    assert!(deep.unwrap().join().unwrap() > 15);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,80}") {
        let _ = parse(&text, &ParseOptions::default());
        let _ = tidb_sql::split(&text, &ParseOptions::default());
    }

    #[test]
    fn statements_cut_anywhere_are_read_without_a_panic(which in 0..SPELLED.len(), at in 0usize..400, junk in r#"[(),;'"`/*a-z0-9 ]{0,6}"#) {
        let (sql, _) = SPELLED[which];
        let at = (0..=at.min(sql.len())).rev().find(|at| sql.is_char_boundary(*at)).unwrap_or(0);
        let text = format!("{}{junk}{}", &sql[..at], &sql[at..]);
        if let Ok(statements) = parse(&text, &ParseOptions::default()) {
            for statement in statements {
                let _ = restore(&statement, Release::V8_5);
            }
        }
    }
}
