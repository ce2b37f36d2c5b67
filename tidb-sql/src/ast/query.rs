//! Queries, as views hold them.

use super::{Expr, TableName, WindowSpec};

/// A query with what stands around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// WITH RECURSIVE.
    pub recursive: bool,
    /// WITH.
    pub with: Vec<CommonTable>,
    /// The query itself.
    pub body: QueryBody,
    /// ORDER BY.
    pub order: Vec<OrderBy>,
    /// LIMIT.
    pub limit: Option<Limit>,
    /// FOR UPDATE and the like.
    pub lock: Option<Lock>,
}

/// A table of WITH.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonTable {
    /// Its name.
    pub name: String,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Its query.
    pub query: Query,
}

/// UNION and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum SetOperator {
    Union,
    UnionAll,
    Except,
    ExceptAll,
    Intersect,
    IntersectAll,
}

/// The query itself.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryBody {
    /// SELECT.
    Select(Box<Select>),
    /// `(query)`.
    Paren(Box<Query>),
    /// Several, one after the other.
    Set {
        /// The first.
        first: Box<QueryBody>,
        /// The others.
        rest: Vec<(SetOperator, QueryBody)>,
    },
    /// `TABLE t`.
    Table(TableName),
    /// `VALUES ROW(…), …`.
    Values(Vec<Vec<Expr>>),
}

/// SELECT.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Select {
    /// SQL_CALC_FOUND_ROWS, HIGH_PRIORITY, STRAIGHT_JOIN and the like, in TiDB's order.
    pub modifiers: Vec<&'static str>,
    /// DISTINCT.
    pub distinct: bool,
    /// ALL, said.
    pub explicit_all: bool,
    /// What is selected.
    pub items: Vec<SelectItem>,
    /// FROM; empty for FROM DUAL or nothing.
    pub from: Vec<TableRef>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY.
    pub group: Vec<OrderBy>,
    /// WITH ROLLUP.
    pub rollup: bool,
    /// HAVING.
    pub having: Option<Expr>,
    /// WINDOW.
    pub windows: Vec<(String, WindowSpec)>,
}

/// Something selected.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*`, `t.*` or `d.t.*`.
    Wildcard {
        /// d.
        schema: Option<String>,
        /// t.
        table: Option<String>,
    },
    /// An expression.
    Expr {
        /// The expression.
        expr: Box<Expr>,
        /// As it is written: the name of a column that has no other.
        text: String,
        /// Its name.
        alias: Option<String>,
    },
}

/// ORDER BY and GROUP BY.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    /// By what; a number is a position.
    pub expr: Expr,
    /// DESC.
    pub desc: bool,
}

/// LIMIT.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// OFFSET.
    pub offset: Option<Expr>,
    /// How many.
    pub count: Expr,
}

/// FOR UPDATE and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// FOR UPDATE, FOR SHARE with what follows.
    pub kind: &'static str,
    /// OF.
    pub tables: Vec<TableName>,
    /// NOWAIT, SKIP LOCKED, WAIT n.
    pub wait: Option<String>,
}

/// How two tables are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// JOIN, INNER JOIN, CROSS JOIN.
    Inner,
    /// LEFT JOIN.
    Left,
    /// RIGHT JOIN.
    Right,
    /// STRAIGHT_JOIN.
    Straight,
}

/// Two tables joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// One.
    pub left: TableRef,
    /// How.
    pub kind: JoinKind,
    /// NATURAL.
    pub natural: bool,
    /// The other.
    pub right: TableRef,
    /// ON.
    pub on: Option<Expr>,
    /// USING.
    pub using: Vec<super::ColumnName>,
}

/// Something to read from.
#[derive(Debug, Clone, PartialEq)]
pub enum TableRef {
    /// A table.
    Table {
        /// Its name.
        name: TableName,
        /// PARTITION.
        partitions: Vec<String>,
        /// AS.
        alias: Option<String>,
        /// USE INDEX and the like, in order.
        hints: Vec<IndexHint>,
    },
    /// A query.
    Query {
        /// The query.
        query: Box<Query>,
        /// AS.
        alias: Option<String>,
    },
    /// Two tables joined.
    Join(Box<Join>),
    /// `(a, b JOIN c)`.
    Paren(Vec<TableRef>),
}

/// USE INDEX and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexHint {
    /// USE, IGNORE, FORCE.
    pub kind: &'static str,
    /// FOR JOIN, FOR ORDER BY, FOR GROUP BY.
    pub scope: Option<&'static str>,
    /// The indexes.
    pub names: Vec<String>,
}
