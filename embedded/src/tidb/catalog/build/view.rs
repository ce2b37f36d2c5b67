//! The columns of a view's query, and its stars written out: what TiDB keeps is what the query read when the view was made.

use tidb_sql::ast::{
    ColumnName, Expr, Join, Literal, Query, QueryBody, Select, SelectItem, TableName, TableRef,
    UnaryOp,
};

use super::super::model::SchemaState;
use super::super::{Catalog, DdlError, ddl::sql_error, ddl::unsupported};

/// Something that a query reads from.
struct Relation {
    database: Option<String>,
    /// None for a query without an alias.
    name: Option<String>,
    columns: Vec<String>,
}

/// Reads queries against the schema.
pub(crate) struct Resolver<'a> {
    pub(crate) catalog: &'a Catalog,
    /// The session's database.
    pub(crate) database: Option<&'a str>,
    /// The statement, for refusals.
    pub(crate) statement: &'a str,
    /// Tables of the WITH clauses around, with their columns.
    common: Vec<(String, Vec<String>)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(catalog: &'a Catalog, database: Option<&'a str>, statement: &'a str) -> Self {
        Self {
            catalog,
            database,
            statement,
            common: vec![],
        }
    }

    /// Names the columns of a query, and its stars in its text.
    pub(crate) fn query(&mut self, query: &mut Query) -> Result<Vec<String>, DdlError> {
        let around = self.common.len();
        for table in &mut query.with {
            if query.recursive && !table.columns.is_empty() {
                // It may read itself.
                self.common
                    .push((table.name.clone(), table.columns.clone()));
            }
            let found = self.query(&mut table.query)?;
            let columns = match table.columns.is_empty() {
                true => found,
                false => table.columns.clone(),
            };
            self.common.push((table.name.clone(), columns));
        }
        let columns = self.body(&mut query.body);
        self.common.truncate(around);
        columns
    }

    fn body(&mut self, body: &mut QueryBody) -> Result<Vec<String>, DdlError> {
        match body {
            QueryBody::Select(select) => self.select(select),
            QueryBody::Paren(query) => self.query(query),
            QueryBody::Set { first, rest } => {
                let columns = self.body(first)?;
                for (_, body) in rest {
                    self.body(body)?;
                }
                Ok(columns)
            }
            QueryBody::Table(name) => Ok(self.table(name, None)?.columns),
            QueryBody::Values(rows) => {
                let width = rows.first().map_or(0, Vec::len);
                Ok((0..width).map(|n| format!("column_{n}")).collect())
            }
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<Vec<String>, DdlError> {
        let mut relations = vec![];
        let mut merges = false;
        for table in &mut select.from {
            self.relations(table, &mut relations, &mut merges)?;
        }
        let mut items = vec![];
        for item in std::mem::take(&mut select.items) {
            match item {
                SelectItem::Wildcard { schema, table } => {
                    if merges && table.is_none() {
                        return Err(self.unsupported("a star over NATURAL JOIN or USING in a view"));
                    }
                    items.extend(self.star(&relations, schema.as_deref(), table.as_deref())?);
                }
                SelectItem::Expr { expr, text, alias } => {
                    let name = alias.unwrap_or_else(|| name_of(&expr, &text));
                    items.push(SelectItem::Expr {
                        expr,
                        text,
                        alias: Some(name),
                    });
                }
            }
        }
        let names = items.iter().filter_map(|item| match item {
            SelectItem::Expr { alias, .. } => alias.clone(),
            SelectItem::Wildcard { .. } => None,
        });
        let names = names.collect();
        select.items = items;
        Ok(names)
    }

    /// What a star stands for.
    fn star(
        &self,
        relations: &[Relation],
        schema: Option<&str>,
        table: Option<&str>,
    ) -> Result<Vec<SelectItem>, DdlError> {
        let is = |given: Option<&str>, own: Option<&String>| {
            given.is_none_or(|given| own.is_some_and(|own| own.eq_ignore_ascii_case(given)))
        };
        let mut items = vec![];
        let read = relations
            .iter()
            .filter(|r| is(schema, r.database.as_ref()) && is(table, r.name.as_ref()));
        for relation in read {
            items.extend(relation.columns.iter().map(|column| SelectItem::Expr {
                expr: Box::new(Expr::Column(ColumnName {
                    schema: relation.database.clone(),
                    table: relation.name.clone(),
                    name: column.clone(),
                })),
                text: column.clone(),
                alias: Some(column.clone()),
            }));
        }
        if items.is_empty() {
            return Err(match table {
                Some(table) => sql_error::refused(1051, format!("Unknown table '{table}'")),
                None => sql_error::refused(1096, "No tables used"),
            });
        }
        Ok(items)
    }

    fn relations(
        &mut self,
        table: &mut TableRef,
        out: &mut Vec<Relation>,
        merges: &mut bool,
    ) -> Result<(), DdlError> {
        match table {
            TableRef::Table { name, alias, .. } => {
                out.push(self.table(name, alias.as_deref())?);
            }
            TableRef::Query { query, alias } => {
                let columns = self.query(query)?;
                out.push(Relation {
                    database: None,
                    name: alias.clone(),
                    columns,
                });
            }
            TableRef::Join(join) => {
                let Join {
                    left,
                    right,
                    natural,
                    using,
                    ..
                } = &mut **join;
                *merges |= *natural || !using.is_empty();
                self.relations(left, out, merges)?;
                self.relations(right, out, merges)?;
            }
            TableRef::Paren(tables) => {
                for table in tables {
                    self.relations(table, out, merges)?;
                }
            }
        }
        Ok(())
    }

    fn table(&self, name: &TableName, alias: Option<&str>) -> Result<Relation, DdlError> {
        let common = self.common.iter().rev();
        let common = common
            .filter(|_| name.schema.is_none())
            .find(|(common, _)| common.eq_ignore_ascii_case(&name.name));
        if let Some((_, columns)) = common {
            return Ok(Relation {
                database: None,
                name: Some(alias.unwrap_or(&name.name).to_owned()),
                columns: columns.clone(),
            });
        }
        let database = name.schema.as_deref().or(self.database);
        let database = database.ok_or_else(sql_error::no_database_selected)?;
        let Some(db) = self.catalog.database(database) else {
            return Err(sql_error::no_such_table(database, &name.name));
        };
        let table = db
            .table(&name.name)
            .ok_or_else(|| sql_error::no_such_table(database, &name.name))?;
        if table.sequence.is_some() {
            return Err(self.unsupported("views of sequences"));
        }
        let columns = table
            .columns
            .iter()
            .filter(|c| c.state == SchemaState::Public && !c.hidden)
            .map(|c| c.name.o.clone())
            .collect();
        Ok(Relation {
            database: Some(db.info.name.o.clone()),
            name: Some(alias.unwrap_or(&table.name.o).to_owned()),
            columns,
        })
    }

    fn unsupported(&self, what: &str) -> DdlError {
        unsupported(self.statement, what)
    }
}

/// The name of a column that is given none: a column's own, a string's value, else the text.
fn name_of(expr: &Expr, text: &str) -> String {
    match expr {
        Expr::Paren(inner) | Expr::Unary(UnaryOp::Plus, inner) => match &**inner {
            Expr::Column(column) => column.name.clone(),
            _ => text.to_owned(),
        },
        Expr::Column(column) => column.name.clone(),
        Expr::Literal(Literal::String { value, .. }) => value.trim_start().to_owned(),
        _ => text.to_owned(),
    }
}
