//! Columns: types, options, defaults.

use tidb_sql::ast::{self, ColumnOption, Expr, Function, Literal, TypeKind, UnaryOp};

use super::{Reader, key::clustering};
use crate::tidb::catalog::DdlError;
use crate::tidb::catalog::model::Tp;
use crate::tidb::catalog::statement::{ColumnDef, DefaultValue, TypeSpec};

/// What CURRENT_TIMESTAMP is called.
const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];

impl Reader<'_> {
    pub(super) fn column(self, column: &ast::ColumnDef) -> Result<ColumnDef, DdlError> {
        let mut out = ColumnDef {
            name: column.name.name.clone(),
            spec: self.type_spec(&column.data_type)?,
            not_null: None,
            default: None,
            auto_increment: false,
            auto_random: None,
            primary: None,
            unique: false,
            on_update_now: false,
            comment: None,
        };
        for option in &column.options {
            match option {
                ColumnOption::PrimaryKey {
                    clustering: how,
                    global: false,
                } => out.primary = Some(clustering(*how)),
                ColumnOption::Unique { global: false } => out.unique = true,
                ColumnOption::PrimaryKey { .. } | ColumnOption::Unique { .. } => {
                    return Err(self.unsupported("GLOBAL indexes"));
                }
                ColumnOption::NotNull => out.not_null = Some(true),
                ColumnOption::Null => out.not_null = Some(false),
                ColumnOption::AutoIncrement => out.auto_increment = true,
                ColumnOption::AutoRandom(bits) => {
                    let of = |bits: Option<u64>| bits.unwrap_or(0);
                    out.auto_random = Some((of(bits.shard_bits), of(bits.range_bits)));
                }
                ColumnOption::Default(value) => out.default = Some(self.default_value(value)?),
                ColumnOption::OnUpdate(value) => {
                    self.now(value)?;
                    out.on_update_now = true;
                }
                ColumnOption::Comment(text) => out.comment = Some(text.clone()),
                ColumnOption::Generated { .. } => {
                    return Err(self.unsupported("generated columns"));
                }
                ColumnOption::Collate(name) => out.spec.collate = Some(name.clone()),
                // TiDB reads these and ignores them.
                ColumnOption::References(_)
                | ColumnOption::Check { .. }
                | ColumnOption::Format(_)
                | ColumnOption::Storage(_) => {}
            }
        }
        Ok(out)
    }

    fn type_spec(self, data_type: &ast::DataType) -> Result<TypeSpec, DdlError> {
        use TypeKind as K;
        let tp = match data_type.kind {
            K::TinyInt => Tp::Tiny,
            K::SmallInt => Tp::Short,
            K::MediumInt => Tp::Int24,
            K::Int => Tp::Long,
            K::BigInt => Tp::LongLong,
            K::Float => Tp::Float,
            K::Double => Tp::Double,
            K::Decimal => Tp::NewDecimal,
            K::Bit => Tp::Bit,
            K::Date => Tp::Date,
            K::DateTime => Tp::Datetime,
            K::Timestamp => Tp::Timestamp,
            K::Time => Tp::Duration,
            K::Year => Tp::Year,
            K::Char | K::Binary => Tp::String,
            K::VarChar | K::VarBinary => Tp::Varchar,
            K::TinyText | K::TinyBlob => Tp::TinyBlob,
            K::Text | K::Blob => Tp::Blob,
            K::MediumText | K::MediumBlob => Tp::MediumBlob,
            K::LongText | K::LongBlob => Tp::LongBlob,
            K::Enum => Tp::Enum,
            K::Set => Tp::Set,
            K::Json => Tp::Json,
            K::Vector => return Err(self.unsupported("VECTOR columns")),
        };
        let bytes = matches!(
            data_type.kind,
            K::Binary | K::VarBinary | K::TinyBlob | K::Blob | K::MediumBlob | K::LongBlob
        );
        Ok(TypeSpec {
            length: data_type.length,
            scale: data_type.scale,
            unsigned: data_type.unsigned,
            zerofill: data_type.zerofill,
            bytes,
            charset: data_type.charset.clone(),
            elems: data_type.members.clone(),
            ..TypeSpec::new(tp)
        })
    }

    pub(super) fn default_value(self, value: &Expr) -> Result<DefaultValue, DdlError> {
        match value {
            Expr::Literal(literal) => self.literal(literal, false),
            Expr::Unary(op @ (UnaryOp::Minus | UnaryOp::Plus), operand) => match &**operand {
                Expr::Literal(literal) => self.literal(literal, *op == UnaryOp::Minus),
                _ => Err(self.unsupported("expressions as defaults")),
            },
            Expr::Paren(inner) => match &**inner {
                Expr::Literal(_) | Expr::Unary(..) => self.default_value(inner),
                _ => Err(self.unsupported("expressions as defaults")),
            },
            other => self.now(other).map(DefaultValue::Now),
        }
    }

    /// Digits of the fraction of CURRENT_TIMESTAMP.
    fn now(self, value: &Expr) -> Result<u64, DdlError> {
        if let Expr::Function(Function::Plain {
            schema: None,
            name,
            args,
        }) = value
            && NOW.iter().any(|now| now.eq_ignore_ascii_case(name))
        {
            match args.as_slice() {
                [] => return Ok(0),
                [Expr::Literal(Literal::Integer(fsp))] => return Ok(*fsp),
                _ => {}
            }
        }
        Err(self.unsupported("expressions as defaults"))
    }

    fn literal(self, literal: &Literal, negative: bool) -> Result<DefaultValue, DdlError> {
        let sign = if negative { "-" } else { "" };
        Ok(match literal {
            Literal::Integer(number) => DefaultValue::Number(format!("{sign}{number}")),
            Literal::Decimal(digits) => DefaultValue::Number(format!("{sign}{digits}")),
            Literal::Float(number) => DefaultValue::Number(format!("{sign}{number}")),
            Literal::Bool(truth) => DefaultValue::Number(format!("{sign}{}", u8::from(*truth))),
            _ if negative => return Err(self.unsupported("expressions as defaults")),
            Literal::Null => DefaultValue::Null,
            Literal::String { value, .. } => DefaultValue::Text(value.clone()),
            Literal::Hex { value, .. } | Literal::Bits { value, .. } => {
                DefaultValue::Bytes(value.clone())
            }
            Literal::Temporal(_, text) => DefaultValue::Text(text.clone()),
        })
    }
}
