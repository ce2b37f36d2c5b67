//! Whether the numbers of a partitioning function stay within 64 bits, whatever the row.
//!
//! Beyond them TiDB refuses a row, and MariaDB counts on: it would take rows that have no place in TiKV, or another one there. So
//! arithmetic that may leave them is refused with the table.

use super::expr::{Call, Node, Op};
use crate::tidb::catalog::model::{FieldType, TableInfo, Tp};

/// More than any function of dates and times makes.
const OF_TIMES: i128 = 1_000_000_000_000;

/// The numbers that a node may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    least: i128,
    most: i128,
    /// Whether it is BIGINT UNSIGNED to SQL, and not BIGINT.
    unsigned: bool,
}

/// Whether no row of the table makes a number beyond 64 bits on the way.
pub fn stays_within_64_bits(node: &Node, table: &TableInfo) -> bool {
    span(node, table).is_some()
}

fn span(node: &Node, table: &TableInfo) -> Option<Span> {
    let (least, most, unsigned) = match node {
        Node::Column(offset) => of_type(&table.columns.get(*offset)?.field_type),
        Node::Number(n) => (*n, *n, *n > i64::MAX.into()),
        Node::Text(_) | Node::Null => (0, 0, false),
        Node::Minus(a) => {
            let a = span(a, table)?;
            (-a.most, -a.least, false)
        }
        Node::Binary(a, op, b) => binary(span(a, table)?, *op, span(b, table)?)?,
        Node::Call(call @ (Call::Abs | Call::Same), args) => {
            let a = span(args.first()?, table)?;
            match call {
                Call::Abs => (0, a.least.abs().max(a.most.abs()), a.unsigned),
                _ => (a.least, a.most, a.unsigned),
            }
        }
        Node::Call(..) => (-OF_TIMES, OF_TIMES, false),
    };
    let held = match unsigned {
        true => 0..=i128::from(u64::MAX),
        false => i128::from(i64::MIN)..=i128::from(i64::MAX),
    };
    (held.contains(&least) && held.contains(&most)).then_some(Span {
        least,
        most,
        unsigned,
    })
}

fn of_type(ft: &FieldType) -> (i128, i128, bool) {
    let bits = match ft.tp {
        Tp::Tiny => 8,
        Tp::Short | Tp::Year => 16,
        Tp::Int24 => 24,
        Tp::Long => 32,
        _ => 64,
    };
    match ft.is_unsigned() || matches!(ft.tp, Tp::Year | Tp::Bit) {
        true => (0, (1 << bits) - 1, true),
        false => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1, false),
    }
}

fn binary(a: Span, op: Op, b: Span) -> Option<(i128, i128, bool)> {
    let unsigned = a.unsigned || b.unsigned;
    let of_ends = |made: &[i128]| Some((*made.iter().min()?, *made.iter().max()?, unsigned));
    match op {
        Op::Add => Some((a.least + b.least, a.most + b.most, unsigned)),
        Op::Subtract => Some((a.least - b.most, a.most - b.least, unsigned)),
        Op::Multiply => of_ends(&[
            a.least.checked_mul(b.least)?,
            a.least.checked_mul(b.most)?,
            a.most.checked_mul(b.least)?,
            a.most.checked_mul(b.most)?,
        ]),
        // By nothing between -1 and 1 it grows, and by 0 it is NULL.
        Op::Divide => {
            let by = [b.least, b.most, -1, 1].into_iter();
            let by = by.filter(|by| *by != 0 && (b.least..=b.most).contains(by));
            let made: Vec<i128> = by.flat_map(|by| [a.least / by, a.most / by]).collect();
            match made.is_empty() {
                true => Some((0, 0, unsigned)),
                false => of_ends(&[&made[..], &[0]].concat()),
            }
        }
        // It has the sign of what is divided.
        Op::Mod => {
            let most = (b.least.abs().max(b.most.abs()) - 1).max(0);
            let least = a.least.min(0).max(-most);
            Some((least, a.most.max(0).min(most), a.unsigned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options;
    use super::*;
    use crate::tidb::catalog::TidbVersion;
    use crate::tidb::catalog::model::{CiStr, ColumnInfo, SchemaState, flag};

    /// Whether it stays within over columns `b` BIGINT, `bu` BIGINT UNSIGNED, `i` INT, `iu` INT UNSIGNED and `y` YEAR.
    fn stays(expr: &str) -> bool {
        let (version, utf8) = (TidbVersion::V8_5, "utf8mb4".to_owned());
        let collation = "utf8mb4_bin".to_owned();
        let mut table = TableInfo::new(version, 7, CiStr::new("t"), utf8, collation);
        for (name, tp, flags) in [
            ("b", Tp::LongLong, 0),
            ("bu", Tp::LongLong, flag::UNSIGNED),
            ("i", Tp::Long, 0),
            ("iu", Tp::Long, flag::UNSIGNED),
            ("y", Tp::Year, flag::UNSIGNED),
        ] {
            let mut ft = FieldType::new(version, tp);
            ft.flag |= flags;
            let mut column = ColumnInfo::new(version, CiStr::new(name), ft);
            column.offset = table.columns.len();
            column.state = SchemaState::Public;
            table.columns.push(column);
        }
        let tree = tidb_sql::parse_expr(expr, &options(version)).unwrap();
        stays_within_64_bits(&Node::compile(&tree, &table).unwrap(), &table)
    }

    #[test]
    fn what_fits_is_let_in() {
        for expr in [
            "b",
            "bu",
            "i + 1",
            "i * 1000",
            "i * i",
            "-i",
            "abs(i)",
            "b div 2",
            "bu div 2",
            "b % 7",
            "bu % 7",
            "mod(b, 7)",
            "i - 5",
            "iu + 1",
            "-iu",
            "floor(b)",
            "y * 100",
            "b div 0",
            "i div i",
        ] {
            assert!(stays(expr), "{expr}");
        }
    }

    #[test]
    fn what_may_overflow_is_not() {
        for expr in [
            "b + 1",
            "b * 2",
            "bu * 2",
            "bu + 1",
            "bu - 10",
            "iu - 10",
            "-b",
            "-bu",
            "abs(b)",
            "b * b",
            "b div -1",
            "b div 9223372036854775808",
            "i * i * i",
            "bu div -1",
            "i * bu",
            "y - 2000",
            "(b % 7) - b",
        ] {
            assert!(!stays(expr), "{expr}");
        }
    }
}
