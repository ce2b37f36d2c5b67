//! Expressions in MariaDB's words: those that it computes as TiDB does.

use std::fmt::Write as _;

use tidb_sql::ast::{
    BinaryOp, CaseArm, CastStyle, CastType, Expr, Function, Literal, Truth, TypeKind, UnaryOp,
};

use super::super::DdlError;
use super::super::ddl::unsupported;
use super::super::mariadb::{quoted, string};
use super::super::model::{ColumnInfo, FieldType, TableInfo, Tp};
use super::{functions, json};
use crate::tidb::partition::options;

/// Prefix of the CHECK that stands for a generated column's NOT NULL, which MariaDB has not.
pub const NOT_NULL_CHECK: &str = "_tidb_not_null_";
/// Prefix of the CHECK that refuses what MariaDB would compute otherwise than TiDB.
pub const SERVED_CHECK: &str = "_tidb_served_";

/// Longest name of a CHECK in MariaDB, in characters.
const MAX_NAME: usize = 64;

/// What an expression makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Integer,
    Decimal,
    Float,
    Text,
    Date,
    Datetime,
    Time,
    Json,
}

impl Kind {
    /// The kind that all are of, NULL aside.
    pub(super) fn common(kinds: &[Self]) -> Option<Self> {
        let mut found = Self::Null;
        for kind in kinds.iter().filter(|kind| **kind != Self::Null) {
            if found != Self::Null && found != *kind {
                return None;
            }
            found = *kind;
        }
        Some(found)
    }

    fn of_column(ft: &FieldType) -> Option<Self> {
        Some(match ft.tp {
            tp if tp.is_integer() => Self::Integer,
            Tp::NewDecimal => Self::Decimal,
            Tp::Double => Self::Float,
            Tp::Date => Self::Date,
            Tp::Datetime => Self::Datetime,
            Tp::Duration => Self::Time,
            Tp::Json => Self::Json,
            tp if tp.is_string() && !ft.is_binary_string() => Self::Text,
            _ => return None,
        })
    }
}

/// How MariaDB generates a column, behind its type: `AS (…) STORED`, and the CHECKs of it, to stand among the table's keys.
pub(crate) fn clause(
    query: &str,
    table: &TableInfo,
    column: &ColumnInfo,
) -> Result<(String, Vec<String>), DdlError> {
    let text = &column.generated_expr_string;
    let refused =
        |why: String| unsupported(query, format!("the generated expression {text}: {why}"));
    let tree = tidb_sql::parse_expr(text, &options(table.written_by()))
        .map_err(|error| refused(error.to_string()))?;
    let mut translator = Translator {
        table,
        conditions: vec![],
    };
    let (sql, kind) = translator.expr(&tree).map_err(refused)?;
    let sql = translator
        .assigned(sql, kind, &column.field_type)
        .map_err(refused)?;
    let kept = if column.generated_stored {
        "STORED"
    } else {
        "VIRTUAL"
    };
    let mut checks = vec![];
    // Named by the column: it keeps its name, and its id may not be known yet.
    let mut check = |prefix: &str, condition: &str| -> Result<(), DdlError> {
        let name = format!("{prefix}{}", column.name.o);
        if name.chars().count() > MAX_NAME {
            return Err(refused("a CHECK under so long a name".to_owned()));
        }
        checks.push(format!("CONSTRAINT {} CHECK ({condition})", quoted(&name)));
        Ok(())
    };
    // A hidden column is NOT NULL where what it is computed from is.
    if column.field_type.is_not_null() && !column.hidden {
        let condition = format!("{} IS NOT NULL", quoted(&column.name.o));
        check(NOT_NULL_CHECK, &condition)?;
    }
    if !translator.conditions.is_empty() {
        check(SERVED_CHECK, &translator.conditions.join(" AND "))?;
    }
    Ok((format!(" AS ({sql}) {kept}"), checks))
}

struct Translator<'a> {
    table: &'a TableInfo,
    /// Under which MariaDB's value is TiDB's.
    conditions: Vec<String>,
}

/// MariaDB's text, and what it makes; or what is not served.
type Translated = Result<(String, Kind), String>;

impl Translator<'_> {
    fn expr(&mut self, expr: &Expr) -> Translated {
        Ok(match expr {
            Expr::Literal(literal) => self.literal(literal)?,
            Expr::Column(name) => self.column(&name.name)?,
            Expr::Paren(inner) => self.expr(inner)?,
            Expr::Unary(op, inner) => self.unary(*op, inner)?,
            Expr::Binary(a, op, b) => self.binary(a, *op, b)?,
            Expr::Is {
                expr,
                negated,
                truth: Truth::Null,
            } => {
                let (inner, kind) = self.expr(expr)?;
                no_json(kind)?;
                let not = if *negated { "NOT " } else { "" };
                (format!("({inner} IS {not}NULL)"), Kind::Integer)
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let (texts, _) = self.compared([&**expr, low, high])?;
                let not = if *negated { "NOT " } else { "" };
                let sql = format!("({} {not}BETWEEN {} AND {})", texts[0], texts[1], texts[2]);
                (sql, Kind::Integer)
            }
            Expr::In {
                expr,
                negated,
                list,
            } => {
                let (texts, _) = self.compared(std::iter::once(&**expr).chain(list))?;
                let not = if *negated { "NOT " } else { "" };
                let sql = format!("({} {not}IN ({}))", texts[0], texts[1..].join(", "));
                (sql, Kind::Integer)
            }
            Expr::Case {
                operand,
                arms,
                otherwise,
            } => self.case(operand.as_deref(), arms, otherwise.as_deref())?,
            Expr::Cast {
                style: CastStyle::Cast | CastStyle::Convert,
                expr,
                to,
            } => self.cast(expr, to)?,
            Expr::Function(function) => self.function(function)?,
            _ => return Err("operators of this kind".to_owned()),
        })
    }

    fn literal(&self, literal: &Literal) -> Translated {
        Ok(match literal {
            Literal::Null => ("NULL".to_owned(), Kind::Null),
            Literal::Bool(truth) => (u8::from(*truth).to_string(), Kind::Integer),
            Literal::Integer(n) => (n.to_string(), Kind::Integer),
            Literal::Decimal(digits) => (digits.clone(), Kind::Decimal),
            Literal::Float(number) => (format!("{number:e}"), Kind::Float),
            Literal::String { charset, value } => match charset.as_deref() {
                None | Some("utf8mb4") => (string(value), Kind::Text),
                Some(other) => return Err(format!("strings of character set {other}")),
            },
            Literal::Hex { .. } | Literal::Bits { .. } => return Err("binary literals".to_owned()),
            Literal::Temporal(..) => return Err("literals of dates and times".to_owned()),
        })
    }

    fn column(&self, name: &str) -> Translated {
        let column = self.table.column(name);
        let column = column.ok_or_else(|| format!("the unknown column {name}"))?;
        let kind = Kind::of_column(&column.field_type)
            .ok_or_else(|| format!("the type of column {name} in it"))?;
        Ok((quoted(&column.name.o), kind))
    }

    fn unary(&mut self, op: UnaryOp, inner: &Expr) -> Translated {
        let (inner, kind) = self.expr(inner)?;
        let number = matches!(kind, Kind::Integer | Kind::Decimal | Kind::Float);
        Ok(match op {
            UnaryOp::Minus if number => (format!("(-{inner})"), kind),
            UnaryOp::Plus if number => (inner, kind),
            UnaryOp::Not | UnaryOp::Bang if kind == Kind::Integer => {
                (format!("(NOT {inner})"), kind)
            }
            UnaryOp::BitNot if kind == Kind::Integer => (format!("(~{inner})"), kind),
            _ => return Err("signs before what is no number".to_owned()),
        })
    }

    fn binary(&mut self, a: &Expr, op: BinaryOp, b: &Expr) -> Translated {
        use BinaryOp as Op;
        let sign = match op {
            Op::Eq => "=",
            Op::NullSafeEq => "<=>",
            Op::Ne => "<>",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Or => "OR",
            Op::Xor => "XOR",
            Op::And => "AND",
            Op::BitOr => "|",
            Op::BitAnd => "&",
            Op::ShiftLeft => "<<",
            Op::ShiftRight => ">>",
            Op::BitXor => "^",
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
            Op::Divide => "/",
            Op::IntDivide => "DIV",
            Op::Mod => "%",
        };
        if matches!(
            op,
            Op::Eq | Op::NullSafeEq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge
        ) {
            let (texts, _) = self.compared([a, b])?;
            return Ok((format!("({} {sign} {})", texts[0], texts[1]), Kind::Integer));
        }
        let ((a, of_a), (b, of_b)) = (self.expr(a)?, self.expr(b)?);
        let kind = match op {
            Op::Add | Op::Subtract | Op::Multiply => arithmetic(of_a, of_b),
            // Decimals divide into digits that each counts in its own way.
            Op::Divide => arithmetic(of_a, of_b).filter(|kind| *kind == Kind::Float),
            _ => arithmetic(of_a, of_b).filter(|kind| *kind == Kind::Integer),
        };
        let kind = kind.ok_or_else(|| format!("the operator {sign} between these"))?;
        Ok((format!("({a} {sign} {b})"), kind))
    }

    /// Operands of a comparison: numbers, or all of one kind.
    fn compared<'e>(
        &mut self,
        operands: impl IntoIterator<Item = &'e Expr>,
    ) -> Result<(Vec<String>, Kind), String> {
        let (texts, kinds) = self.each(operands)?;
        let kind = Kind::common(&kinds).or_else(|| numbers(&kinds));
        let kind = kind.ok_or("comparisons between different kinds of values")?;
        no_json(kind)?;
        Ok((texts, kind))
    }

    fn each<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
    ) -> Result<(Vec<String>, Vec<Kind>), String> {
        let all = exprs.into_iter().map(|e| self.expr(e));
        Ok(all.collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[CaseArm],
        otherwise: Option<&Expr>,
    ) -> Translated {
        let mut out = "(CASE".to_owned();
        let whens = arms.iter().map(|arm| &arm.when);
        let whens = match operand {
            Some(operand) => {
                let (texts, _) = self.compared(std::iter::once(operand).chain(whens))?;
                let _ = write!(out, " {}", texts[0]);
                texts[1..].to_vec()
            }
            None => {
                let (texts, kinds) = self.each(whens)?;
                conditions(&kinds)?;
                texts
            }
        };
        let (mut thens, mut kinds) = self.each(arms.iter().map(|arm| &arm.then))?;
        let last = otherwise.map(|e| self.expr(e)).transpose()?;
        if let Some((text, kind)) = last {
            thens.push(text);
            kinds.push(kind);
        }
        let kind = Kind::common(&kinds).ok_or("results of different kinds")?;
        no_json(kind)?;
        for (when, then) in whens.iter().zip(&thens) {
            let _ = write!(out, " WHEN {when} THEN {then}");
        }
        if let Some(otherwise) = thens.get(whens.len()) {
            let _ = write!(out, " ELSE {otherwise}");
        }
        out.push_str(" END)");
        Ok((out, kind))
    }

    fn cast(&mut self, expr: &Expr, to: &CastType) -> Translated {
        let (inner, kind) = self.expr(expr)?;
        let refused = || Err("casts between these".to_owned());
        let whole = matches!(kind, Kind::Integer | Kind::Decimal);
        Ok(match to {
            CastType::Signed if kind == Kind::Json => {
                self.conditions.push(json::is_no_double(&inner));
                let integer = json::to_integer(&inner);
                (format!("CAST({integer} AS SIGNED)"), Kind::Integer)
            }
            CastType::Signed if whole => (format!("CAST({inner} AS SIGNED)"), Kind::Integer),
            CastType::Unsigned if whole => (format!("CAST({inner} AS UNSIGNED)"), Kind::Integer),
            CastType::Type(to) => match to.kind {
                TypeKind::Char | TypeKind::VarChar
                    if (whole || kind == Kind::Text) && to.charset.is_none() =>
                {
                    let length = to.length.map_or_else(String::new, |n| format!("({n})"));
                    (format!("CAST({inner} AS CHAR{length})"), Kind::Text)
                }
                TypeKind::Decimal if whole => {
                    let (length, scale) = (to.length.unwrap_or(10), to.scale.unwrap_or(0));
                    let sql = format!("CAST({inner} AS DECIMAL({length},{scale}))");
                    (sql, Kind::Decimal)
                }
                TypeKind::Date if matches!(kind, Kind::Date | Kind::Datetime) => {
                    (format!("CAST({inner} AS DATE)"), Kind::Date)
                }
                _ => return refused(),
            },
            _ => return refused(),
        })
    }

    fn function(&mut self, function: &Function) -> Translated {
        let (name, args) = match function {
            Function::Plain {
                schema: None,
                name,
                args,
            } => (name.to_uppercase(), args),
            Function::Trim {
                direction,
                remove,
                text,
            } => return self.trim(*direction, remove.as_deref(), text),
            _ => return Err("functions of this kind".to_owned()),
        };
        match (name.as_str(), args.as_slice()) {
            ("JSON_EXTRACT", [document, Expr::Literal(Literal::String { value, .. })]) => {
                self.json_extract(document, value)
            }
            ("JSON_UNQUOTE", [piece]) => {
                let (piece, kind) = self.expr(piece)?;
                if kind != Kind::Json {
                    return Err("JSON_UNQUOTE of what is no JSON".to_owned());
                }
                self.conditions.push(json::is_unquotable(&piece));
                Ok((format!("JSON_UNQUOTE({piece})"), Kind::Text))
            }
            ("IF", [condition, then, otherwise]) => {
                let (condition, kind) = self.expr(condition)?;
                conditions(&[kind])?;
                let (texts, kinds) = self.each([then, otherwise])?;
                let kind = Kind::common(&kinds).ok_or("results of different kinds")?;
                no_json(kind)?;
                Ok((format!("IF({condition}, {}, {})", texts[0], texts[1]), kind))
            }
            _ => {
                let served = functions::find(&name);
                let served = served.ok_or_else(|| format!("the function {name}"))?;
                let (texts, kinds) = self.each(args)?;
                let kind = served.makes.or_else(|| Kind::common(&kinds));
                let kind = kind
                    .filter(|kind| served.fits(&kinds) && *kind != Kind::Json)
                    .ok_or_else(|| format!("the function {name} of these arguments"))?;
                let condition = texts
                    .first()
                    .and_then(|text| functions::condition(&name, text));
                self.conditions.extend(condition);
                Ok((format!("{name}({})", texts.join(", ")), kind))
            }
        }
    }

    fn trim(
        &mut self,
        direction: Option<&'static str>,
        remove: Option<&Expr>,
        text: &Expr,
    ) -> Translated {
        let (text, kind) = self.expr(text)?;
        let remove = remove.map(|e| self.expr(e)).transpose()?;
        let texts = kind == Kind::Text && remove.as_ref().is_none_or(|(_, k)| *k == Kind::Text);
        if !texts {
            return Err("TRIM of what is no string".to_owned());
        }
        let direction = direction.unwrap_or("BOTH");
        let remove = remove.map_or_else(|| "' '".to_owned(), |(sql, _)| sql);
        Ok((
            format!("TRIM({direction} {remove} FROM {text})"),
            Kind::Text,
        ))
    }

    fn json_extract(&mut self, document: &Expr, path: &str) -> Translated {
        let Expr::Column(column) = document else {
            return Err("JSON_EXTRACT of what is no column".to_owned());
        };
        let (document, kind) = self.column(&column.name)?;
        if kind != Kind::Json {
            return Err("JSON_EXTRACT of what is no JSON".to_owned());
        }
        let prefixes = json::prefixes(path).ok_or_else(|| format!("the path {path}"))?;
        let condition = json::found_alike(&document, &prefixes);
        if !self.conditions.contains(&condition) {
            self.conditions.push(condition);
        }
        Ok((
            format!("JSON_EXTRACT({document}, {})", string(path)),
            Kind::Json,
        ))
    }

    /// An expression as the value of a column.
    fn assigned(&mut self, sql: String, kind: Kind, ft: &FieldType) -> Result<String, String> {
        let Some(target) = Kind::of_column(ft) else {
            return Err("the type of the column".to_owned());
        };
        use Kind as K;
        Ok(match (kind, target) {
            (K::Json, K::Integer) => {
                self.conditions.push(json::is_no_double(&sql));
                json::to_integer(&sql)
            }
            (K::Json, K::Text) => {
                self.conditions.push(json::is_plain_scalar(&sql));
                sql
            }
            (K::Null, _)
            | (K::Integer | K::Decimal | K::Text, K::Integer | K::Decimal | K::Text)
            | (K::Integer | K::Float, K::Float)
            | (K::Float, K::Integer)
            | (K::Date, K::Text) => sql,
            _ if kind == target => sql,
            _ => return Err(format!("{kind:?} as a value of the column's type")),
        })
    }
}

fn no_json(kind: Kind) -> Result<(), String> {
    match kind {
        Kind::Json => Err("JSON in comparisons and conditions".to_owned()),
        _ => Ok(()),
    }
}

/// What arithmetic between two makes, if both are numbers.
fn arithmetic(a: Kind, b: Kind) -> Option<Kind> {
    numbers(&[a, b])
}

fn numbers(kinds: &[Kind]) -> Option<Kind> {
    let rank = |kind: &Kind| match kind {
        Kind::Null | Kind::Integer => Some(Kind::Integer),
        Kind::Decimal => Some(Kind::Decimal),
        Kind::Float => Some(Kind::Float),
        _ => None,
    };
    let mut widest = Kind::Integer;
    for kind in kinds {
        widest = match (widest, rank(kind)?) {
            (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
            (Kind::Decimal, _) | (_, Kind::Decimal) => Kind::Decimal,
            _ => Kind::Integer,
        };
    }
    Some(widest)
}

/// Conditions are numbers: true if not 0.
fn conditions(kinds: &[Kind]) -> Result<(), String> {
    match numbers(kinds) {
        Some(_) => Ok(()),
        None => Err("conditions that are no numbers".to_owned()),
    }
}
