//! Keys, indexes, checks.

use super::cursor::Cursor;
use crate::ast::{
    Clustering, Constraint, CreateIndex, ForeignKey, IndexKind, IndexLocks, IndexOptions,
    IndexPart, IndexType, Match, Reference, ReferenceAction, Statement, TableKey,
};
use crate::{ParseError, Release};

impl Cursor<'_> {
    /// A key or a check among a table's definitions.
    pub(super) fn constraint(&mut self) -> Result<Constraint, ParseError> {
        let mut symbol = None;
        if self.eat("CONSTRAINT") && self.is_name() {
            symbol = Some(self.name()?);
        }
        if self.eat("CHECK") {
            self.expect_sign("(")?;
            let expr = self.expr()?;
            self.expect_sign(")")?;
            return Ok(Constraint::Check {
                name: symbol,
                expr,
                enforced: self.enforced(),
            });
        }
        if self.eat("FOREIGN") {
            self.expect("KEY")?;
            let if_not_exists = self.eat_if_not_exists();
            let own = match self.is_sign("(") {
                true => None,
                false => Some(self.name()?),
            };
            return Ok(Constraint::ForeignKey(ForeignKey {
                if_not_exists,
                name: symbol.or(own).filter(|name| !name.is_empty()),
                parts: self.parenthesised(Self::index_part)?,
                reference: self.reference()?,
            }));
        }
        let kind = if self.eat("PRIMARY") {
            self.expect("KEY")?;
            IndexKind::Primary
        } else if self.eat("UNIQUE") {
            self.eat_any(&["KEY", "INDEX"]);
            IndexKind::Unique
        } else if self.eat("FULLTEXT") {
            self.eat_any(&["KEY", "INDEX"]);
            IndexKind::FullText
        } else if self.eat_since(Release::V8_5, "VECTOR") {
            self.expect_any(&["INDEX", "KEY"])?;
            IndexKind::Vector
        } else {
            self.expect_any(&["INDEX", "KEY"])?;
            IndexKind::Plain
        };
        let if_not_exists = match kind {
            IndexKind::Plain | IndexKind::Vector => self.eat_if_not_exists(),
            _ => false,
        };
        let (own, index_type) = self.index_name_and_type()?;
        let parts = self.parenthesised(Self::index_part)?;
        let mut options = self.index_options()?;
        options.index_type = options.index_type.or(index_type).or(kind.only_type());
        Ok(Constraint::Key(TableKey {
            kind,
            if_not_exists,
            name: symbol.or(own),
            parts,
            options,
        }))
    }

    fn index_name_and_type(&mut self) -> Result<(Option<String>, Option<IndexType>), ParseError> {
        let names_itself =
            self.is_name() && !(self.is_word_at(0, "TYPE") && self.is_index_type_at(1));
        let name = match names_itself {
            true => Some(self.name()?),
            false => None,
        };
        let index_type = match self.eat("USING") || self.eat("TYPE") {
            true => Some(self.index_type()?),
            false => None,
        };
        Ok((name, index_type))
    }

    fn is_index_type_at(&self, n: usize) -> bool {
        ["BTREE", "HASH", "RTREE", "HNSW"]
            .iter()
            .any(|word| self.is_word_at(n, word))
    }

    fn index_type(&mut self) -> Result<IndexType, ParseError> {
        Ok(
            match self.expect_any(&["BTREE", "HASH", "RTREE", "HYPO", "HNSW"])? {
                "BTREE" => IndexType::BTree,
                "HASH" => IndexType::Hash,
                "RTREE" => IndexType::RTree,
                "HYPO" => IndexType::Hypo,
                _ => IndexType::Hnsw,
            },
        )
    }

    fn index_part(&mut self) -> Result<IndexPart, ParseError> {
        if self.eat_sign("(") {
            let expr = self.expr()?;
            self.expect_sign(")")?;
            return Ok(IndexPart::Expr {
                expr,
                desc: self.descending(),
            });
        }
        Ok(IndexPart::Column {
            name: self.column_name()?,
            // 0 says nothing.
            length: self.length()?.filter(|length| *length > 0),
            desc: self.descending(),
        })
    }

    /// `[ASC | DESC]`.
    pub(super) fn descending(&mut self) -> bool {
        self.eat_any(&["ASC", "DESC"]) == Some("DESC")
    }

    fn index_options(&mut self) -> Result<IndexOptions, ParseError> {
        let mut options = IndexOptions::default();
        loop {
            if self.eat("KEY_BLOCK_SIZE") {
                self.eat_equals();
                match self.number()? {
                    0 => options.says_nothing = true,
                    size => options.key_block_size = Some(size),
                }
            } else if self.eat("USING") || self.is_index_type_at(1) && self.eat("TYPE") {
                options.index_type = Some(self.index_type()?);
            } else if self.eat_all(&["WITH", "PARSER"]) {
                options.parser = Some(self.name()?);
            } else if self.eat("COMMENT") {
                match self.string()? {
                    text if text.is_empty() => options.says_nothing = true,
                    text => options.comment = Some(text),
                }
            } else if self.eat("VISIBLE") {
                options.visible = Some(true);
            } else if self.eat("INVISIBLE") {
                options.visible = Some(false);
            } else if self.eat_since(Release::V6_5, "GLOBAL") {
                options.global = true;
            } else if self.eat_since(Release::V6_5, "LOCAL") {
                options.global = false;
            } else {
                match self.clustering() {
                    Clustering::Unspecified => return Ok(options),
                    given => options.clustering = given,
                }
            }
        }
    }

    pub(super) fn reference(&mut self) -> Result<Reference, ParseError> {
        self.expect("REFERENCES")?;
        let table = self.table_name()?;
        let parts = match self.is_sign("(") {
            true => Some(self.parenthesised(Self::index_part)?),
            false => None,
        };
        let matches = match self.eat("MATCH") {
            true => Some(match self.expect_any(&["FULL", "PARTIAL", "SIMPLE"])? {
                "FULL" => Match::Full,
                "PARTIAL" => Match::Partial,
                _ => Match::Simple,
            }),
            false => None,
        };
        let mut reference = Reference {
            table,
            parts,
            matches,
            on_delete: None,
            on_update: None,
        };
        loop {
            if reference.on_delete.is_none() && self.eat_all(&["ON", "DELETE"]) {
                reference.on_delete = Some(self.reference_action()?);
            } else if reference.on_update.is_none() && self.eat_all(&["ON", "UPDATE"]) {
                reference.on_update = Some(self.reference_action()?);
            } else {
                return Ok(reference);
            }
        }
    }

    fn reference_action(&mut self) -> Result<ReferenceAction, ParseError> {
        if self.eat("RESTRICT") {
            return Ok(ReferenceAction::Restrict);
        }
        if self.eat("CASCADE") {
            return Ok(ReferenceAction::Cascade);
        }
        if self.eat("NO") {
            self.expect("ACTION")?;
            return Ok(ReferenceAction::NoAction);
        }
        self.expect("SET")?;
        Ok(match self.expect_any(&["NULL", "DEFAULT"])? {
            "NULL" => ReferenceAction::SetNull,
            _ => ReferenceAction::SetDefault,
        })
    }

    /// What CREATE INDEX makes, if that is what begins here.
    pub(super) fn eat_index_kind(&mut self) -> Option<IndexKind> {
        const KINDS: [(&str, IndexKind); 4] = [
            ("UNIQUE", IndexKind::Unique),
            ("FULLTEXT", IndexKind::FullText),
            ("SPATIAL", IndexKind::Spatial),
            ("VECTOR", IndexKind::Vector),
        ];
        if self.eat("INDEX") {
            return Some(IndexKind::Plain);
        }
        let found = KINDS
            .iter()
            .find(|(word, _)| self.eat_all(&[word, "INDEX"]));
        found.map(|(_, kind)| *kind)
    }

    /// CREATE INDEX from the index's name on.
    pub(super) fn create_index(&mut self, kind: IndexKind) -> Result<Statement, ParseError> {
        let if_not_exists = self.eat_if_not_exists();
        let name = self.name()?;
        let index_type = match self.eat("USING") || self.eat("TYPE") {
            true => Some(self.index_type()?),
            false => None,
        };
        self.expect("ON")?;
        let table = self.table_name()?;
        let parts = self.parenthesised(Self::index_part)?;
        let mut options = self.index_options()?;
        options.index_type = options.index_type.or(index_type).or(kind.only_type());
        Ok(Statement::CreateIndex(Box::new(CreateIndex {
            kind,
            if_not_exists,
            name,
            table,
            parts,
            options,
            locks: self.index_locks()?,
        })))
    }

    pub(super) fn index_locks(&mut self) -> Result<IndexLocks, ParseError> {
        let mut locks = IndexLocks::default();
        loop {
            if self.eat("ALGORITHM") {
                locks.algorithm = Some(self.algorithm()?).filter(|word| *word != "DEFAULT");
            } else if self.eat("LOCK") {
                locks.lock = Some(self.lock()?).filter(|word| *word != "DEFAULT");
            } else {
                return Ok(locks);
            }
        }
    }

    /// What stands behind ALGORITHM.
    pub(super) fn algorithm(&mut self) -> Result<&'static str, ParseError> {
        self.eat_equals();
        self.expect_any(&["DEFAULT", "COPY", "INPLACE", "INSTANT"])
    }

    /// What stands behind LOCK.
    pub(super) fn lock(&mut self) -> Result<&'static str, ParseError> {
        self.eat_equals();
        self.expect_any(&["DEFAULT", "NONE", "SHARED", "EXCLUSIVE"])
    }
}
