//! The list of differences as a page of the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::recorded::recordings;

const HEAD: &str = "\
# Where the embedded TiDB differs from TiDB

Every statement of the recordings of real TiDB clusters ([fixtures/golden](../fixtures/golden)) is run on the embedded one, and
what it answers and writes is compared: rows, affected rows, warnings and error codes (`error`, `columns`, `rows`,
`affected_rows`, `last_insert_id`, `warnings`), the schema (`meta`), DDL jobs (`jobs`), rows and index entries (`kv`, `index`).
This page lists the statements that differ, by reason. The test `cargo test -p embedded --test recordings` makes it, and fails if
a statement differs that is not on it or one is on it that does not differ.
";

/// The longest part of a statement that is shown.
const SHOWN: usize = 100;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/divergences.md")
}

/// The page.
fn page() -> String {
    let mut statements = BTreeMap::new();
    for recording in ["v8.4", "v4.0"].into_iter().flat_map(recordings) {
        for statement in &recording.statements {
            let key = (recording.name.clone(), statement.step());
            statements.insert(key, statement.sql().to_owned());
        }
    }
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, (aspects, why)) in super::apart::read() {
        let sql = statements[&key].replace(['\n', '`'], " ");
        let mut shown: String = sql.chars().take(SHOWN).collect();
        if shown.len() < sql.len() {
            shown.push('…');
        }
        let (file, step) = key;
        let line = format!("* {file} {step} `{shown}`: {aspects}");
        by_reason.entry(why).or_default().push(line);
    }
    let mut out = HEAD.to_owned();
    for (why, lines) in by_reason {
        let mut title = why.chars();
        let first = title.next().map(|c| c.to_uppercase().to_string());
        let title = first.unwrap_or_default() + title.as_str();
        writeln!(out, "\n## {title}\n\n{}", lines.join("\n")).unwrap();
    }
    out
}

/// Holds the page to the list, or writes it with `CDCLAB_APART=write`.
pub(crate) fn check() {
    let page = page();
    if std::env::var("CDCLAB_APART").as_deref() == Ok("write") {
        std::fs::write(path(), &page).unwrap();
    }
    let written = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        written == page,
        "{} is not what the list says: run this test with CDCLAB_APART=write",
        path().display()
    );
}
