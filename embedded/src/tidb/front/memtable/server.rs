//! Tables about the server: character sets, collations, engines, and `mysql.tidb`.

use serde_json::Value;

use super::Kind::{Number, Text};
use super::{Kind, MemTable};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::front::FrontError;
use crate::tidb::front::lists;
use crate::tidb::front::session::Session;

pub(super) fn character_sets(release: TidbVersion) -> MemTable {
    let columns = vec![
        ("CHARACTER_SET_NAME", Text(32)),
        ("DEFAULT_COLLATE_NAME", Text(32)),
        ("DESCRIPTION", Text(60)),
        ("MAXLEN", Number),
    ];
    let rows = lists::charsets(release)
        .into_iter()
        .map(|(name, description, collation, max)| {
            vec![
                name.into(),
                collation.into(),
                description.into(),
                max.into(),
            ]
        })
        .collect();
    MemTable { columns, rows }
}

pub(super) fn collations(release: TidbVersion) -> MemTable {
    let mut columns = vec![
        ("COLLATION_NAME", Text(32)),
        ("CHARACTER_SET_NAME", Text(32)),
        ("ID", Number),
        ("IS_DEFAULT", Text(3)),
        ("IS_COMPILED", Text(3)),
        ("SORTLEN", Number),
    ];
    if release >= TidbVersion::V8_5 {
        columns.push(("PAD_ATTRIBUTE", Text(9)));
    }
    let rows = lists::collations(release)
        .into_iter()
        .map(|collation| {
            let mut row: Vec<Value> = vec![
                collation.name.into(),
                collation.charset.into(),
                collation.id.into(),
                if collation.default { "Yes" } else { "" }.into(),
                "Yes".into(),
                collation.sort_len.into(),
            ];
            if release >= TidbVersion::V8_5 {
                row.push(collation.pad().into());
            }
            row
        })
        .collect();
    MemTable { columns, rows }
}

pub(super) fn applicability(release: TidbVersion) -> MemTable {
    let columns = vec![
        ("COLLATION_NAME", Text(32)),
        ("CHARACTER_SET_NAME", Text(32)),
    ];
    let rows = lists::collations(release)
        .into_iter()
        .map(|collation| vec![collation.name.into(), collation.charset.into()])
        .collect();
    MemTable { columns, rows }
}

pub(super) fn engines() -> MemTable {
    const COLUMNS: [(&str, Kind); 6] = [
        ("ENGINE", Text(64)),
        ("SUPPORT", Text(8)),
        ("COMMENT", Text(80)),
        ("TRANSACTIONS", Text(3)),
        ("XA", Text(3)),
        ("SAVEPOINTS", Text(3)),
    ];
    MemTable {
        columns: COLUMNS.to_vec(),
        rows: vec![lists::ENGINE.map(Value::from).to_vec()],
    }
}

/// Of `mysql.tidb` what tells how garbage is collected: the rest describes a server that is not here.
impl Session {
    pub(super) async fn mysql_tidb(&mut self) -> Result<MemTable, FrontError> {
        let columns = vec![
            ("VARIABLE_NAME", Text(64)),
            ("VARIABLE_VALUE", Text(1024)),
            ("COMMENT", Text(1024)),
        ];
        let zone = self.backend.value("SELECT @@system_time_zone").await?;
        let row = |name: &str, value: &str, comment: &str| {
            vec![Value::from(name), value.into(), comment.into()]
        };
        let life = self.gc_life_time_text();
        let enabled = self.gc_enabled().to_string();
        let new_collations = match self.shared.version.new_collations() {
            true => "True",
            false => "False",
        };
        let rows = vec![
            row("bootstrapped", "True", "Bootstrap flag. Do not delete."),
            row("system_tz", &zone, "TiDB Global System Timezone."),
            row(
                "new_collation_enabled",
                new_collations,
                "If the new collations are enabled. Do not edit it.",
            ),
            row("tikv_gc_enable", &enabled, "Current GC enable status"),
            row(
                "tikv_gc_life_time",
                &life,
                "All versions within life time will not be collected by GC, at least 10m, in Go format.",
            ),
            row(
                "tikv_gc_run_interval",
                "10m0s",
                "GC run interval, at least 10m, in Go format.",
            ),
        ];
        Ok(MemTable { columns, rows })
    }
}
