//! From CREATE TABLE to a table's description.

use super::super::ddl::{index_flags, sql_error};
use super::super::model::{CiStr, ColumnInfo, SchemaState, TableInfo, Tp, flag};
use super::super::{ClusteredIndex, DdlError, Session, TidbVersion, charset, generated};
use super::column::{self, check_name};
use super::expression_index;
use super::index::{self, PRIMARY};
use super::name::check_object;
use super::statement::{Clustering, CreateTable, IndexDef, IndexKind};
use super::ttl;
use crate::tidb::codec::collate;

/// What TiDB makes of more SHARD_ROW_ID_BITS.
const MAX_SHARD_ROW_ID_BITS: u64 = 15;
/// Layout of common handles in newer releases.
const COMMON_HANDLE_VERSION: u16 = 1;

/// Makes the table, without id and not yet public. `inherited` are the database's character set and collation.
pub(crate) fn table(
    version: TidbVersion,
    session: &Session,
    query: &str,
    def: &CreateTable,
    inherited: (&str, &str),
) -> Result<TableInfo, DdlError> {
    check_object(query, "table", &def.name.table)?;
    let clause = &def.options.charset;
    let (cs, co) = charset::resolve(
        version,
        clause.charset.as_deref(),
        clause.collate.as_deref(),
        inherited,
    )?;
    let mut table = TableInfo::new(version, 0, CiStr::new(&def.name.table), cs, co);

    let (columns, has_default) = columns(version, session, def, &table)?;
    table.max_col_id = columns.len() as i64;
    table.columns = columns;
    for (offset, column) in def.columns.iter().enumerate() {
        if let Some(of_column) = &column.generated {
            generated::check(&table.columns, &column.name, offset, of_column)?;
        }
    }

    let keys = keys(def);
    primary_flags(&mut table, &keys)?;
    for (column, has_default) in table.columns.iter_mut().zip(has_default) {
        column::finish(version, column, has_default);
    }
    indexes(version, session, query, &mut table, keys)?;
    check_auto_increment(version, &table)?;
    auto_random(version, &mut table, def)?;
    options(&mut table, def)?;
    Ok(table)
}

fn columns(
    version: TidbVersion,
    session: &Session,
    def: &CreateTable,
    table: &TableInfo,
) -> Result<(Vec<ColumnInfo>, Vec<bool>), DdlError> {
    let mut columns: Vec<ColumnInfo> = vec![];
    for def in &def.columns {
        if columns.iter().any(|c| c.name.is(&def.name)) {
            return Err(sql_error::duplicate_column(&def.name));
        }
        let mut column = column::column(version, session, def, (&table.charset, &table.collate))?;
        column.offset = columns.len();
        column.id = columns.len() as i64 + 1;
        columns.push(column);
    }
    if columns.is_empty() {
        return Err(sql_error::no_visible_column());
    }
    Ok((
        columns,
        def.columns.iter().map(|c| c.default.is_some()).collect(),
    ))
}

/// The table's keys in TiDB's order: those of the table, then those that columns declare.
fn keys(def: &CreateTable) -> Vec<IndexDef> {
    let of_column = |name: &str, kind| IndexDef {
        kind,
        name: None,
        columns: vec![(name.to_owned(), None)],
        expressions: vec![],
        comment: None,
        invisible: false,
        index_type: None,
        has_options: false,
    };
    let declared = def.columns.iter().flat_map(|c| {
        let primary = c
            .primary
            .map(|clustering| of_column(&c.name, IndexKind::Primary(clustering)));
        let unique = c.unique.then(|| of_column(&c.name, IndexKind::Unique));
        primary.into_iter().chain(unique)
    });
    def.indexes.iter().cloned().chain(declared).collect()
}

/// The columns of the primary key are NOT NULL.
fn primary_flags(table: &mut TableInfo, keys: &[IndexDef]) -> Result<(), DdlError> {
    let mut primaries = keys
        .iter()
        .filter(|k| matches!(k.kind, IndexKind::Primary(_)));
    let Some(primary) = primaries.next() else {
        return Ok(());
    };
    if primaries.next().is_some() {
        return Err(sql_error::multiple_primary_keys());
    }
    for (name, _) in &primary.columns {
        let column = table
            .columns
            .iter_mut()
            .find(|c| c.name.is(name))
            .ok_or_else(|| sql_error::key_column_missing(name))?;
        if column.is_virtual() {
            return Err(sql_error::refused(
                3106,
                "'Defining a virtual generated column as primary key' is not supported for generated columns.",
            ));
        }
        column.field_type.flag |= flag::PRI_KEY | flag::NOT_NULL;
    }
    Ok(())
}

fn indexes(
    version: TidbVersion,
    session: &Session,
    query: &str,
    table: &mut TableInfo,
    keys: Vec<IndexDef>,
) -> Result<(), DdlError> {
    for key in &keys {
        expression_index::check(version, key, true)?;
        if let Some(name) = &key.name {
            check_name("index", name)?;
        }
    }
    // Names that are given are reserved before any is chosen.
    let named: Vec<&str> = keys.iter().filter_map(|k| k.name.as_deref()).collect();
    for (i, name) in named.iter().enumerate() {
        if named[..i].iter().any(|n| n.eq_ignore_ascii_case(name)) {
            return Err(sql_error::duplicate_key_name(name));
        }
    }
    let mut chosen: Vec<String> = named.iter().map(|n| (*n).to_owned()).collect();
    for key in &keys {
        if let IndexKind::Primary(clustering) = key.kind {
            // Whether it is the handle or not, the key must be a possible one.
            let info = index::index(version, key, CiStr::new(PRIMARY), &table.columns)?;
            let single_integer = info.columns.len() == 1
                && info.columns[0].length < 0
                && table.columns[info.columns[0].offset]
                    .field_type
                    .tp
                    .is_integer();
            match clustered(version, session, clustering, single_integer) {
                true if single_integer => {
                    table.pk_is_handle = true;
                    continue;
                }
                true => {
                    table.is_common_handle = Some(true);
                    table.common_handle_version = Some(COMMON_HANDLE_VERSION);
                }
                false => {}
            }
            push(table, info);
            continue;
        }
        let name = match &key.name {
            Some(name) => name.clone(),
            None => {
                let first = first_column(table, key);
                let name = index::unused_name(first, &|n| {
                    chosen.iter().any(|c| c.eq_ignore_ascii_case(n))
                });
                chosen.push(name.clone());
                name
            }
        };
        let mut key = key.clone();
        for column in expression_index::hidden(version, query, table, &mut key, &name)? {
            table.max_col_id = column.id;
            table.columns.push(column);
        }
        let info = index::index(version, &key, CiStr::new(name), &table.columns)?;
        push(table, info);
    }
    Ok(())
}

/// The column that an index without a name is called after.
pub(crate) fn first_column<'a>(table: &'a TableInfo, def: &'a IndexDef) -> &'a str {
    if def.expressions.iter().any(|(part, _)| *part == 0) {
        return expression_index::UNNAMED;
    }
    let first = def.columns.first().map_or("", |(c, _)| c.as_str());
    table.column(first).map_or(first, |c| c.name.o.as_str())
}

fn push(table: &mut TableInfo, mut index: super::super::model::IndexInfo) {
    table.max_idx_id += 1;
    index.id = table.max_idx_id;
    index_flags(&mut table.columns, &index);
    table.indexes.push(index);
}

fn clustered(
    version: TidbVersion,
    session: &Session,
    clustering: Clustering,
    single_integer: bool,
) -> bool {
    if version == TidbVersion::V4_0 {
        return single_integer;
    }
    match (clustering, session.clustered_index) {
        (Clustering::Clustered, _) | (Clustering::Unspecified, ClusteredIndex::On) => true,
        (Clustering::Unspecified, ClusteredIndex::IntOnly) => single_integer,
        (Clustering::NonClustered, _) | (Clustering::Unspecified, ClusteredIndex::Off) => false,
    }
}

fn check_auto_increment(version: TidbVersion, table: &TableInfo) -> Result<(), DdlError> {
    let mut autos = table
        .columns
        .iter()
        .filter(|c| c.field_type.has(flag::AUTO_INCREMENT));
    let Some(auto) = autos.next() else {
        return Ok(());
    };
    let leads = |c: &ColumnInfo| {
        table.handle_column().is_some_and(|h| h.offset == c.offset)
            || table
                .indexes
                .iter()
                .any(|i| i.columns[0].offset == c.offset)
    };
    // Newer releases take an AUTO_INCREMENT column without a key.
    if autos.next().is_some() || version == TidbVersion::V4_0 && !leads(auto) {
        return Err(sql_error::wrong_auto_key());
    }
    Ok(())
}

/// AUTO_RANDOM: only of a BIGINT that is the clustered primary key (`docs/spec/tidb-schema.md`).
fn auto_random(
    version: TidbVersion,
    table: &mut TableInfo,
    def: &CreateTable,
) -> Result<(), DdlError> {
    const DEFAULT_SHARD_BITS: u64 = 5;
    const MAX_SHARD_BITS: u64 = 15;
    const RANGE_BITS: std::ops::RangeInclusive<u64> = 32..=64;
    let wrong = |why: String| {
        Err(sql_error::refused(
            8216,
            format!("Invalid auto random: {why}"),
        ))
    };
    let column = def.columns.iter().find_map(|c| Some((c, c.auto_random?)));
    let Some((column, (shard, range))) = column else {
        return Ok(());
    };
    let built = table.column(&column.name);
    if built.is_none_or(|c| table.handle_column().is_none_or(|h| h.id != c.id)) {
        return wrong(format!(
            "column {} is not the integer primary key, or the primary key is nonclustered",
            column.name
        ));
    }
    if column.auto_increment {
        return wrong("auto_random is incompatible with auto_increment".to_owned());
    }
    if column.default.is_some() {
        return wrong("auto_random is incompatible with default".to_owned());
    }
    if let Some(built) = built.filter(|c| c.field_type.tp != Tp::LongLong) {
        let text = super::super::show::type_text(&built.field_type, true);
        let word = text.split([' ', '(']).next().unwrap_or_default();
        return wrong(format!(
            "auto_random option must be defined on `bigint` column, but not on `{word}` column"
        ));
    }
    let shard = if shard == 0 {
        DEFAULT_SHARD_BITS
    } else {
        shard
    };
    let range = if range == 0 { *RANGE_BITS.end() } else { range };
    if shard > MAX_SHARD_BITS {
        return wrong(format!(
            "max allowed auto_random shard bits is {MAX_SHARD_BITS}, but got {shard} on column `{}`",
            column.name
        ));
    }
    if !RANGE_BITS.contains(&range) {
        let (least, most) = RANGE_BITS.into_inner();
        return wrong(format!(
            "auto_random range bits must be between {least} and {most}, but got {range}"
        ));
    }
    table.auto_random_bits = shard;
    table.auto_random_range_bits = (version >= TidbVersion::V8_5).then_some(range);
    table.auto_rand_id = def.options.auto_random_base.unwrap_or(0) as i64;
    Ok(())
}

fn options(table: &mut TableInfo, def: &CreateTable) -> Result<(), DdlError> {
    let options = &def.options;
    table.comment = options.comment.clone().unwrap_or_default();
    table.auto_inc_id = options.auto_increment.unwrap_or(0) as i64;
    table.auto_id_cache = options.auto_id_cache.unwrap_or(0) as i64;
    let shard_bits = options.shard_row_id_bits.unwrap_or(0);
    table.shard_row_id_bits = shard_bits.min(MAX_SHARD_ROW_ID_BITS);
    table.max_shard_row_id_bits = table.shard_row_id_bits;
    table.pre_split_regions = options.pre_split_regions.unwrap_or(0);
    if table.shard_row_id_bits > 0 && !table.has_row_id() {
        return Err(sql_error::refused(
            8200,
            "Unsupported shard_row_id_bits for table with primary key as row id",
        ));
    }
    if let Some(found) = ttl::ttl(table, &options.ttl)? {
        table.ttl_info = Some(Some(found));
    }
    table.state = SchemaState::None;
    Ok(())
}

/// A collation in the table's keys, those of its records or its indexes, that cannot be encoded.
pub(crate) fn unknown_key_collation(table: &TableInfo) -> Option<&str> {
    let parts = table.indexes.iter().flat_map(|index| &index.columns);
    parts
        .filter_map(|part| table.columns.get(part.offset))
        .map(|column| &column.field_type)
        .filter(|ft| ft.tp.is_string() && table.new_collations())
        .map(|ft| ft.collate.as_str())
        .find(|collation| !collate::is_known(collation))
}
