//! Keys, indexes, references.

use super::Writer;
use crate::Release;
use crate::ast::{
    Clustering, Constraint, CreateIndex, ForeignKey, IndexKind, IndexLocks, IndexOptions,
    IndexPart, IndexType, Match, Reference, ReferenceAction, TableKey,
};

impl Writer {
    pub(super) fn constraint(&mut self, constraint: &Constraint) {
        match constraint {
            Constraint::Key(key) => self.table_key(key),
            Constraint::ForeignKey(key) => self.foreign_key(key),
            Constraint::Check {
                name,
                expr,
                enforced,
            } => self.check(name.as_deref(), expr, *enforced),
        }
    }

    fn table_key(&mut self, key: &TableKey) {
        self.text(match key.kind {
            IndexKind::Primary => "PRIMARY KEY",
            IndexKind::Unique => "UNIQUE",
            IndexKind::Plain | IndexKind::Spatial => "INDEX",
            IndexKind::FullText => "FULLTEXT",
            IndexKind::Vector => "VECTOR INDEX",
        });
        self.text_if(key.if_not_exists, " IF NOT EXISTS");
        if let Some(name) = &key.name {
            self.text(" ");
            self.name(name);
        }
        self.parts(&key.parts);
        let options = &key.options;
        if !options.is_empty() || options.says_nothing && self.release < Release::V8_5 {
            self.text(" ");
            self.index_options(options);
        }
    }

    fn parts(&mut self, parts: &[IndexPart]) {
        self.text("(");
        self.list(parts, ", ", Self::index_part);
        self.text(")");
    }

    fn index_part(&mut self, part: &IndexPart) {
        match part {
            IndexPart::Column { name, length, desc } => {
                self.column_name(name);
                if let Some(length) = length {
                    self.text("(");
                    self.number(length);
                    self.text(")");
                }
                self.text_if(*desc, " DESC");
            }
            IndexPart::Expr { expr, desc } => {
                self.text("(");
                self.expr(expr);
                self.text(")");
                self.text_if(*desc, " DESC");
            }
        }
    }

    /// `lead` and CLUSTERED or NONCLUSTERED, if either was said.
    pub(super) fn clustering(&mut self, clustering: Clustering, lead: &str) {
        let keyword = match clustering {
            Clustering::Unspecified => return,
            Clustering::Clustered => "CLUSTERED",
            Clustering::NonClustered => "NONCLUSTERED",
        };
        self.text(lead);
        self.special("clustered_index", |w| w.text(keyword));
    }

    fn index_options(&mut self, options: &IndexOptions) {
        let start = self.out.len();
        let between = |w: &mut Self| w.text_if(w.out.len() > start, " ");
        self.clustering(options.clustering, "");
        if let Some(size) = options.key_block_size {
            between(self);
            self.text("KEY_BLOCK_SIZE=");
            self.number(size);
        }
        if let Some(index_type) = options.index_type {
            between(self);
            self.text("USING ");
            self.text(match index_type {
                IndexType::BTree => "BTREE",
                IndexType::Hash => "HASH",
                IndexType::RTree => "RTREE",
                IndexType::Hypo => "HYPO",
                IndexType::Hnsw => "HNSW",
            });
        }
        if let Some(parser) = &options.parser {
            between(self);
            self.text("WITH PARSER ");
            self.name(parser);
        }
        if let Some(comment) = &options.comment {
            between(self);
            self.text("COMMENT ");
            self.string(comment);
        }
        if options.global {
            between(self);
            self.special("global_index", |w| w.text("GLOBAL"));
        }
        if let Some(visible) = options.visible {
            between(self);
            self.text(if visible { "VISIBLE" } else { "INVISIBLE" });
        }
    }

    fn foreign_key(&mut self, key: &ForeignKey) {
        self.text("CONSTRAINT ");
        if let Some(name) = &key.name {
            self.name(name);
            self.text(" ");
        }
        self.text("FOREIGN KEY ");
        self.text_if(key.if_not_exists, "IF NOT EXISTS ");
        self.parts(&key.parts);
        self.text(" ");
        self.reference(&key.reference);
    }

    pub(super) fn reference(&mut self, reference: &Reference) {
        self.text("REFERENCES ");
        self.table_name(&reference.table);
        if let Some(parts) = &reference.parts {
            self.parts(parts);
        }
        self.text(match reference.matches {
            None => "",
            Some(Match::Full) => " MATCH FULL",
            Some(Match::Partial) => " MATCH PARTIAL",
            Some(Match::Simple) => " MATCH SIMPLE",
        });
        for (event, action) in [
            (" ON DELETE ", reference.on_delete),
            (" ON UPDATE ", reference.on_update),
        ] {
            let Some(action) = action else { continue };
            self.text(event);
            self.text(match action {
                ReferenceAction::Restrict => "RESTRICT",
                ReferenceAction::Cascade => "CASCADE",
                ReferenceAction::SetNull => "SET NULL",
                ReferenceAction::NoAction => "NO ACTION",
                ReferenceAction::SetDefault => "SET DEFAULT",
            });
        }
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) {
        self.text(match create.kind {
            IndexKind::Unique => "CREATE UNIQUE INDEX ",
            IndexKind::Spatial => "CREATE SPATIAL INDEX ",
            IndexKind::FullText => "CREATE FULLTEXT INDEX ",
            IndexKind::Vector => "CREATE VECTOR INDEX ",
            IndexKind::Plain | IndexKind::Primary => "CREATE INDEX ",
        });
        self.text_if(create.if_not_exists, "IF NOT EXISTS ");
        self.name(&create.name);
        self.text(" ON ");
        self.table_name(&create.table);
        self.text(" ");
        self.parts(&create.parts);
        if !create.options.is_empty() {
            self.text(" ");
            self.index_options(&create.options);
        }
        self.index_locks(create.locks);
    }

    pub(super) fn index_locks(&mut self, locks: IndexLocks) {
        if locks.algorithm.is_some() || locks.lock.is_some() {
            self.text(" ");
        }
        if let Some(algorithm) = locks.algorithm {
            self.equals("ALGORITHM");
            self.text(algorithm);
        }
        if let Some(lock) = locks.lock {
            self.text_if(locks.algorithm.is_some(), " ");
            self.equals("LOCK");
            self.text(lock);
        }
    }
}
