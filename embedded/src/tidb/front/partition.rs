//! `t PARTITION (p, …)` of tables that MariaDB keeps in one piece because it would divide them otherwise than TiDB: a query
//! gets the rows by TiDB's own function, anything else is refused. Of other tables MariaDB selects the partitions itself.

use super::errors;
use super::session::Session;
use super::text::{Text, quoted};
use crate::tidb::catalog::model::{ColumnInfo, PartitionInfo, PartitionType, TableInfo, Tp};
use crate::tidb::catalog::{is_divided, mariadb};
use crate::tidb::wire::ErrPacket;

/// What stands for a table with its PARTITION clause, and the place after that.
type Replaced = Result<(String, usize), ErrPacket>;

impl Session {
    /// A table's name at the n-th token with a PARTITION clause that MariaDB cannot serve.
    pub(super) fn partition_clause(&self, text: &Text<'_>, n: usize) -> Option<Replaced> {
        let (database, table, after) = text.full_name(n)?;
        if !text.is(after, "PARTITION") || !text.is_sign(after + 1, '(') {
            return None;
        }
        let database_name = database.or_else(|| self.database.clone())?;
        let catalog = self.shared.apply.catalog();
        let database = catalog.database(&database_name)?;
        let info = database.table(&table)?;
        let partitions = info.partitions().filter(|_| !is_divided(info))?;

        let mut names = Vec::new();
        let mut at = after + 2;
        while let Some(name) = text.name(at) {
            names.push(name);
            at += 1;
            if !text.is_sign(at, ',') {
                break;
            }
            at += 1;
        }
        if names.is_empty() || !text.is_sign(at, ')') {
            return Some(Err(errors::syntax_at_token(text, at)));
        }
        let mut places = Vec::new();
        for name in &names {
            match partitions.position(name) {
                Some(place) => places.push(place.to_string()),
                None => {
                    let message = format!("Unknown partition '{name}' in table '{}'", info.name.o);
                    return Some(Err(ErrPacket::new(1735, "HY000", message)));
                }
            }
        }
        let reads = (n > 0
            && (text.is(n - 1, "FROM") || text.is(n - 1, "JOIN") || text.is_sign(n - 1, ',')))
            && (0..n).any(|before| text.is(before, "SELECT"));
        let Some(place) = place_of_row(info, partitions).filter(|_| reads) else {
            return Some(Err(errors::unsupported(
                "PARTITION (…) in a change of a table partitioned by KEY, or by HASH of an UNSIGNED BIGINT that may \
                 be NULL",
            )));
        };
        let after = at + 1;
        let named = text.is(after, "AS")
            || text
                .name(after)
                .is_some_and(|word| !super::rewrite::follows_table(&word));
        let alias = match named {
            true => String::new(),
            false => format!(" AS {}", quoted(&table)),
        };
        let from = mariadb::full_name(&database.info, &info.name.o);
        Some(Ok((
            format!(
                "(SELECT * FROM {from} WHERE {place} IN ({})){alias}",
                places.join(", ")
            ),
            after,
        )))
    }
}

/// The place of a row's partition as an expression of MariaDB's; none where it has no words for TiDB's function.
fn place_of_row(table: &TableInfo, partitions: &PartitionInfo) -> Option<String> {
    let count = partitions.definitions.len();
    if partitions.kind == PartitionType::Hash {
        let value = format!("COALESCE(CAST({} AS SIGNED), 0)", partitions.expr);
        return Some(format!("ABS(MOD({value}, {count}))"));
    }
    let texts = partitions
        .columns()
        .iter()
        .map(|name| text_of(table.column(&name.l)?))
        .collect::<Option<Vec<String>>>()?;
    Some(format!("CRC32(CONCAT({})) % {count}", texts.join(", ")))
}

/// The bytes that TiDB hashes of a column.
fn text_of(column: &ColumnInfo) -> Option<String> {
    let ft = &column.field_type;
    let name = quoted(&column.name.o);
    let text = match ft.tp {
        Tp::Enum | Tp::Set => name,
        tp if !tp.is_string() => format!("CAST({name} AS CHAR)"),
        _ if ft.charset == "binary" => name,
        // Trailing blanks count for nothing under these collations.
        _ if ft.collate.ends_with("_bin") && !ft.collate.contains("0900") => {
            format!("TRIM(TRAILING ' ' FROM {name})")
        }
        _ => return None,
    };
    Some(format!("COALESCE({text}, CHAR(0))"))
}
