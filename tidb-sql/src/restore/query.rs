//! Queries.

use super::Writer;
use crate::ast::{
    IndexHint, Join, JoinKind, OrderBy, Query, QueryBody, Select, SelectItem, SetOperator,
    TableName, TableRef,
};
use crate::stack::on_enough_stack;

impl Writer {
    pub(super) fn query(&mut self, query: &Query) {
        let around = self.common.len();
        self.query_inside(query);
        self.common.truncate(around);
    }

    fn query_inside(&mut self, query: &Query) {
        if !query.with.is_empty() {
            self.text("WITH ");
            self.text_if(query.recursive, "RECURSIVE ");
            self.list(&query.with, ", ", |w, table| {
                w.common.push(table.name.to_lowercase());
                w.name(&table.name);
                if !table.columns.is_empty() {
                    w.text(" (");
                    w.names(&table.columns, ", ");
                    w.text(")");
                }
                w.text(" AS (");
                w.query(&table.query);
                w.text(")");
            });
            self.text(" ");
        }
        on_enough_stack(|| self.query_body(&query.body));
        if !query.order.is_empty() {
            self.text(" ORDER BY ");
            self.list(&query.order, ",", Self::order_by);
        }
        if let Some(limit) = &query.limit {
            self.text(" LIMIT ");
            if let Some(offset) = &limit.offset {
                self.expr(offset);
                self.text(",");
            }
            self.expr(&limit.count);
        }
        if let Some(lock) = &query.lock {
            self.text(" ");
            self.text(lock.kind);
            if !lock.tables.is_empty() {
                self.text(" OF ");
                self.list(&lock.tables, ", ", Self::table_name);
            }
            if let Some(wait) = &lock.wait {
                self.text(" ");
                self.text(wait);
            }
        }
    }

    /// A table that is read, with the database that it is in where that is to be said.
    fn read_table(&mut self, name: &TableName) {
        if name.schema.is_none()
            && let Some(database) = self.database.clone()
            && !self.common.contains(&name.name.to_lowercase())
        {
            self.name(&database);
            self.text(".");
        }
        self.table_name(name);
    }

    fn query_body(&mut self, body: &QueryBody) {
        match body {
            QueryBody::Select(select) => self.select(select),
            QueryBody::Paren(query) => {
                self.text("(");
                self.query(query);
                self.text(")");
            }
            QueryBody::Set { first, rest } => {
                self.query_body(first);
                for (operator, body) in rest {
                    self.text(match operator {
                        SetOperator::Union => " UNION ",
                        SetOperator::UnionAll => " UNION ALL ",
                        SetOperator::Except => " EXCEPT ",
                        SetOperator::ExceptAll => " EXCEPT ALL ",
                        SetOperator::Intersect => " INTERSECT ",
                        SetOperator::IntersectAll => " INTERSECT ALL ",
                    });
                    self.query_body(body);
                }
            }
            QueryBody::Table(name) => {
                self.text("TABLE ");
                self.read_table(name);
            }
            QueryBody::Values(rows) => {
                self.text("VALUES ");
                self.list(rows, ", ", |w, row| {
                    w.text("ROW(");
                    w.list(row, ",", Self::expr);
                    w.text(")");
                });
            }
        }
    }

    fn select(&mut self, select: &Select) {
        self.text("SELECT ");
        for modifier in &select.modifiers {
            self.text(modifier);
            self.text(" ");
        }
        self.text_if(select.distinct, "DISTINCT ");
        self.text_if(select.explicit_all, "ALL ");
        self.list(&select.items, ",", Self::select_item);
        if !select.from.is_empty() {
            self.text(" FROM ");
            self.from(&select.from, 0);
        }
        if let Some(filter) = &select.filter {
            if select.from.is_empty() {
                self.text(" FROM DUAL");
            }
            self.text(" WHERE ");
            self.expr(filter);
        }
        if !select.group.is_empty() {
            self.text(" GROUP BY ");
            self.list(&select.group, ",", Self::order_by);
            self.text_if(select.rollup, " WITH ROLLUP");
        }
        if let Some(having) = &select.having {
            self.text(" HAVING ");
            self.expr(having);
        }
        if !select.windows.is_empty() {
            self.text(" WINDOW ");
            self.list(&select.windows, ",", |w, (name, spec)| {
                w.name(name);
                w.text(" AS (");
                w.window_spec(spec);
                w.text(")");
            });
        }
    }

    fn select_item(&mut self, item: &SelectItem) {
        match item {
            SelectItem::Wildcard { schema, table } => {
                for part in schema.iter().chain(table) {
                    self.name(part);
                    self.text(".");
                }
                self.text("*");
            }
            SelectItem::Expr { expr, alias, .. } => {
                self.expr(expr);
                if let Some(alias) = alias {
                    self.text(" AS ");
                    self.name(alias);
                }
            }
        }
    }

    pub(super) fn order_by(&mut self, order: &OrderBy) {
        self.expr(&order.expr);
        self.text_if(order.desc, " DESC");
    }

    /// Tables side by side are joined one after the other, each step but the outermost in parentheses.
    fn from(&mut self, tables: &[TableRef], level: usize) {
        let Some((last, before)) = tables.split_last() else {
            return;
        };
        if before.is_empty() {
            match last {
                TableRef::Join(join) => self.join(join, level),
                other if level > 0 => {
                    self.text("(");
                    self.table_ref(other, level);
                    self.text(")");
                }
                other => self.table_ref(other, level),
            }
            return;
        }
        self.text_if(level > 0, "(");
        match before {
            // A query alone on the left is told apart by its own parentheses.
            [query @ TableRef::Query { .. }] => {
                self.table_ref(query, level);
                self.text(", ");
            }
            before => {
                on_enough_stack(|| self.from(before, level + 1));
                self.text(" JOIN ");
            }
        }
        self.table_ref(last, level + 1);
        self.text_if(level > 0, ")");
    }

    fn join(&mut self, join: &Join, level: usize) {
        self.text_if(level > 0, "(");
        self.table_ref(&join.left, level + 1);
        self.text_if(join.natural, " NATURAL");
        self.text(match join.kind {
            JoinKind::Inner => " JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Straight => " STRAIGHT_JOIN ",
        });
        self.table_ref(&join.right, level + 1);
        if let Some(on) = &join.on {
            self.text(" ON ");
            self.expr(on);
        }
        if !join.using.is_empty() {
            self.text(" USING (");
            self.list(&join.using, ",", Self::column_name);
            self.text(")");
        }
        self.text_if(level > 0, ")");
    }

    fn table_ref(&mut self, table: &TableRef, level: usize) {
        on_enough_stack(|| self.table_ref_inside(table, level));
    }

    fn table_ref_inside(&mut self, table: &TableRef, level: usize) {
        match table {
            TableRef::Table {
                name,
                partitions,
                alias,
                hints,
            } => {
                self.read_table(name);
                if !partitions.is_empty() {
                    self.text(" PARTITION(");
                    self.names(partitions, ", ");
                    self.text(")");
                }
                self.alias(alias.as_deref());
                for hint in hints {
                    self.index_hint(hint);
                }
            }
            TableRef::Query { query, alias } => {
                self.text("(");
                self.query(query);
                self.text(")");
                self.alias(alias.as_deref());
            }
            TableRef::Join(join) => self.join(join, level),
            TableRef::Paren(tables) => self.from(tables, level),
        }
    }

    fn alias(&mut self, alias: Option<&str>) {
        if let Some(alias) = alias {
            self.text(" AS ");
            self.name(alias);
        }
    }

    fn index_hint(&mut self, hint: &IndexHint) {
        self.text(" ");
        self.text(hint.kind);
        self.text(" INDEX");
        if let Some(scope) = hint.scope {
            self.text(" FOR ");
            self.text(scope);
        }
        self.text(" (");
        self.names(&hint.names, ", ");
        self.text(")");
    }
}
