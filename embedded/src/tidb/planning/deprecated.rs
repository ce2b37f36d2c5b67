//! What TiDB says of types that it reads and thinks outdated. 4.0 says nothing.

use tidb_sql::ast::{AlterSpec, ColumnDef, DataType, Statement, TypeKind};

use crate::tidb::catalog::Warning;

const DEPRECATED: u16 = 1681;

/// The warnings of a statement's types, in their order.
pub(super) fn warnings(statement: &Statement) -> Vec<Warning> {
    let mut columns: Vec<&ColumnDef> = Vec::new();
    match statement {
        Statement::CreateTable(table) => columns.extend(&table.columns),
        Statement::AlterTable(table) => {
            for spec in &table.specs {
                match spec {
                    AlterSpec::AddColumn { placed, .. }
                    | AlterSpec::ModifyColumn { placed, .. }
                    | AlterSpec::ChangeColumn { placed, .. } => columns.push(&placed.column),
                    AlterSpec::AddColumns { columns: more, .. } => columns.extend(more),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    let types = columns.into_iter().map(|column| &column.data_type);
    types.flat_map(of_type).collect()
}

fn of_type(data_type: &DataType) -> impl Iterator<Item = Warning> {
    const WIDTH: &str =
        "Integer display width is deprecated and will be removed in a future release.";
    const ZEROFILL: &str = "The ZEROFILL attribute is deprecated and will be removed in a future release. Use the LPAD \
                            function to zero-pad numbers, or store the formatted numbers in a CHAR column.";
    use TypeKind as K;
    let has_width = match data_type.kind {
        // BOOL.
        K::TinyInt => data_type.length.is_some_and(|width| width != 1),
        K::SmallInt | K::MediumInt | K::Int | K::BigInt => data_type.length.is_some(),
        _ => false,
    };
    let zerofill = data_type.zerofill || data_type.kind == K::Year;
    let said = [(has_width, WIDTH), (zerofill, ZEROFILL)];
    said.into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, message)| Warning {
            level: "Warning",
            code: DEPRECATED,
            message: message.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidb_sql::{ParseOptions, Release, SqlMode};

    fn said(sql: &str) -> Vec<String> {
        let options = ParseOptions {
            mode: SqlMode::from_bits(0),
            release: Release::V8_5,
        };
        let parsed = tidb_sql::parse_one(sql, &options).unwrap();
        let first = |w: Warning| w.message.split(' ').take(2).collect::<Vec<_>>().join(" ");
        warnings(&parsed).into_iter().map(first).collect()
    }

    #[test]
    fn outdated_types_are_told_in_order() {
        let (width, zerofill) = ("Integer display", "The ZEROFILL");
        for (sql, expected) in [
            (
                "create table t (a int, b bool, c decimal(3,1), d varchar(3))",
                &[][..],
            ),
            (
                "create table t (z int(5) zerofill, tz tinyint(3) unsigned zerofill, w bigint(10))",
                &[width, zerofill, width, zerofill, width],
            ),
            ("create table t (y year)", &[zerofill]),
            (
                "alter table t add column a int(3), modify b int(4)",
                &[width, width],
            ),
            ("alter table t add column (a int(3), b int)", &[width]),
            ("drop table t", &[]),
        ] {
            assert_eq!(said(sql), expected, "{sql}");
        }
    }
}
