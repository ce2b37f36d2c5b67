//! Columns: types, options, defaults.

use tidb_sql::ast::{self, ColumnOption, TypeKind};

use super::{Reader, key::clustering};
use crate::tidb::catalog::DdlError;
use crate::tidb::catalog::model::Tp;
use crate::tidb::catalog::sql_error;
use crate::tidb::catalog::statement::{ColumnDef, Generated, TypeSpec};

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
            generated: None,
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
                ColumnOption::Generated { expr, stored } => {
                    out.generated = Some(Generated {
                        expr: expr.clone(),
                        stored: *stored,
                    });
                }
                ColumnOption::Collate(name) => out.spec.collate = Some(name.clone()),
                // TiDB reads these and ignores them.
                ColumnOption::References(_)
                | ColumnOption::Check { .. }
                | ColumnOption::Format(_)
                | ColumnOption::Storage(_) => {}
            }
        }
        // TiDB's parser reads none of these together.
        if out.generated.is_some()
            && (out.default.is_some() || out.auto_increment || out.on_update_now)
        {
            return Err(sql_error::refused(1064, "Invalid column definition"));
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
}
