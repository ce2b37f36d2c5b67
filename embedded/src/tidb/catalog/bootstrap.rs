//! What a fresh cluster holds before the first statement (`docs/spec/tidb-schema.md §7-§8`).

use super::build::statement::{Clustering, ColumnDef, CreateTable, TableName, TableOptions};
use super::build::{self, types::TypeSpec};
use super::model::{CiStr, DbInfo, SchemaState, TableInfo, Tp};
use super::{DdlError, Mutation, Session, TidbVersion, gojson, jobs, meta};
use crate::tidb::codec::keys::MetaKey;

/// Ids and versions of a fresh cluster.
struct Fresh {
    mysql_id: i64,
    test_id: i64,
    /// The last id taken by system objects: user objects follow.
    last_global_id: i64,
    schema_version: i64,
    bootstrap_version: u32,
}

fn fresh(version: TidbVersion) -> Fresh {
    match version {
        TidbVersion::V8_5 => Fresh {
            mysql_id: 1,
            test_id: 2,
            last_global_id: 103,
            schema_version: 54,
            bootstrap_version: 218,
        },
        TidbVersion::V4_0 => Fresh {
            mysql_id: 3,
            test_id: 1,
            last_global_id: 44,
            schema_version: 22,
            bootstrap_version: 46,
        },
    }
}

/// The writes of a fresh cluster, for one transaction that starts at `start_ts`: the databases `mysql` and `test`, in
/// newer releases the tables of DDL jobs, and the counters.
pub fn bootstrap(version: TidbVersion, start_ts: u64) -> Result<Vec<Mutation>, DdlError> {
    let fresh = fresh(version);
    let mut out = vec![];
    let mut put = |key: MetaKey, value: Vec<u8>| {
        out.push(Mutation::Put {
            key: key.encode(),
            value,
        });
    };
    let json = |e| DdlError::Catalog(super::CatalogError::Json(e));
    for (id, name) in [(fresh.mysql_id, "mysql"), (fresh.test_id, "test")] {
        let mut db = DbInfo::new(
            version,
            id,
            CiStr::new(name),
            "utf8mb4".to_owned(),
            "utf8mb4_bin".to_owned(),
        );
        db.state = SchemaState::Public;
        put(meta::db(id), gojson::to_vec(&db).map_err(json)?);
    }
    if version >= TidbVersion::V8_5 {
        for (id, name, columns) in job_tables() {
            let mut table = system_table(version, name, columns)?;
            table.id = id;
            table.state = SchemaState::Public;
            table.update_timestamp = start_ts;
            put(
                meta::table(fresh.mysql_id, id),
                gojson::to_vec(&table).map_err(json)?,
            );
        }
        // The job tables, their lock table, the backfill tables and the notifier's are there.
        put(MetaKey::string("DDLTableVersion"), b"4".to_vec());
        put(MetaKey::string("metadataLock"), b"1".to_vec());
    }
    put(
        meta::next_global_id(),
        fresh.last_global_id.to_string().into_bytes(),
    );
    put(
        meta::schema_version(),
        fresh.schema_version.to_string().into_bytes(),
    );
    put(
        MetaKey::string("BootstrapKey"),
        fresh.bootstrap_version.to_string().into_bytes(),
    );
    Ok(out)
}

fn system_table(
    version: TidbVersion,
    name: &str,
    columns: Vec<ColumnDef>,
) -> Result<TableInfo, DdlError> {
    let def = CreateTable {
        partition: None,
        name: TableName {
            database: Some("mysql".to_owned()),
            table: name.to_owned(),
        },
        if_not_exists: false,
        temporary: false,
        columns,
        foreign_keys: vec![],
        indexes: vec![],
        ignored: vec![],
        options: TableOptions::default(),
    };
    build::table::table(
        version,
        &Session::default(),
        "",
        &def,
        ("utf8mb4", "utf8mb4_bin"),
    )
}

fn column(name: &str, tp: Tp) -> ColumnDef {
    ColumnDef {
        name: name.to_owned(),
        spec: TypeSpec::new(tp),
        not_null: None,
        default: None,
        auto_increment: false,
        auto_random: None,
        primary: None,
        unique: false,
        on_update_now: false,
        comment: None,
        generated: None,
    }
}

fn id_column(name: &str) -> ColumnDef {
    ColumnDef {
        not_null: Some(true),
        primary: Some(Clustering::Unspecified),
        ..column(name, Tp::LongLong)
    }
}

fn text(name: &str, tp: Tp, length: u64) -> ColumnDef {
    let mut def = column(name, tp);
    def.spec.length = Some(length);
    def
}

fn long_blob(name: &str) -> ColumnDef {
    let mut def = column(name, Tp::LongBlob);
    def.spec.bytes = true;
    def
}

/// The tables that hold DDL jobs, as TiDB defines them.
fn job_tables() -> Vec<(i64, &'static str, Vec<ColumnDef>)> {
    const TEXT: u64 = 65_535;
    vec![
        (
            jobs::JOB_TABLE_ID,
            "tidb_ddl_job",
            vec![
                id_column("job_id"),
                column("reorg", Tp::Long),
                text("schema_ids", Tp::Blob, TEXT),
                text("table_ids", Tp::Blob, TEXT),
                long_blob("job_meta"),
                column("type", Tp::Long),
                column("processing", Tp::Long),
            ],
        ),
        (
            jobs::HISTORY_TABLE_ID,
            "tidb_ddl_history",
            vec![
                id_column("job_id"),
                long_blob("job_meta"),
                text("db_name", Tp::String, 64),
                text("table_name", Tp::String, 64),
                text("schema_ids", Tp::Blob, TEXT),
                text("table_ids", Tp::Blob, TEXT),
                column("create_time", Tp::Datetime),
            ],
        ),
        (
            jobs::MDL_TABLE_ID,
            "tidb_mdl_info",
            vec![
                ColumnDef {
                    not_null: Some(true),
                    ..id_column("job_id")
                },
                ColumnDef {
                    not_null: Some(true),
                    ..column("version", Tp::LongLong)
                },
                text("table_ids", Tp::Blob, TEXT),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidb::catalog::Catalog;
    use crate::tidb::catalog::model::flag;

    fn catalog(version: TidbVersion) -> Catalog {
        let mut catalog = Catalog::new(version);
        catalog.apply(&bootstrap(version, 7).unwrap()).unwrap();
        catalog
    }

    #[test]
    fn user_ids_follow_the_system_s() {
        assert_eq!(catalog(TidbVersion::V8_5).last_global_id() + 1, 104);
        assert_eq!(catalog(TidbVersion::V4_0).last_global_id() + 1, 45);
        assert_eq!(
            catalog(TidbVersion::V8_5).database("TEST").unwrap().info.id,
            2
        );
        assert_eq!(
            catalog(TidbVersion::V4_0).database("test").unwrap().info.id,
            1
        );
    }

    #[test]
    fn the_job_table_is_the_specified_one() {
        let catalog = catalog(TidbVersion::V8_5);
        let table = catalog.table("mysql", "tidb_ddl_job").unwrap();
        assert_eq!(table.id, 281_474_976_710_654);
        let shape: Vec<_> = table
            .columns
            .iter()
            .map(|c| {
                (
                    c.id,
                    c.name.o.as_str(),
                    c.field_type.tp as u8,
                    c.field_type.flag,
                    c.field_type.flen,
                )
            })
            .collect();
        assert_eq!(
            shape,
            [
                (
                    1,
                    "job_id",
                    8,
                    flag::NOT_NULL | flag::PRI_KEY | flag::NO_DEFAULT,
                    20
                ),
                (2, "reorg", 3, 0, 11),
                (3, "schema_ids", 250, 0, 16_777_215),
                (4, "table_ids", 250, 0, 16_777_215),
                (5, "job_meta", 251, 128, 4_294_967_295),
                (6, "type", 3, 0, 11),
                (7, "processing", 3, 0, 11),
            ]
        );
    }

    #[test]
    fn what_is_loaded_is_what_was_written() {
        let pairs = bootstrap(TidbVersion::V8_5, 7).unwrap();
        let pairs = pairs.iter().map(|m| match m {
            Mutation::Put { key, value } => (key, value),
            Mutation::Delete { .. } => panic!("a fresh cluster deletes nothing"),
        });
        let loaded = Catalog::load(TidbVersion::V8_5, pairs).unwrap();
        let names: Vec<_> = loaded
            .databases()
            .map(|db| db.info.name.o.as_str())
            .collect();
        assert_eq!(names, ["mysql", "test"]);
        assert_eq!(loaded.schema_version(), 54);
    }
}
