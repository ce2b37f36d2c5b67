//! The functions of `PARTITION BY HASH`, `RANGE` and `LIST`: what TiDB allows there, evaluated over a row.

use tidb_sql::ast::{BinaryOp, Expr, Function, Literal, TimeUnit, UnaryOp};

use super::calendar;
use crate::tidb::catalog::Zone;
use crate::tidb::catalog::model::{TableInfo, Tp};
use crate::tidb::codec::{Datum, Duration, Time};

/// Digits of the smallest fraction of a second.
const MAX_FSP: usize = 6;

/// Why an expression is no partitioning function, or has no value. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExprError {
    /// A column that the table does not have.
    #[error("know the column {0:?}")]
    UnknownColumn(String),
    /// TiDB allows other functions only.
    #[error("use this function in a partitioning function")]
    NotAllowed,
    /// Its arguments make it depend on the time zone or on nothing at all.
    #[error("use a constant or what depends on the time zone as a partitioning function")]
    WrongArgument,
    /// It makes no whole number.
    #[error("use what is no whole number as a partitioning function")]
    WrongType,
    /// It is a column that holds no whole number.
    #[error("partition by the column {0:?}, which holds no whole numbers")]
    ColumnType(String),
    /// TiDB would take it.
    #[error("evaluate {0} in a partitioning function")]
    NotServed(String),
    /// A result beyond 64 bits.
    #[error("evaluate a partitioning function: a result is beyond 64 bits")]
    Overflow,
}

/// What a node makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Date,
    Datetime,
    Timestamp,
    Clock,
    Text,
    Other,
}

/// An expression with its columns found.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A column by its offset.
    Column(usize),
    /// A whole number.
    Number(i128),
    /// A text: a date or time.
    Text(String),
    /// NULL.
    Null,
    /// `-a`
    Minus(Box<Node>),
    /// `a op b`
    Binary(Box<Node>, Op, Box<Node>),
    /// A call.
    Call(Call, Vec<Node>),
}

/// An operator between numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "SQL's own names")]
pub enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Mod,
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "SQL's own names")]
pub enum Call {
    Abs,
    Same,
    DateDiff,
    Day,
    DayOfWeek,
    DayOfYear,
    Hour,
    Microsecond,
    Minute,
    Month,
    Quarter,
    Second,
    TimeToSec,
    ToDays,
    ToSeconds,
    UnixTimestamp,
    Weekday,
    Year,
    YearMonth,
}

enum Value {
    Null,
    Number(i128),
    Time(Time),
    Clock(Duration),
    Text(String),
}

impl Node {
    /// Finds the columns of a partitioning function in a table, and checks what TiDB checks.
    pub fn compile(tree: &Expr, table: &TableInfo) -> Result<Self, ExprError> {
        let mut compiler = Compiler {
            table: Some(table),
            columns: 0,
            zone: None,
        };
        let (node, kind) = compiler.node(tree)?;
        if compiler.columns == 0 {
            return Err(ExprError::WrongArgument);
        }
        match (kind, &node) {
            (Kind::Number, _) => Ok(node),
            (_, Node::Column(offset)) => Err(ExprError::ColumnType(
                table
                    .columns
                    .get(*offset)
                    .map_or_else(String::new, |c| c.name.l.clone()),
            )),
            _ => Err(ExprError::WrongType),
        }
    }

    /// A constant: a bound or value of a partition. None for NULL. Times that are given to UNIX_TIMESTAMP are those of
    /// clocks in `zone`.
    pub fn constant(tree: &Expr, zone: &Zone) -> Result<Option<i128>, ExprError> {
        let mut compiler = Compiler {
            table: None,
            columns: 0,
            zone: Some(zone),
        };
        match compiler.node(tree)? {
            (node, Kind::Number) => node.number(&[]),
            _ => Err(ExprError::WrongType),
        }
    }

    /// The offsets of the columns in it, each once.
    pub fn columns(&self) -> Vec<usize> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out
    }

    fn collect(&self, out: &mut Vec<usize>) {
        match self {
            Self::Column(offset) if !out.contains(offset) => out.push(*offset),
            Self::Minus(a) => a.collect(out),
            Self::Binary(a, _, b) => {
                a.collect(out);
                b.collect(out);
            }
            Self::Call(_, args) => args.iter().for_each(|a| a.collect(out)),
            _ => {}
        }
    }

    /// Its value over a row, none for NULL.
    pub fn number(&self, row: &[Datum]) -> Result<Option<i128>, ExprError> {
        match self.value(row)? {
            Value::Number(number) => Ok(Some(number)),
            Value::Null => Ok(None),
            _ => Err(ExprError::WrongType),
        }
    }

    fn value(&self, row: &[Datum]) -> Result<Value, ExprError> {
        Ok(match self {
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Null => Value::Null,
            Self::Column(offset) => match row.get(*offset) {
                None | Some(Datum::Null) => Value::Null,
                Some(Datum::Int(v)) => Value::Number((*v).into()),
                Some(Datum::Uint(v)) => Value::Number((*v).into()),
                Some(Datum::Time(v)) => Value::Time(*v),
                Some(Datum::Duration(v)) => Value::Clock(*v),
                Some(other) => return Err(ExprError::NotServed(other.kind().to_owned())),
            },
            Self::Minus(a) => match a.number(row)? {
                Some(v) => Value::Number(in_range(-v)?),
                None => Value::Null,
            },
            Self::Binary(a, op, b) => match (a.number(row)?, b.number(row)?) {
                (Some(a), Some(b)) => binary(a, *op, b)?,
                _ => Value::Null,
            },
            Self::Call(call, args) => {
                let args = args
                    .iter()
                    .map(|arg| arg.value(row))
                    .collect::<Result<Vec<_>, _>>()?;
                call.of(&args)?.map_or(Value::Null, Value::Number)
            }
        })
    }
}

fn in_range(value: i128) -> Result<i128, ExprError> {
    if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value) {
        Ok(value)
    } else {
        Err(ExprError::Overflow)
    }
}

fn binary(a: i128, op: Op, b: i128) -> Result<Value, ExprError> {
    let result = match op {
        Op::Add => a + b,
        Op::Subtract => a - b,
        Op::Multiply => a.checked_mul(b).ok_or(ExprError::Overflow)?,
        Op::Divide if b == 0 => return Ok(Value::Null),
        Op::Mod if b == 0 => return Ok(Value::Null),
        Op::Divide => a / b,
        Op::Mod => a % b,
    };
    in_range(result).map(Value::Number)
}

/// A constant UNIX_TIMESTAMP, whose time is one of a zone.
fn of_zone(call: &Node, zone: &Zone) -> Result<Node, ExprError> {
    let Some(local) = call.number(&[])? else {
        return Ok(Node::Null);
    };
    if local == 0 {
        // The zero time.
        return Ok(Node::Number(0));
    }
    let utc = i64::try_from(local)
        .ok()
        .and_then(|local| zone.to_utc_seconds(local));
    let left_out = || ExprError::NotServed("a time that clocks of the zone leave out".to_owned());
    utc.map(|utc| Node::Number(utc.into())).ok_or_else(left_out)
}

struct Compiler<'a> {
    /// None for constants.
    table: Option<&'a TableInfo>,
    columns: usize,
    /// Of the times that a constant may have.
    zone: Option<&'a Zone>,
}

impl Compiler<'_> {
    fn node(&mut self, tree: &Expr) -> Result<(Node, Kind), ExprError> {
        Ok(match tree {
            Expr::Literal(Literal::Null) => (Node::Null, Kind::Number),
            Expr::Literal(Literal::Bool(truth)) => (Node::Number(i128::from(*truth)), Kind::Number),
            Expr::Literal(Literal::Integer(n)) => (Node::Number((*n).into()), Kind::Number),
            Expr::Literal(Literal::String { value, .. } | Literal::Temporal(_, value)) => {
                (Node::Text(value.clone()), Kind::Text)
            }
            Expr::Literal(_) => return Err(ExprError::WrongType),
            Expr::Paren(inner) => return self.node(inner),
            Expr::Column(name) => return self.column(&name.name),
            Expr::Unary(UnaryOp::Minus, a) => {
                (Node::Minus(Box::new(self.of_number(a)?)), Kind::Number)
            }
            Expr::Unary(UnaryOp::Plus, a) => (self.of_number(a)?, Kind::Number),
            Expr::Binary(a, op, b) => {
                let op = match op {
                    BinaryOp::Add => Op::Add,
                    BinaryOp::Subtract => Op::Subtract,
                    BinaryOp::Multiply => Op::Multiply,
                    BinaryOp::IntDivide => Op::Divide,
                    BinaryOp::Mod => Op::Mod,
                    _ => return Err(ExprError::NotAllowed),
                };
                let (a, b) = (self.of_number(a)?, self.of_number(b)?);
                (Node::Binary(Box::new(a), op, Box::new(b)), Kind::Number)
            }
            Expr::Function(Function::Plain {
                schema: None,
                name,
                args,
            }) => return self.call(name, args),
            Expr::Function(Function::Extract(unit, from)) => return self.extract(*unit, from),
            _ => return Err(ExprError::NotAllowed),
        })
    }

    fn of_number(&mut self, tree: &Expr) -> Result<Node, ExprError> {
        match self.node(tree)? {
            (node, Kind::Number) => Ok(node),
            _ => Err(ExprError::WrongType),
        }
    }

    fn column(&mut self, name: &str) -> Result<(Node, Kind), ExprError> {
        let column = self.table.and_then(|t| t.column(name));
        let column = column.ok_or_else(|| ExprError::UnknownColumn(name.to_owned()))?;
        self.columns += 1;
        let kind = match column.field_type.tp {
            Tp::Year | Tp::Bit => Kind::Number,
            Tp::Date => Kind::Date,
            Tp::Datetime => Kind::Datetime,
            Tp::Timestamp if column.field_type.decimal <= 0 => Kind::Timestamp,
            Tp::Duration => Kind::Clock,
            tp if tp.is_integer() => Kind::Number,
            tp if tp.is_string() => Kind::Text,
            _ => Kind::Other,
        };
        Ok((Node::Column(column.offset), kind))
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> Result<(Node, Kind), ExprError> {
        let name = name.to_ascii_uppercase();
        if name == "MOD"
            && let [a, b] = args
        {
            let (a, b) = (self.of_number(a)?, self.of_number(b)?);
            let node = Node::Binary(Box::new(a), Op::Mod, Box::new(b));
            return Ok((node, Kind::Number));
        }
        let call = match name.as_str() {
            "ABS" => Call::Abs,
            "CEILING" | "CEIL" | "FLOOR" => Call::Same,
            "DATEDIFF" => Call::DateDiff,
            "DAY" | "DAYOFMONTH" => Call::Day,
            "DAYOFWEEK" => Call::DayOfWeek,
            "DAYOFYEAR" => Call::DayOfYear,
            "HOUR" => Call::Hour,
            "MICROSECOND" => Call::Microsecond,
            "MINUTE" => Call::Minute,
            "MONTH" => Call::Month,
            "QUARTER" => Call::Quarter,
            "SECOND" => Call::Second,
            "TIME_TO_SEC" => Call::TimeToSec,
            "TO_DAYS" => Call::ToDays,
            "TO_SECONDS" => Call::ToSeconds,
            "UNIX_TIMESTAMP" => Call::UnixTimestamp,
            "WEEKDAY" => Call::Weekday,
            "YEAR" => Call::Year,
            "YEARWEEK" => return Err(ExprError::NotServed("YEARWEEK".to_owned())),
            _ => return Err(ExprError::NotAllowed),
        };
        self.checked(call, args)
    }

    fn extract(&mut self, unit: TimeUnit, from: &Expr) -> Result<(Node, Kind), ExprError> {
        let call = match unit.keyword() {
            "YEAR" => Call::Year,
            "YEAR_MONTH" => Call::YearMonth,
            "QUARTER" => Call::Quarter,
            "MONTH" => Call::Month,
            "DAY" => Call::Day,
            "HOUR" => Call::Hour,
            "MINUTE" => Call::Minute,
            "SECOND" => Call::Second,
            "MICROSECOND" => Call::Microsecond,
            other => return Err(ExprError::NotServed(format!("EXTRACT({other} …)"))),
        };
        self.checked(call, std::slice::from_ref(from))
    }

    /// TiDB asks for arguments whose value does not hang on the session's time zone.
    fn checked(&mut self, call: Call, args: &[Expr]) -> Result<(Node, Kind), ExprError> {
        let wanted = if call == Call::DateDiff { 2 } else { 1 };
        if args.len() != wanted {
            return Err(ExprError::WrongArgument);
        }
        let mut nodes = Vec::with_capacity(args.len());
        for arg in args {
            let (node, kind) = self.node(arg)?;
            let constant = self.table.is_none() || node.columns().is_empty();
            let date = matches!(kind, Kind::Date | Kind::Datetime);
            let fits = match call {
                Call::Abs | Call::Same => match kind {
                    Kind::Number => true,
                    Kind::Other => {
                        return Err(ExprError::NotServed("functions of decimals".to_owned()));
                    }
                    _ => return Err(ExprError::WrongType),
                },
                Call::UnixTimestamp => kind == Kind::Timestamp,
                Call::Hour | Call::Minute | Call::Second | Call::Microsecond | Call::TimeToSec => {
                    matches!(kind, Kind::Clock | Kind::Datetime)
                }
                _ => date,
            };
            if !(fits || constant && kind == Kind::Text) {
                return Err(ExprError::WrongArgument);
            }
            nodes.push(node);
        }
        let node = Node::Call(call, nodes);
        if let (Call::UnixTimestamp, Some(zone)) = (call, self.zone) {
            return Ok((of_zone(&node, zone)?, Kind::Number));
        }
        Ok((node, Kind::Number))
    }
}

impl Call {
    fn of(self, args: &[Value]) -> Result<Option<i128>, ExprError> {
        if args.iter().any(|arg| matches!(arg, Value::Null)) {
            return Ok(None);
        }
        if let (Self::Abs | Self::Same, [Value::Number(n)]) = (self, args) {
            return in_range(if self == Self::Abs { n.abs() } else { *n }).map(Some);
        }
        if let (Self::DateDiff, [a, b]) = (self, args) {
            let days = |v: &Value| v.time().and_then(|t| calendar::days(&t));
            return Ok(days(a).zip(days(b)).map(|(a, b)| a - b));
        }
        let Some(arg) = args.first() else {
            return Ok(None);
        };
        Ok(arg.time().map_or_else(
            || arg.clock().and_then(|clock| self.of_clock(clock)),
            |time| self.of_time(&time),
        ))
    }

    fn of_time(self, time: &Time) -> Option<i128> {
        match self {
            Self::Day => Some(time.day.into()),
            Self::DayOfWeek => calendar::day_of_week(time),
            Self::DayOfYear => calendar::day_of_year(time),
            Self::Hour => Some(time.hour.into()),
            Self::Microsecond => Some(time.micro.into()),
            Self::Minute => Some(time.minute.into()),
            Self::Month => Some(time.month.into()),
            Self::Quarter => Some((i128::from(time.month) + 2) / 3),
            Self::Second => Some(time.second.into()),
            Self::TimeToSec => Some(calendar::second_of_day(time)),
            Self::ToDays => calendar::days(time),
            Self::ToSeconds => calendar::seconds(time),
            Self::UnixTimestamp => Some(calendar::unix_seconds(time)),
            Self::Weekday => calendar::weekday(time),
            Self::Year => Some(time.year.into()),
            Self::YearMonth => Some(i128::from(time.year) * 100 + i128::from(time.month)),
            Self::Abs | Self::Same | Self::DateDiff => None,
        }
    }

    fn of_clock(self, clock: Duration) -> Option<i128> {
        let ns = i128::from(clock.0);
        let seconds = ns.abs() / 1_000_000_000;
        match self {
            Self::Hour => Some(seconds / 3600),
            Self::Minute => Some(seconds / 60 % 60),
            Self::Second => Some(seconds % 60),
            Self::Microsecond => Some(ns.abs() % 1_000_000_000 / 1000),
            Self::TimeToSec => Some(seconds * ns.signum()),
            _ => None,
        }
    }
}

impl Value {
    fn time(&self) -> Option<Time> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Text(text) => Time::from_literal(text, MAX_FSP),
            _ => None,
        }
    }

    fn clock(&self) -> Option<Duration> {
        match self {
            Self::Clock(clock) => Some(*clock),
            Self::Text(text) => Duration::from_literal(text, MAX_FSP),
            _ => None,
        }
    }
}
