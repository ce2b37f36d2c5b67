//! Statements in TiDB's own spelling, as TiCDC asks TiDB's parser for it (spec/canal-json.md §10): keywords in upper case,
//! names in back quotes, strings in single quotes, what only TiDB knows in special comments, placement left out, and, for
//! 8.5, TTL turned off.

mod alter;
mod call;
mod column;
mod expr;
mod key;
mod option;
mod other;
mod partition;
mod query;
mod table;

use std::fmt::Display;

use crate::Release;
use crate::ast::{ColumnName, Expr, Query, Statement, TableName, Temporary};

/// Writes a statement as the parser of `release` does.
pub fn restore(statement: &Statement, release: Release) -> String {
    let mut writer = Writer::new(release, Spelling::Statement);
    writer.statement(statement);
    writer.out
}

/// Writes a query as TiDB keeps a view's: tables without a database are in `database`.
pub fn restore_query(query: &Query, release: Release, database: &str) -> String {
    let mut writer = Writer {
        database: Some(database.to_owned()),
        ..Writer::new(release, Spelling::Statement)
    };
    writer.query(query);
    writer.out
}

/// Writes an expression.
pub fn restore_expr(expr: &Expr, release: Release) -> String {
    let mut writer = Writer::new(release, Spelling::Statement);
    writer.expr(expr);
    writer.out
}

/// Writes the expression of a generated column or of an index as the TiDB of `release` keeps it in a table's description:
/// keywords in lower case, blanks around operators.
pub fn generated(expr: &Expr, release: Release) -> String {
    let mut writer = Writer::new(release, Spelling::Generated);
    writer.expr(expr);
    writer.out
}

/// How keywords and operators are spelt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Statement,
    Generated,
}

/// What is written so far.
struct Writer {
    out: String,
    release: Release,
    spelling: Spelling,
    /// Of tables of queries that name none.
    database: Option<String>,
    /// Tables of the WITH clauses around: they are in no database.
    common: Vec<String>,
}

impl Writer {
    fn new(release: Release, spelling: Spelling) -> Self {
        Self {
            out: String::new(),
            release,
            spelling,
            database: None,
            common: Vec::new(),
        }
    }

    /// Keywords, signs, and names that are no quoted ones.
    fn text(&mut self, text: &str) {
        match self.spelling {
            Spelling::Statement => self.out.push_str(text),
            Spelling::Generated => self.out.push_str(&text.to_lowercase()),
        }
    }

    fn number(&mut self, number: impl Display) {
        self.out.push_str(&number.to_string());
    }

    /// `text ` if it applies.
    fn text_if(&mut self, applies: bool, text: &str) {
        if applies {
            self.text(text);
        }
    }

    fn name(&mut self, name: &str) {
        self.out.push('`');
        self.out.push_str(&name.replace('`', "``"));
        self.out.push('`');
    }

    /// A text that is no expression: its backslashes stand as they are, whatever that means to who reads it.
    fn string(&mut self, value: &str) {
        self.out.push('\'');
        self.out.push_str(&value.replace('\'', "''"));
        self.out.push('\'');
    }

    /// A string as an expression has it: its backslashes are doubled under any `sql_mode`.
    fn string_value(&mut self, value: &str) {
        self.string(&value.replace('\\', "\\\\"));
    }

    /// `name = `.
    fn equals(&mut self, name: &str) {
        self.text(name);
        self.text(" = ");
    }

    fn table_name(&mut self, name: &TableName) {
        if let Some(schema) = &name.schema {
            self.name(schema);
            self.text(".");
        }
        self.name(&name.name);
    }

    fn column_name(&mut self, name: &ColumnName) {
        for part in name.schema.iter().chain(&name.table) {
            self.name(part);
            self.text(".");
        }
        self.name(&name.name);
    }

    /// Items with `between` between them.
    fn list<T>(&mut self, items: &[T], between: &str, mut each: impl FnMut(&mut Self, &T)) {
        for (n, item) in items.iter().enumerate() {
            self.text_if(n > 0, between);
            each(self, item);
        }
    }

    fn names(&mut self, names: &[String], between: &str) {
        self.list(names, between, |w, name| w.name(name));
    }

    /// What only TiDB knows: `/*T![feature] … */`, or `/*T! … */` for what every TiDB knows.
    fn special(&mut self, feature: &str, inside: impl FnOnce(&mut Self)) {
        self.text("/*T!");
        if !feature.is_empty() {
            self.text("[");
            self.text(feature);
            self.text("]");
        }
        self.text(" ");
        inside(self);
        self.text(" */");
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateDatabase {
                if_not_exists,
                name,
                options,
            } => {
                self.text("CREATE DATABASE ");
                self.text_if(*if_not_exists, "IF NOT EXISTS ");
                self.name(name);
                self.database_options(options);
            }
            Statement::AlterDatabase { name, options } => {
                self.text("ALTER DATABASE");
                if let Some(name) = name {
                    self.text(" ");
                    self.name(name);
                }
                self.database_options(options);
            }
            Statement::DropDatabase { if_exists, name } => {
                self.text("DROP DATABASE ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.name(name);
            }
            Statement::FlashbackDatabase { name, to } => {
                self.text("FLASHBACK DATABASE ");
                self.name(name);
                self.new_name(to.as_deref());
            }
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateTableLike {
                temporary,
                if_not_exists,
                name,
                source,
            } => {
                self.create_table_head(*temporary, *if_not_exists);
                self.table_name(name);
                self.text(" LIKE ");
                self.table_name(source);
                self.text_if(*temporary == Temporary::Global, " ON COMMIT DELETE ROWS");
            }
            Statement::DropTable {
                temporary,
                if_exists,
                names,
            } => {
                self.text("DROP ");
                self.temporary(*temporary);
                self.text("TABLE ");
                self.text_if(*if_exists, "IF EXISTS ");
                self.list(names, ", ", Self::table_name);
            }
            Statement::TruncateTable(name) => {
                self.text("TRUNCATE TABLE ");
                self.table_name(name);
            }
            Statement::RenameTable(pairs) => {
                self.text("RENAME TABLE ");
                self.list(pairs, ", ", |w, (from, to)| {
                    w.table_name(from);
                    w.text(" TO ");
                    w.table_name(to);
                });
            }
            Statement::AlterTable(alter) => self.alter_table(alter),
            Statement::CreateIndex(create) => self.create_index(create),
            Statement::DropIndex {
                if_exists,
                name,
                table,
                locks,
            } => {
                self.text("DROP INDEX ");
                if *if_exists && self.release >= Release::V6_5 {
                    self.special("", |w| w.text("IF EXISTS "));
                } else {
                    self.text_if(*if_exists, "IF EXISTS ");
                }
                self.name(name);
                self.text(" ON ");
                self.table_name(table);
                self.index_locks(*locks);
            }
            other => self.other(other),
        }
    }

    /// ` TO name`.
    fn new_name(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.text(" TO ");
            self.name(name);
        }
    }

    fn temporary(&mut self, temporary: Temporary) {
        self.text(match temporary {
            Temporary::No => "",
            Temporary::Session => "TEMPORARY ",
            Temporary::Global => "GLOBAL TEMPORARY ",
        });
    }

    fn create_table_head(&mut self, temporary: Temporary, if_not_exists: bool) {
        self.text("CREATE ");
        self.temporary(temporary);
        self.text("TABLE ");
        self.text_if(if_not_exists, "IF NOT EXISTS ");
    }
}
