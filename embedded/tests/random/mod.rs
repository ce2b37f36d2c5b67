//! Random SQL: tables of every kind of key, statements of every kind, and what the tables hold after each.

#![allow(missing_docs, unreachable_pub)]

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::cluster::dice::{Dice, TEXTS};
use crate::cluster::rows::{Row, try_by_sql};

/// What tables hold: columns and rows by name.
pub type State = BTreeMap<String, (Vec<String>, Vec<Row>)>;

/// Kinds of keys: what follows the columns.
const KEYS: [&str; 8] = [
    "PRIMARY KEY (id), UNIQUE KEY un (n), KEY sn (s(3), n))",
    "PRIMARY KEY (k) CLUSTERED, UNIQUE KEY un (n), KEY sn (s, n))",
    "PRIMARY KEY (k(2), id) CLUSTERED, KEY sn (s(3), n), UNIQUE KEY uk (k, n))",
    "KEY ids (id), UNIQUE KEY un (n))",
    "PRIMARY KEY (id) NONCLUSTERED, KEY sn (s, k))",
    "PRIMARY KEY (id), KEY sn (s(3), n), UNIQUE KEY un (n, id)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), \
     PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (MAXVALUE))",
    "PRIMARY KEY (id), KEY sn (s, n)) PARTITION BY HASH (id) PARTITIONS 3",
    "PRIMARY KEY (id), UNIQUE KEY un (n), KEY k (k))",
];
/// The kind whose ids count by themselves.
const COUNTED: usize = 7;
/// What a DDL statement does to the tables.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Rows and columns stay.
    None,
    /// A column comes with this value.
    AddColumn(String, String, String),
    /// A column comes that is the id and this.
    AddComputed(String, String, i64),
    /// A column gets another type, in which its values are shown alike.
    Modify,
    /// A column goes.
    DropColumn(String, String),
    /// Rows go.
    Truncate(String),
    /// A table gets another name.
    Rename(String, String),
    /// A table comes.
    Create(String, Vec<String>),
    /// A table goes.
    Drop(String),
}

/// One step.
#[derive(Debug, Clone)]
pub enum Step {
    /// A statement by itself.
    Alone(String),
    /// A transaction, and how it ends.
    Transaction(Vec<String>, &'static str),
    /// A DDL statement.
    Ddl(String, Effect),
}

/// Makes the steps of a seed.
pub struct Generator {
    pub dice: Dice,
    /// Whether the release has clustered keys.
    clustered: bool,
    made: u64,
}

impl Generator {
    pub fn new(seed: u64, clustered: bool) -> Self {
        Self {
            dice: Dice::new(seed),
            clustered,
            made: 0,
        }
    }

    /// A new table.
    pub fn create(&mut self) -> Step {
        let kind = self.dice.roll(KEYS.len() as u64) as usize;
        let name = format!("t{}", self.made);
        self.made += 1;
        let id = match kind {
            COUNTED => "INT AUTO_INCREMENT",
            _ => "INT NOT NULL",
        };
        let mut keys = KEYS[kind].to_owned();
        if !self.clustered {
            keys = keys.replace("NONCLUSTERED", "").replace("CLUSTERED", "");
        }
        let sql = format!(
            "CREATE TABLE {name} (id {id}, k VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, n INT, s VARCHAR(20), \
             {keys}"
        );
        let columns = ["id", "k", "n", "s"].map(str::to_owned).to_vec();
        Step::Ddl(sql, Effect::Create(name, columns))
    }

    /// The next step on these tables.
    pub fn step(&mut self, state: &State) -> Step {
        let tables: Vec<String> = state.keys().cloned().collect();
        if tables.len() < 2 {
            return self.create();
        }
        match self.dice.roll(10) {
            0..=2 => Step::Alone(self.statement(&tables)),
            3..=6 => {
                let mut statements = Vec::new();
                for n in 0..=self.dice.roll(5) {
                    match self.dice.roll(8) {
                        0 => statements.push("SAVEPOINT a".to_owned()),
                        1 if n > 0 => statements.push("ROLLBACK TO a".to_owned()),
                        _ => {}
                    }
                    statements.push(self.statement(&tables));
                }
                let end = match self.dice.roll(5) {
                    0 => "ROLLBACK",
                    _ => "COMMIT",
                };
                Step::Transaction(statements, end)
            }
            _ => self.ddl(state, &tables),
        }
    }

    fn ddl(&mut self, state: &State, tables: &[String]) -> Step {
        let table = self.dice.pick(tables).clone();
        let own: Vec<String> = state[&table].0.iter().skip(4).cloned().collect();
        let (n, made) = (self.dice.roll(100), self.made);
        self.made += 1;
        let (sql, effect) = match self.dice.roll(16) {
            0 | 1 => (
                format!("ALTER TABLE {table} ADD COLUMN c{made} INT NOT NULL DEFAULT {n}"),
                Effect::AddColumn(table, format!("c{made}"), n.to_string()),
            ),
            2 if !own.is_empty() => {
                let column = self.dice.pick(&own).clone();
                (
                    format!("ALTER TABLE {table} DROP COLUMN {column}"),
                    Effect::DropColumn(table, column),
                )
            }
            2 | 3 => (
                format!("ALTER TABLE {table} ADD INDEX i{made} (s(2), k)"),
                Effect::None,
            ),
            4 => (format!("ALTER TABLE {table} DROP INDEX sn"), Effect::None),
            5 => (
                format!("CREATE UNIQUE INDEX u{made} ON {table} (id, n)"),
                Effect::None,
            ),
            6 => (format!("TRUNCATE TABLE {table}"), Effect::Truncate(table)),
            7 => (
                format!("RENAME TABLE {table} TO r{made}"),
                Effect::Rename(table, format!("r{made}")),
            ),
            8 | 9 => (
                format!("ALTER TABLE {table} ADD COLUMN v{made} INT AS (id + {n})"),
                Effect::AddComputed(table, format!("v{made}"), n as i64),
            ),
            10 | 11 if !own.is_empty() => {
                let column = self.dice.pick(&own).clone();
                (
                    format!("CREATE INDEX i{made} ON {table} ({column}, id)"),
                    Effect::None,
                )
            }
            12 | 13 => {
                let to = *self.dice.pick(&["VARCHAR(20)", "INT", "BIGINT UNSIGNED"]);
                (
                    format!("ALTER TABLE {table} MODIFY COLUMN n {to}"),
                    Effect::Modify,
                )
            }
            14 if tables.len() > 3 => (format!("DROP TABLE {table}"), Effect::Drop(table)),
            _ => return self.create(),
        };
        Step::Ddl(sql, effect)
    }

    fn statement(&mut self, tables: &[String]) -> String {
        let table = self.dice.pick(tables).clone();
        let other = self.dice.pick(tables).clone();
        // 0 would be counted on.
        let (id, n, more) = (
            1 + self.dice.roll(29),
            self.dice.roll(40),
            1 + self.dice.roll(29),
        );
        let (s, t) = (*self.dice.pick(&TEXTS), *self.dice.pick(&TEXTS));
        let both = table != other;
        match self.dice.roll(14) {
            0..=2 => format!(
                "INSERT IGNORE INTO {table} (id, k, n, s) VALUES ({id}, 'k{id} ', {n}, {s}), ({more}, 'K{n}', NULL, {t})"
            ),
            3 => format!("INSERT INTO {table} (id, k, n, s) VALUES ({id}, 'new{id}', {n}, {t})"),
            4 => format!("UPDATE IGNORE {table} SET s = {s}, n = NULL WHERE id = {id}"),
            5 => format!("UPDATE IGNORE {table} SET n = {n}, s = {t} WHERE id >= {id}"),
            6 => {
                format!("UPDATE IGNORE {table} SET id = {id} + 40, k = 'moved{id}' WHERE id < {id}")
            }
            7 => format!("REPLACE INTO {table} (id, k, n, s) VALUES ({id}, 'k{n}', {n}, {s})"),
            8 => format!("DELETE FROM {table} WHERE id = {id} OR n = {n}"),
            9 | 10 => format!(
                "INSERT INTO {table} (id, k, n, s) VALUES ({id}, 'q{id}', {n}, {s}) \
                 ON DUPLICATE KEY UPDATE s = {t}, n = NULL"
            ),
            11 if both => format!(
                "UPDATE IGNORE {table} JOIN {other} ON {table}.id = {other}.id SET {table}.s = {s}, {other}.n = {n}"
            ),
            12 if both => format!(
                "DELETE {table}, {other} FROM {table} JOIN {other} ON {table}.id = {other}.id WHERE {table}.id < {id}"
            ),
            _ => format!(
                "INSERT IGNORE INTO {table} (id, k, n, s) SELECT id + 1, CONCAT(k, 'x'), n + 1, s FROM {other} \
                 WHERE CHAR_LENGTH(k) < 15"
            ),
        }
    }
}

impl Effect {
    /// What tables hold after it.
    pub fn on(&self, before: &State) -> State {
        let mut after = before.clone();
        match self {
            Self::None | Self::Modify => {}
            Self::AddComputed(table, column, more) => {
                if let Some((columns, rows)) = after.get_mut(table) {
                    columns.push(column.clone());
                    for row in rows.iter_mut() {
                        let id: Option<i64> = row[0].as_ref().and_then(|id| id.parse().ok());
                        row.push(id.map(|id| (id + more).to_string()));
                    }
                }
            }
            Self::AddColumn(table, column, value) => {
                if let Some((columns, rows)) = after.get_mut(table) {
                    columns.push(column.clone());
                    rows.iter_mut()
                        .for_each(|row| row.push(Some(value.clone())));
                }
            }
            Self::DropColumn(table, column) => {
                if let Some((columns, rows)) = after.get_mut(table)
                    && let Some(at) = columns.iter().position(|c| c == column)
                {
                    columns.remove(at);
                    for row in rows.iter_mut() {
                        row.remove(at);
                    }
                    rows.sort();
                }
            }
            Self::Truncate(table) => {
                if let Some((_, rows)) = after.get_mut(table) {
                    rows.clear();
                }
            }
            Self::Rename(from, to) => {
                if let Some(held) = after.remove(from) {
                    after.insert(to.clone(), held);
                }
            }
            Self::Create(table, columns) => {
                after.insert(table.clone(), (columns.clone(), vec![]));
            }
            Self::Drop(table) => {
                after.remove(table);
            }
        }
        after
    }
}

/// What the tables of a database hold by SQL.
pub async fn state(conn: &mut Conn, database: &str) -> mysql_async::Result<State> {
    let columns: Vec<(String, String)> = conn
        .query(format!(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{database}' \
             ORDER BY table_name, ordinal_position"
        ))
        .await?;
    let mut out = State::new();
    for (table, column) in columns {
        out.entry(table).or_default().0.push(column);
    }
    for (table, held) in &mut out {
        held.1 = try_by_sql(conn, table).await?;
    }
    Ok(out)
}
