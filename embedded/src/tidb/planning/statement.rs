//! Statements.

use tidb_sql::ast;

use super::Reader;
use crate::tidb::catalog::DdlError;
use crate::tidb::catalog::statement::{
    DatabaseOptions, IndexDef, RecoverSource, Statement, TableName, View,
};

impl Reader<'_> {
    pub(super) fn statement(self, statement: &ast::Statement) -> Result<Statement, DdlError> {
        use ast::Statement as S;
        Ok(match statement {
            S::CreateDatabase {
                if_not_exists,
                name,
                options,
            } => Statement::CreateDatabase {
                name: name.clone(),
                if_not_exists: *if_not_exists,
                options: self.database_options(options)?,
            },
            S::AlterDatabase { name, options } => Statement::AlterDatabase {
                name: name.clone(),
                options: self.database_options(options)?,
            },
            S::DropDatabase { if_exists, name } => Statement::DropDatabase {
                name: name.clone(),
                if_exists: *if_exists,
            },
            S::CreateTable(table) => Statement::CreateTable(Box::new(self.create_table(table)?)),
            S::CreateTableLike {
                temporary,
                if_not_exists,
                name,
                source,
            } => {
                self.permanent(*temporary)?;
                Statement::CreateTableLike {
                    name: table_name(name),
                    source: table_name(source),
                    if_not_exists: *if_not_exists,
                }
            }
            S::DropTable {
                temporary,
                if_exists,
                names,
            } => {
                self.permanent(*temporary)?;
                Statement::DropTable {
                    names: names.iter().map(table_name).collect(),
                    if_exists: *if_exists,
                }
            }
            S::TruncateTable(name) => Statement::TruncateTable(table_name(name)),
            S::RenameTable(pairs) => Statement::RenameTable(
                pairs
                    .iter()
                    .map(|(from, to)| (table_name(from), table_name(to)))
                    .collect(),
            ),
            S::AlterTable(alter) => Statement::AlterTable {
                name: table_name(&alter.name),
                changes: self.changes(&alter.specs)?,
            },
            S::CreateIndex(create) => Statement::CreateIndex {
                table: table_name(&create.table),
                index: IndexDef {
                    // The statement's tree has them even where none is given, and 4.0 keeps them in the job.
                    has_options: true,
                    ..self.index(
                        create.kind,
                        Some(create.name.clone()),
                        &create.parts,
                        &create.options,
                    )?
                },
                if_not_exists: create.if_not_exists,
            },
            S::DropIndex {
                if_exists,
                name,
                table,
                ..
            } => Statement::DropIndex {
                table: table_name(table),
                index: name.clone(),
                if_exists: *if_exists,
            },
            S::CreateView(view) => Statement::CreateView(Box::new(View {
                name: table_name(&view.name),
                or_replace: view.or_replace,
                algorithm: view.algorithm,
                definer: view.definer.clone(),
                invoker: view.invoker,
                columns: view.columns.clone(),
                query: view.query.clone(),
                local_check: view.local_check,
            })),
            S::DropView { if_exists, names } => Statement::DropView {
                names: names.iter().map(table_name).collect(),
                if_exists: *if_exists,
            },
            S::CreateSequence {
                if_not_exists,
                name,
                options,
                table_options,
            } => Statement::CreateSequence {
                name: table_name(name),
                if_not_exists: *if_not_exists,
                options: options.clone(),
                comment: table_options
                    .iter()
                    .find_map(|option| match option {
                        ast::TableOption::Comment(text) => Some(text.clone()),
                        _ => None,
                    })
                    .unwrap_or_default(),
            },
            S::AlterSequence {
                if_exists,
                name,
                options,
            } => Statement::AlterSequence {
                name: table_name(name),
                if_exists: *if_exists,
                options: options.clone(),
            },
            S::DropSequence { if_exists, names } => Statement::DropSequence {
                names: names.iter().map(table_name).collect(),
                if_exists: *if_exists,
            },
            S::CreatePlacementPolicy {
                or_replace,
                if_not_exists,
                name,
                options,
            } => Statement::CreatePolicy {
                name: name.clone(),
                or_replace: *or_replace,
                if_not_exists: *if_not_exists,
                options: options.clone(),
            },
            S::AlterPlacementPolicy {
                if_exists,
                name,
                options,
            } => Statement::AlterPolicy {
                name: name.clone(),
                if_exists: *if_exists,
                options: options.clone(),
            },
            S::DropPlacementPolicy { if_exists, name } => Statement::DropPolicy {
                name: name.clone(),
                if_exists: *if_exists,
            },
            // How many jobs to look through does not matter: TiDB looks through all of them.
            S::RecoverTable(ast::Recover::Table(name, _)) => Statement::RecoverTable {
                source: RecoverSource::Recover(table_name(name)),
                to: None,
            },
            S::RecoverTable(ast::Recover::Job(id)) => Statement::RecoverTable {
                source: RecoverSource::Job(*id),
                to: None,
            },
            S::FlashbackTable { name, to } => Statement::RecoverTable {
                source: RecoverSource::Flashback(table_name(name)),
                to: to.clone(),
            },
            S::FlashbackDatabase { .. } => {
                return Err(self.unsupported("bringing back a database"));
            }
            _ => return Err(self.unsupported("this kind of DDL statement")),
        })
    }

    /// Tables of a session are read where they are served.
    pub(super) fn permanent(self, temporary: ast::Temporary) -> Result<(), DdlError> {
        match temporary {
            ast::Temporary::No => Ok(()),
            ast::Temporary::Session => Err(self.unsupported("this about temporary tables")),
            ast::Temporary::Global => Err(self.global_temporary()),
        }
    }

    pub(super) fn global_temporary(self) -> DdlError {
        self.unsupported(
            "global temporary tables: each session has rows of its own in them, which MariaDB has no tables for",
        )
    }

    fn database_options(
        self,
        options: &[ast::DatabaseOption],
    ) -> Result<DatabaseOptions, DdlError> {
        let mut out = DatabaseOptions::default();
        for option in options {
            match option {
                ast::DatabaseOption::Charset(name) => out.charset.charset = Some(name.clone()),
                ast::DatabaseOption::Collate(name) => out.charset.collate = Some(name.clone()),
                // TiDB reads it and forgets it.
                ast::DatabaseOption::Encryption(_) => {}
                ast::DatabaseOption::PlacementPolicy(name) => {
                    out.placement = Some(name.clone());
                }
                ast::DatabaseOption::TiFlashReplica { .. } => {
                    return Err(self.unsupported("TiFlash replicas"));
                }
            }
        }
        Ok(out)
    }
}

pub(super) fn table_name(name: &ast::TableName) -> TableName {
    TableName {
        database: name.schema.clone(),
        table: name.name.clone(),
    }
}
