//! CREATE TABLE.

use super::cursor::Cursor;
use crate::ast::{ColumnDef, Constraint, CreateTable, Duplicates, Statement, Temporary};
use crate::{ParseError, Release};

/// A definition in the parentheses of CREATE TABLE.
pub(super) enum Element {
    Column(ColumnDef),
    Constraint(Constraint),
}

impl Cursor<'_> {
    pub(super) fn create_table(&mut self, temporary: Temporary) -> Result<Statement, ParseError> {
        let if_not_exists = self.eat_if_not_exists();
        let name = self.table_name()?;
        let in_parentheses = self.is_sign("(") && self.is_word_at(1, "LIKE");
        if in_parentheses {
            self.advance();
        }
        if self.eat("LIKE") {
            let source = self.table_name()?;
            if in_parentheses {
                self.expect_sign(")")?;
            }
            if temporary == Temporary::Global {
                self.eat_all(&["ON", "COMMIT", "DELETE", "ROWS"]);
            }
            return Ok(Statement::CreateTableLike {
                temporary,
                if_not_exists,
                name,
                source,
            });
        }
        let mut table = CreateTable {
            temporary,
            if_not_exists,
            name,
            columns: Vec::new(),
            constraints: Vec::new(),
            options: Vec::new(),
            partition: None,
            on_commit_delete: None,
            select: None,
        };
        if self.is_sign("(") && !self.is_query_at(1) {
            (table.columns, table.constraints) = self.elements()?;
        }
        table.options = self.table_options(true)?;
        if self.is("PARTITION") {
            table.partition = Some(self.partition_by()?);
        }
        if !self.at_end() && !self.is_sign(";") && !self.is("ON") {
            let duplicates = match self.eat_any(&["IGNORE", "REPLACE"]) {
                Some("IGNORE") => Duplicates::Ignore,
                Some(_) => Duplicates::Replace,
                None => Duplicates::Error,
            };
            self.eat("AS");
            table.select = Some(Box::new((duplicates, self.query()?)));
        }
        if temporary == Temporary::Global {
            self.expect_all(&["ON", "COMMIT"])?;
            table.on_commit_delete = Some(self.expect_any(&["DELETE", "PRESERVE"])? == "DELETE");
            self.expect("ROWS")?;
        }
        if table.columns.is_empty() && table.constraints.is_empty() && table.select.is_none() {
            return Err(self.unexpected());
        }
        Ok(Statement::CreateTable(Box::new(table)))
    }

    /// `( column, key, … )`.
    pub(super) fn elements(&mut self) -> Result<(Vec<ColumnDef>, Vec<Constraint>), ParseError> {
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        for element in self.parenthesised(Self::element)? {
            match element {
                Element::Column(column) => columns.push(column),
                Element::Constraint(constraint) => constraints.push(constraint),
            }
        }
        Ok((columns, constraints))
    }

    fn element(&mut self) -> Result<Element, ParseError> {
        if self.is_constraint() {
            return Ok(Element::Constraint(self.constraint()?));
        }
        Ok(Element::Column(self.column_def()?))
    }

    /// Whether a key or a check begins here, not a column.
    pub(super) fn is_constraint(&mut self) -> bool {
        if self.is_sign_at(1, ".") {
            return false;
        }
        let reserved = [
            "CONSTRAINT",
            "PRIMARY",
            "UNIQUE",
            "INDEX",
            "KEY",
            "FULLTEXT",
            "FOREIGN",
            "CHECK",
        ];
        reserved.into_iter().any(|word| self.is(word))
            || self.release() >= Release::V8_5
                && self.is_word_at(0, "VECTOR")
                && (self.is_word_at(1, "INDEX") || self.is_word_at(1, "KEY"))
    }
}
