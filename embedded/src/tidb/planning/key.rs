//! Keys and indexes.

use tidb_sql::ast::{self, IndexKind as Kind};

use super::{Reader, statement::table_name};
use crate::tidb::catalog::DdlError;
use crate::tidb::catalog::statement::{
    Clustering, Constraint, ForeignKeyDef, Ignored, IndexDef, IndexKind,
};

impl Reader<'_> {
    pub(super) fn constraint(self, constraint: &ast::Constraint) -> Result<Constraint, DdlError> {
        match constraint {
            ast::Constraint::Key(key) if key.kind == Kind::FullText => {
                Ok(Constraint::Ignored(Ignored::FullText))
            }
            ast::Constraint::Key(key) => self
                .index(key.kind, key.name.clone(), &key.parts, &key.options)
                .map(Constraint::Index),
            ast::Constraint::ForeignKey(key) => self.foreign_key(key).map(Constraint::ForeignKey),
            ast::Constraint::Check { .. } => Ok(Constraint::Ignored(Ignored::Check)),
        }
    }

    fn foreign_key(self, key: &ast::ForeignKey) -> Result<ForeignKeyDef, DdlError> {
        let columns = |parts: &[ast::IndexPart]| {
            parts
                .iter()
                .map(|part| match part {
                    ast::IndexPart::Column { name, .. } => Ok(name.name.clone()),
                    ast::IndexPart::Expr { .. } => {
                        Err(self.unsupported("expressions in foreign keys"))
                    }
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let action = |action: Option<ast::ReferenceAction>| match action {
            None => 0,
            Some(ast::ReferenceAction::Restrict) => 1,
            Some(ast::ReferenceAction::Cascade) => 2,
            Some(ast::ReferenceAction::SetNull) => 3,
            Some(ast::ReferenceAction::NoAction) => 4,
            Some(ast::ReferenceAction::SetDefault) => 5,
        };
        let reference = &key.reference;
        Ok(ForeignKeyDef {
            name: key.name.clone(),
            if_not_exists: key.if_not_exists,
            columns: columns(&key.parts)?,
            ref_table: table_name(&reference.table),
            ref_columns: columns(reference.parts.as_deref().unwrap_or_default())?,
            on_delete: action(reference.on_delete),
            on_update: action(reference.on_update),
        })
    }

    pub(super) fn index(
        self,
        kind: Kind,
        name: Option<String>,
        parts: &[ast::IndexPart],
        options: &ast::IndexOptions,
    ) -> Result<IndexDef, DdlError> {
        let kind = match kind {
            Kind::Primary => IndexKind::Primary(clustering(options.clustering)),
            Kind::Unique => IndexKind::Unique,
            Kind::Plain => IndexKind::Plain,
            Kind::FullText => return Err(self.unsupported("FULLTEXT indexes")),
            Kind::Spatial => return Err(self.unsupported("SPATIAL indexes")),
            Kind::Vector => return Err(self.unsupported("VECTOR indexes")),
        };
        if options.global {
            return Err(self.unsupported("GLOBAL indexes"));
        }
        let index_type = match options.index_type {
            None => None,
            Some(ast::IndexType::BTree) => Some(1),
            Some(ast::IndexType::Hash) => Some(2),
            Some(ast::IndexType::RTree) => Some(3),
            Some(ast::IndexType::Hypo | ast::IndexType::Hnsw) => {
                return Err(self.unsupported("indexes of type HYPO and HNSW"));
            }
        };
        let mut columns = vec![];
        let mut expressions = vec![];
        for (n, part) in parts.iter().enumerate() {
            columns.push(match part {
                // TiDB reads DESC and ignores it.
                ast::IndexPart::Column { name, length, .. } => (name.name.clone(), *length),
                ast::IndexPart::Expr { expr, .. } => {
                    expressions.push((n, expr.clone()));
                    (String::new(), None)
                }
            });
        }
        Ok(IndexDef {
            kind,
            name,
            columns,
            expressions,
            comment: options.comment.clone(),
            invisible: options.visible == Some(false),
            index_type,
            has_options: !options.is_empty(),
        })
    }
}

pub(super) fn clustering(clustering: ast::Clustering) -> Clustering {
    match clustering {
        ast::Clustering::Unspecified => Clustering::Unspecified,
        ast::Clustering::Clustered => Clustering::Clustered,
        ast::Clustering::NonClustered => Clustering::NonClustered,
    }
}
