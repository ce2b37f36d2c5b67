//! Functions by their names.

use std::borrow::Cow;

use tidb_sql::{
    ast::{Expr, Function},
    collation,
};

use super::{
    arithmetic::{Arithmetic, OfOne},
    branch::stronger,
    build::{Refusal, arithmetic_node, case, merged_all, node, number_type, text_collation},
    call::{Call, Unit},
    compare::{Comparison, Mode, Operator},
    compile::Compiler,
    error::CompileError,
    eval::{Node, Op},
    sides::compared,
    value::{Collation, Datum, Strength, Type},
};

impl Compiler<'_> {
    /// Compiles a call.
    pub(super) fn function(
        &mut self,
        function: &Function,
        refuse: &impl Fn(Refusal) -> CompileError,
    ) -> Result<Node, CompileError> {
        match function {
            Function::Plain {
                schema: None,
                name,
                args,
            } => self.plain(&name.to_ascii_uppercase(), args, refuse),
            Function::Position(part, whole) => {
                let args = vec![self.compile(part)?, self.compile(whole)?];
                position(args).map_err(refuse)
            }
            Function::Trim {
                direction,
                remove,
                text,
            } => {
                let text = self.compile(text)?;
                let remove = match remove {
                    Some(remove) => self.compile(remove)?,
                    None => space(),
                };
                let (leading, trailing) = match direction {
                    Some("LEADING") => (true, false),
                    Some("TRAILING") => (false, true),
                    _ => (true, true),
                };
                texts(Call::Trim(leading, trailing), vec![text, remove]).map_err(refuse)
            }
            Function::Extract(unit, from) => {
                let unit = unit_named(unit.keyword())
                    .ok_or_else(|| refuse(format!("EXTRACT of {}", unit.keyword())))?;
                let from = self.compile(from)?;
                unit_of(unit, vec![from]).map_err(refuse)
            }
            Function::Plain { name, .. } | Function::Aggregate { name, .. } => {
                Err(refuse(unknown(name)))
            }
            Function::DateArithmetic { name, .. } => Err(refuse(unknown(name))),
            Function::WithUnit(name, ..) | Function::Sequence(name, ..) => {
                Err(refuse(unknown(name)))
            }
            Function::GetFormat(..) => Err(refuse(unknown("GET_FORMAT"))),
            Function::ConvertUsing(..) => Err(refuse("CONVERT to a character set".to_owned())),
            Function::Char(..) => Err(refuse(unknown("CHAR"))),
            _ => Err(refuse(
                "functions of this kind are not evaluated".to_owned(),
            )),
        }
    }

    fn plain(
        &mut self,
        name: &str,
        args: &[Expr],
        refuse: &impl Fn(Refusal) -> CompileError,
    ) -> Result<Node, CompileError> {
        let counts = match name {
            "ABS" | "SIGN" | "FLOOR" | "CEIL" | "CEILING" | "LENGTH" | "OCTET_LENGTH"
            | "CHAR_LENGTH" | "CHARACTER_LENGTH" | "LOWER" | "LCASE" | "UPPER" | "UCASE"
            | "LTRIM" | "RTRIM" | "YEAR" | "MONTH" | "DAY" | "DAYOFMONTH" | "HOUR" | "MINUTE"
            | "SECOND" | "DATE" | "ISNULL" => 1..=1,
            "ROUND" => 1..=2,
            "MOD" | "IFNULL" | "NULLIF" | "LEFT" | "RIGHT" | "INSTR" | "LOCATE" => 2..=2,
            "SUBSTRING" | "SUBSTR" | "MID" => 2..=3,
            "IF" | "REPLACE" => 3..=3,
            "COALESCE" | "CONCAT" => 1..=usize::MAX,
            "GREATEST" | "LEAST" => 2..=usize::MAX,
            _ => return Err(refuse(unknown(name))),
        };
        if !counts.contains(&args.len()) {
            return Err(refuse(format!("{name} with {} arguments", args.len())));
        }
        if name == "IF" {
            let [condition, then, otherwise] = args else {
                return Err(refuse(unknown(name)));
            };
            let arm = (self.condition(condition)?, self.compile(then)?);
            let otherwise = self.compile(otherwise)?;
            return case(vec![arm], Some(otherwise)).map_err(refuse);
        }
        let twice = match (name, args) {
            ("NULLIF", [Expr::Column(_) | Expr::Literal(_), _]) => Some(self.compile(&args[0])?),
            ("NULLIF", _) => {
                return Err(refuse("NULLIF of something else than a column".to_owned()));
            }
            _ => None,
        };
        let compiled: Result<Vec<Node>, _> = args.iter().map(|arg| self.compile(arg)).collect();
        let mut args = compiled?;
        let built = match name {
            "ISNULL" => {
                let arg = args.remove(0);
                let constant = arg.constant;
                Ok(node(Op::IsNull(Box::new(arg)), Type::TRUTH, constant))
            }
            "IFNULL" | "COALESCE" => {
                let constant = args.iter().all(|arg| arg.constant);
                merged_all(&args).map(|tp| node(Op::Coalesce(args), tp, constant))
            }
            "NULLIF" => {
                let b = args.remove(1);
                let a = args.remove(0);
                compared(Operator::Eq, a, b).and_then(|same| {
                    let null = node(Op::Constant(Datum::Null), Type::Null, true);
                    case(vec![(same, null)], twice)
                })
            }
            "GREATEST" | "LEAST" => extreme(name == "GREATEST", args),
            "MOD" => {
                let b = args.remove(1);
                arithmetic_node(Arithmetic::Modulo, args.remove(0), b)
            }
            "ABS" => of_one(OfOne::Abs, args),
            "SIGN" => of_one(OfOne::Sign, args),
            "FLOOR" => of_one(OfOne::Floor, args),
            "CEIL" | "CEILING" => of_one(OfOne::Ceil, args),
            "ROUND" => round(args),
            "LENGTH" | "OCTET_LENGTH" => texts(Call::Bytes, args),
            "CHAR_LENGTH" | "CHARACTER_LENGTH" => texts(Call::Characters, args),
            "LOWER" | "LCASE" => texts(Call::Case(false), args),
            "UPPER" | "UCASE" => texts(Call::Case(true), args),
            "CONCAT" => texts(Call::Concat, args),
            "LTRIM" | "RTRIM" => {
                args.push(space());
                texts(Call::Trim(name == "LTRIM", name == "RTRIM"), args)
            }
            "REPLACE" => texts(Call::Replace, args),
            "SUBSTRING" | "SUBSTR" | "MID" => counted(Call::Substring, args),
            "LEFT" => counted(Call::Left, args),
            "RIGHT" => counted(Call::Right, args),
            "INSTR" => {
                args.swap(0, 1);
                position(args)
            }
            "LOCATE" => position(args),
            "DATE" => match args[0].tp {
                Type::Date | Type::DateTime { .. } => {
                    let constant = args[0].constant;
                    Ok(node(Op::Call(Call::Date, args), Type::Date, constant))
                }
                _ => Err(format!("DATE of {}", args[0].tp.name())),
            },
            name => match unit_named(if name == "DAYOFMONTH" { "DAY" } else { name }) {
                Some(unit) => unit_of(unit, args),
                None => Err(unknown(name)),
            },
        };
        built.map_err(refuse)
    }
}

fn unknown(name: &str) -> Refusal {
    format!(
        "the function {} is not evaluated",
        name.to_ascii_uppercase()
    )
}

fn space() -> Node {
    let tp = Type::Text(Collation::constant(Strength::Constant));
    node(Op::Constant(Datum::Text(Cow::Borrowed(b" "))), tp, true)
}

fn unit_named(name: &str) -> Option<Unit> {
    Some(match name {
        "YEAR" => Unit::Year,
        "MONTH" => Unit::Month,
        "DAY" => Unit::Day,
        "HOUR" => Unit::Hour,
        "MINUTE" => Unit::Minute,
        "SECOND" => Unit::Second,
        _ => return None,
    })
}

fn unit_of(unit: Unit, args: Vec<Node>) -> Result<Node, Refusal> {
    let of_day = matches!(unit, Unit::Hour | Unit::Minute | Unit::Second);
    let constant = args[0].constant;
    match &args[0].tp {
        Type::DateTime { .. } => {}
        Type::Date if !of_day => {}
        Type::Time { .. } if of_day => {}
        tp => return Err(format!("{unit:?} of {}", tp.name())),
    }
    Ok(node(
        Op::Call(Call::Unit(unit), args),
        Type::TRUTH,
        constant,
    ))
}

fn of_one(function: OfOne, args: Vec<Node>) -> Result<Node, Refusal> {
    let tp = match (function, number_type(&args[0].tp)?) {
        (OfOne::Sign, _) => Type::TRUTH,
        (_, tp) => tp,
    };
    let constant = args[0].constant;
    Ok(node(Op::Call(Call::Number(function), args), tp, constant))
}

fn round(mut args: Vec<Node>) -> Result<Node, Refusal> {
    let places = match args.get(1).map(|places| &places.op) {
        None => 0,
        Some(Op::Constant(Datum::Int(places))) => i64::try_from(*places).unwrap_or(i64::MAX),
        Some(_) => return Err("ROUND at a place that is no constant".to_owned()),
    };
    args.truncate(1);
    let tp = match &args[0].tp {
        tp @ Type::Int { .. } if places >= 0 => tp.clone(),
        Type::Decimal => Type::Decimal,
        tp => return Err(format!("ROUND of {} at this place", tp.name())),
    };
    let constant = args[0].constant;
    Ok(node(Op::Call(Call::Round(places), args), tp, constant))
}

/// A function of texts. What it gives is a text, or counts.
fn texts(call: Call, args: Vec<Node>) -> Result<Node, Refusal> {
    let mut all: Option<Collation> = None;
    for arg in &args {
        let collation = text_collation(&arg.tp)?;
        all = Some(match all {
            None => collation,
            Some(before) => stronger(&before, &collation).ok_or_else(|| {
                format!(
                    "texts of the collations {} and {} together",
                    before.name, collation.name
                )
            })?,
        });
    }
    let collation = all.unwrap_or_else(|| Collation::constant(Strength::Made));
    let tp = match call {
        Call::Bytes | Call::Characters | Call::Position(_) => Type::TRUTH,
        _ => Type::Text(collation),
    };
    let constant = args.iter().all(|arg| arg.constant);
    Ok(node(Op::Call(call, args), tp, constant))
}

/// A function of a text and whole numbers.
fn counted(call: Call, args: Vec<Node>) -> Result<Node, Refusal> {
    let collation = text_collation(&args[0].tp)?;
    if let Some(other) = args[1..]
        .iter()
        .find(|arg| !matches!(arg.tp, Type::Int { .. }))
    {
        return Err(format!(
            "{} where a whole number of characters is",
            other.tp.name()
        ));
    }
    let constant = args.iter().all(|arg| arg.constant);
    Ok(node(Op::Call(call, args), Type::Text(collation), constant))
}

/// The first text in the second.
fn position(args: Vec<Node>) -> Result<Node, Refusal> {
    let (part, whole) = (text_collation(&args[0].tp)?, text_collation(&args[1].tp)?);
    let insensitive = stronger(&part, &whole).is_some_and(|both| both.name.ends_with("_ci"));
    texts(Call::Position(insensitive), args)
}

fn extreme(greatest: bool, args: Vec<Node>) -> Result<Node, Refusal> {
    let tp = merged_all(&args)?;
    let mode = match &tp {
        Type::Text(collation) if collation::is_known(&collation.name) => {
            Mode::Text(collation.name.to_string())
        }
        Type::Int { .. } | Type::Decimal => Mode::Exact,
        Type::Real => Mode::Real,
        Type::Date | Type::DateTime { .. } => Mode::Time,
        Type::Time { .. } => Mode::Duration,
        tp => return Err(format!("the greatest or least of {}", tp.name())),
    };
    let comparison = Comparison {
        operator: Operator::Gt,
        mode,
    };
    let constant = args.iter().all(|arg| arg.constant);
    Ok(node(Op::Extreme(greatest, comparison, args), tp, constant))
}
