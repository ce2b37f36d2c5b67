//! Expressions.

use super::{ColumnName, DataType, Query, TableName};

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// NULL.
    Null,
    /// TRUE or FALSE.
    Bool(bool),
    /// A whole number.
    Integer(u64),
    /// A number with a point, or a whole one that is too large: digits as TiDB writes them.
    Decimal(String),
    /// A number with an exponent.
    Float(f64),
    /// A string.
    String {
        /// The character set that introduces it, else the connection's.
        charset: Option<String>,
        /// Its value.
        value: String,
    },
    /// `x'..'`.
    Hex {
        /// The character set that introduces it.
        charset: Option<String>,
        /// Its bytes.
        value: Vec<u8>,
    },
    /// `b'..'`.
    Bits {
        /// The character set that introduces it.
        charset: Option<String>,
        /// Its bytes, the first bits first.
        value: Vec<u8>,
    },
    /// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`, with the keyword.
    Temporal(&'static str, String),
}

/// An operator before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum UnaryOp {
    Not,
    /// `!`
    Bang,
    Minus,
    Plus,
    /// `~`
    BitNot,
}

/// An operator between its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum BinaryOp {
    Or,
    Xor,
    And,
    Eq,
    NullSafeEq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    BitOr,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    IntDivide,
    Mod,
    BitXor,
}

/// What IS tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum Truth {
    Null,
    True,
    False,
}

/// `WHEN … THEN …`.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseArm {
    /// WHEN.
    pub when: Expr,
    /// THEN.
    pub then: Expr,
}

/// How a cast is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastStyle {
    /// `CAST(x AS t)`.
    Cast,
    /// `CONVERT(x, t)`.
    Convert,
    /// `BINARY x`.
    Binary,
}

/// What a cast makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CastType {
    /// SIGNED.
    Signed,
    /// UNSIGNED.
    Unsigned,
    /// Another type.
    Type(DataType),
    /// `t ARRAY`.
    Array(DataType),
}

/// A unit of time, as TiDB spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeUnit(pub(crate) &'static str);

impl TimeUnit {
    /// `DAY`, `HOUR_MINUTE`, ….
    pub fn keyword(self) -> &'static str {
        self.0
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Function {
    /// `name(a, b)`.
    Plain {
        /// The schema it is in: of NEXTVAL and the like none.
        schema: Option<String>,
        /// Its name, as written.
        name: String,
        /// Its arguments.
        args: Vec<Expr>,
    },
    /// `COUNT(DISTINCT a)` and other aggregates.
    Aggregate {
        /// Its name, as written.
        name: String,
        /// DISTINCT.
        distinct: bool,
        /// Its arguments.
        args: Vec<Expr>,
        /// ORDER BY of GROUP_CONCAT.
        order: Vec<super::OrderBy>,
        /// SEPARATOR of GROUP_CONCAT.
        separator: Option<String>,
    },
    /// `DATE_ADD(a, INTERVAL b unit)`: ADDDATE, DATE_ADD, DATE_SUB, SUBDATE.
    DateArithmetic {
        /// Its name.
        name: &'static str,
        /// The date.
        date: Box<Expr>,
        /// The interval.
        interval: Box<Expr>,
        /// Its unit.
        unit: TimeUnit,
    },
    /// `EXTRACT(unit FROM a)`.
    Extract(TimeUnit, Box<Expr>),
    /// `TIMESTAMPADD(unit, a, b)` and `TIMESTAMPDIFF`, with its name.
    WithUnit(&'static str, TimeUnit, Vec<Expr>),
    /// `GET_FORMAT(type, a)`.
    GetFormat(&'static str, Box<Expr>),
    /// `CONVERT(a USING charset)`.
    ConvertUsing(Box<Expr>, String),
    /// `CHAR(a, b USING charset)`.
    Char(Vec<Expr>, Option<String>),
    /// `POSITION(a IN b)`.
    Position(Box<Expr>, Box<Expr>),
    /// `TRIM(direction remove FROM text)`.
    Trim {
        /// BOTH, LEADING, TRAILING.
        direction: Option<&'static str>,
        /// What is cut off.
        remove: Option<Box<Expr>>,
        /// From what.
        text: Box<Expr>,
    },
    /// `WEIGHT_STRING(a AS CHAR(n))`, with CHAR or BINARY.
    WeightString(Box<Expr>, &'static str, u64),
    /// `a MEMBER OF (b)`.
    MemberOf(Box<Expr>, Box<Expr>),
    /// `NEXT VALUE FOR sequence` and NEXTVAL, LASTVAL, with its name.
    Sequence(&'static str, TableName),
}

/// `OVER (…)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// By name.
    Named(String),
    /// As it is.
    Spec(WindowSpec),
}

/// What stands in the parentheses of OVER.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowSpec {
    /// The window it is based on.
    pub base: Option<String>,
    /// PARTITION BY.
    pub partition: Vec<super::OrderBy>,
    /// ORDER BY.
    pub order: Vec<super::OrderBy>,
    /// ROWS or RANGE.
    pub frame: Option<Frame>,
}

/// A window's frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// ROWS, RANGE or GROUPS.
    pub kind: &'static str,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
}

/// A bound of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    /// CURRENT ROW.
    CurrentRow,
    /// UNBOUNDED, or a number with its unit.
    Away {
        /// None for UNBOUNDED.
        by: Option<Box<Expr>>,
        /// INTERVAL's unit.
        unit: Option<TimeUnit>,
        /// FOLLOWING, else PRECEDING.
        following: bool,
    },
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expr {
    /// A constant.
    Literal(Literal),
    /// A column.
    Column(ColumnName),
    /// `op a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a op b`.
    Binary(Box<Expr>, BinaryOp, Box<Expr>),
    /// `a [NOT] BETWEEN b AND c`.
    Between {
        /// a.
        expr: Box<Expr>,
        /// NOT.
        negated: bool,
        /// b.
        low: Box<Expr>,
        /// c.
        high: Box<Expr>,
    },
    /// `a [NOT] IN (b, c)`.
    In {
        /// a.
        expr: Box<Expr>,
        /// NOT.
        negated: bool,
        /// b, c.
        list: Vec<Expr>,
    },
    /// `a [NOT] IN (SELECT …)`.
    InQuery {
        /// a.
        expr: Box<Expr>,
        /// NOT.
        negated: bool,
        /// The query.
        query: Box<Query>,
    },
    /// `a [NOT] LIKE b ESCAPE c`.
    Like {
        /// a.
        expr: Box<Expr>,
        /// NOT.
        negated: bool,
        /// ILIKE.
        ignore_case: bool,
        /// b.
        pattern: Box<Expr>,
        /// c, unless it is the backslash.
        escape: Option<String>,
    },
    /// `a [NOT] REGEXP b`.
    Regexp {
        /// a.
        expr: Box<Expr>,
        /// NOT.
        negated: bool,
        /// b.
        pattern: Box<Expr>,
    },
    /// `a IS [NOT] NULL`, TRUE, FALSE.
    Is {
        /// a.
        expr: Box<Expr>,
        /// NOT.
        negated: bool,
        /// What.
        truth: Truth,
    },
    /// `CASE a WHEN b THEN c ELSE d END`.
    Case {
        /// a.
        operand: Option<Box<Expr>>,
        /// The arms.
        arms: Vec<CaseArm>,
        /// d.
        otherwise: Option<Box<Expr>>,
    },
    /// `(a)`.
    Paren(Box<Expr>),
    /// `ROW(a, b)` or `(a, b)`.
    Row(Vec<Expr>),
    /// A call.
    Function(Function),
    /// A call over a window.
    Window {
        /// Its name, as written.
        name: String,
        /// DISTINCT.
        distinct: bool,
        /// Its arguments.
        args: Vec<Expr>,
        /// FROM LAST.
        from_last: bool,
        /// IGNORE NULLS.
        ignore_nulls: bool,
        /// OVER.
        window: Window,
    },
    /// A cast.
    Cast {
        /// How it is written.
        style: CastStyle,
        /// What.
        expr: Box<Expr>,
        /// To what; of `BINARY x` it is BINARY.
        to: CastType,
    },
    /// `a COLLATE b`.
    Collate(Box<Expr>, String),
    /// `DEFAULT` or `DEFAULT(column)`.
    Default(Option<ColumnName>),
    /// `VALUES(column)`.
    Values(ColumnName),
    /// MAXVALUE.
    MaxValue,
    /// `[NOT] EXISTS (…)`.
    Exists {
        /// NOT.
        negated: bool,
        /// The query.
        query: Box<Query>,
    },
    /// `(SELECT …)`.
    Query(Box<Query>),
    /// `a op ANY (SELECT …)`.
    Compare {
        /// a.
        expr: Box<Expr>,
        /// The comparison.
        op: BinaryOp,
        /// ALL, else ANY.
        all: bool,
        /// The query.
        query: Box<Query>,
    },
    /// `@x` or `@@global.x`.
    Variable {
        /// `@@`, else `@`.
        system: bool,
        /// GLOBAL or SESSION, if said.
        scope: Option<&'static str>,
        /// Its name.
        name: String,
    },
    /// `MATCH (a) AGAINST (b)`.
    Match {
        /// a.
        columns: Vec<ColumnName>,
        /// b.
        against: Box<Expr>,
        /// IN BOOLEAN MODE and the like.
        modifier: Option<&'static str>,
    },
}
