//! A load: rows of several tables, and DDL statements between them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use super::cluster::{Cluster, until};

/// Makes tables `t0`, `t1` …
pub fn tables(cluster: &Cluster, count: usize) {
    for n in 0..count {
        cluster.sql(&format!(
            "create table t{n}(id int primary key, v int, s varchar(20))"
        ));
    }
}

/// A load in the background.
pub struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    /// What DDL statements there were.
    statements: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl Load {
    pub fn start(cluster: &Cluster, tables: usize, ddl: bool) -> Self {
        let (stop, rounds) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let statements = Arc::new(Mutex::new(Vec::new()));
        let client = cluster.client();
        let run = move |sql: &str| {
            let output = client(sql);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{sql}: {said}");
        };
        let (stopped, round, done) = (stop.clone(), rounds.clone(), statements.clone());
        let thread = std::thread::spawn(move || {
            let mut n = 0;
            while !stopped.load(Ordering::Relaxed) {
                run(&rows(n, tables));
                let statement = match n % 20 {
                    5 => format!(
                        "alter table t{} add column c{n} int default {n}",
                        n / 20 % tables
                    ),
                    10 => format!("create table more{n}(id int primary key, v int, s varchar(20))"),
                    11 => format!("insert into more{} values (1,{n},'a'),(2,{n},'b')", n - 1),
                    15 => format!("truncate table t{}", (n / 20 + 1) % tables),
                    18 if n % 40 == 38 => format!("drop table more{}", n - 8),
                    _ => String::new(),
                };
                if ddl && !statement.is_empty() {
                    run(&statement);
                    if !statement.starts_with("insert") {
                        done.lock().unwrap().push(statement);
                    }
                }
                n += 1;
                round.store(n, Ordering::Relaxed);
            }
        });
        Self {
            stop,
            rounds,
            statements,
            thread,
        }
    }

    /// Waits for so many more rounds.
    pub fn more(&self, rounds: usize) {
        let wanted = self.rounds.load(Ordering::Relaxed) + rounds / 10;
        until("the load", || {
            assert!(!self.thread.is_finished(), "the load has ended");
            match self.rounds.load(Ordering::Relaxed) {
                now if now >= wanted => Ok(()),
                now => Err(format!("{now} of {wanted} rounds")),
            }
        });
    }

    /// Ends it; the DDL statements that there were.
    pub fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        std::mem::take(&mut self.statements.lock().unwrap())
    }
}

/// A round: some transactions in every table, some over all.
fn rows(n: usize, tables: usize) -> String {
    let mut sql = String::new();
    for table in 0..tables {
        for k in 0..4 {
            let id = (n * 7 + k * 13 + table) % 50;
            sql += &format!(
                "insert into t{table}(id,v,s) values ({id},{n},'{n}-{k}') on duplicate key update v = {n}, s = '{n}-{k}';"
            );
        }
        sql += &format!("delete from t{table} where id = {};", (n * 11 + table) % 50);
    }
    sql += "begin;";
    for table in 0..tables {
        sql += &format!("update t{table} set v = {} where id < 5;", n * 1000);
    }
    sql + "commit;"
}
