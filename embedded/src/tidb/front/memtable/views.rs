//! `information_schema.views`.

use serde_json::Value;

use super::Kind::{Long, Text};
use super::tables::sorted;
use super::{Kind, MemTable};
use crate::tidb::catalog::Catalog;

const VIEWS: [(&str, Kind); 10] = [
    ("TABLE_CATALOG", Text(512)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("VIEW_DEFINITION", Long),
    ("CHECK_OPTION", Text(8)),
    ("IS_UPDATABLE", Text(3)),
    ("DEFINER", Text(77)),
    ("SECURITY_TYPE", Text(7)),
    ("CHARACTER_SET_CLIENT", Text(32)),
    ("COLLATION_CONNECTION", Text(32)),
];

pub(super) fn views(catalog: &Catalog) -> MemTable {
    let mut rows = Vec::new();
    for db in catalog.databases() {
        for table in sorted(db) {
            let Some(view) = &table.view else { continue };
            let definer = match view.definer.current_user {
                true => "root@%".to_owned(),
                false => format!("{}@{}", view.definer.username, view.definer.hostname),
            };
            rows.push(vec![
                Value::from("def"),
                db.info.name.o.clone().into(),
                table.name.o.clone().into(),
                view.select.clone().into(),
                if view.check_option == 0 {
                    "LOCAL"
                } else {
                    "CASCADED"
                }
                .into(),
                "NO".into(),
                definer.into(),
                if view.security == 1 {
                    "INVOKER"
                } else {
                    "DEFINER"
                }
                .into(),
                table.charset.clone().into(),
                table.collate.clone().into(),
            ]);
        }
    }
    MemTable {
        columns: VIEWS.to_vec(),
        rows,
    }
}
