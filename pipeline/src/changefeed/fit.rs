//! Whether the rules of a changefeed about partitions and columns fit its tables (`spec/sink-uri.md §3`).

use crate::{
    codec::dispatch::{DispatchRule, Dispatcher},
    coded::{Code, Coded},
    config::{
        dispatch::{ColumnSelectors, DispatchRules, Partitioning},
        replica::ReplicaConfig,
    },
    schema::{Index, TableInfo, field::FLAG_NOT_NULL},
};

/// The rules.
#[derive(Debug)]
pub struct Rules {
    /// About topics and partitions.
    pub dispatch: DispatchRules,
    /// About columns, if there are any.
    pub columns: Option<ColumnSelectors>,
}

impl Rules {
    /// Those of a configuration.
    ///
    /// # Errors
    /// Those of [`DispatchRules::new`] and [`ColumnSelectors::new`].
    pub fn new(config: &ReplicaConfig) -> Result<Self, Coded> {
        Ok(Self {
            dispatch: DispatchRules::new(config)?,
            columns: ColumnSelectors::new(config)?,
        })
    }

    /// Whether they fit a table: a rule may name an index or columns that it does not have, or take away columns that are
    /// needed.
    ///
    /// # Errors
    /// `ErrDispatcherFailed`, `ErrColumnSelectorFailed`.
    pub fn check(&self, table: &TableInfo) -> Result<(), Coded> {
        let partitioning = &self.dispatch.of(&table.schema, &table.name).partitioning;
        if let Err(error) = Dispatcher::new(&rule_of(partitioning), table) {
            let reason = format!("failed to {error}");
            return Err(Coded::new(Code::ErrDispatcherFailed, reason));
        }
        match &self.columns {
            Some(columns) => check_columns(columns, partitioning, table),
            None => Ok(()),
        }
    }
}

/// How rows are spread by a rule.
pub(in crate::changefeed) fn rule_of(partitioning: &Partitioning) -> DispatchRule {
    match partitioning {
        Partitioning::Table => DispatchRule::Table,
        Partitioning::Ts => DispatchRule::Ts,
        Partitioning::IndexValue { index } => DispatchRule::IndexValue {
            index: index.clone(),
        },
        Partitioning::Columns(columns) => DispatchRule::Columns {
            columns: columns.clone(),
        },
    }
}

/// A table with a selector keeps the columns that its rows are spread by, and those by which a consumer tells them apart: the
/// primary key or a whole unique key of NOT NULL columns.
///
/// # Errors
/// `ErrColumnSelectorFailed`.
pub(in crate::changefeed) fn check_columns(
    columns: &ColumnSelectors,
    partitioning: &Partitioning,
    table: &TableInfo,
) -> Result<(), Coded> {
    if !columns.concern(&table.schema, &table.name) {
        return Ok(());
    }
    let refuse = |reason: String| Err(Coded::new(Code::ErrColumnSelectorFailed, reason));
    let place = format!("{}.{}", table.schema, table.name);
    let selects = |name: &str| columns.selects(&table.schema, &table.name, name);
    if let Partitioning::Columns(names) = partitioning
        && let Some(hidden) = names.iter().find(|name| !selects(name))
    {
        return refuse(format!(
            "the filtered out column is used in the column dispatcher, table: {place}, column: {hidden}"
        ));
    }
    let selected = |column: usize| selects(&table.columns[column].name);
    let not_null = |column: usize| table.columns[column].field.flag & FLAG_NOT_NULL != 0;
    let primary: Vec<usize> = (0..table.columns.len())
        .filter(|at| table.columns[*at].is_primary)
        .collect();
    let whole = |index: &Index| {
        let mut parts = index.columns.iter();
        index.unique && parts.all(|part| part.column.is_some_and(|at| selected(at) && not_null(at)))
    };
    let keeps_primary = !primary.is_empty() && primary.into_iter().all(selected);
    match keeps_primary || table.indexes.iter().any(whole) {
        true => Ok(()),
        false => refuse(format!(
            "no primary key columns or unique key columns obtained after filter out, table: {place}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compat::Compat,
        config::replica::{ColumnSelector, DispatchRule},
    };

    /// `test.t (id BIGINT PRIMARY KEY, a INT, b INT)`.
    fn table() -> TableInfo {
        let column = |id: i64, name: &str, flag: u32| {
            format!(
                r#"{{"id":{id},"name":{{"O":"{name}","L":"{name}"}},"offset":{},"type":{{"Tp":8,"Flag":{flag},"Flen":20,"Charset":"binary","Collate":"binary"}},"state":5}}"#,
                id - 1
            )
        };
        let text = format!(
            r#"{{"id":1,"name":{{"O":"t","L":"t"}},"cols":[{},{},{}],"pk_is_handle":true,"state":5}}"#,
            column(1, "id", 3),
            column(2, "a", 0),
            column(3, "b", 0)
        );
        let model = serde_json::from_str(&text).unwrap();
        TableInfo::new(1, "test", 1, &model, Compat::V8_5)
    }

    fn checked(matcher: &str, columns: &[&str], dispatched: &[&str]) -> Result<(), String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut config = ReplicaConfig::default();
        config.sink.column_selectors = Some(vec![ColumnSelector {
            matcher: vec![matcher.to_owned()],
            columns: owned(columns),
        }]);
        config.sink.dispatchers = Some(vec![DispatchRule {
            matcher: vec!["test.t".to_owned()],
            partition: if dispatched.is_empty() {
                "table"
            } else {
                "columns"
            }
            .to_owned(),
            columns: (!dispatched.is_empty()).then(|| owned(dispatched)),
            ..Default::default()
        }]);
        let outcome = Rules::new(&config).unwrap().check(&table());
        outcome.map_err(|error| error.to_string())
    }

    #[test]
    fn selectors_keep_what_is_needed() {
        assert_eq!(checked("test.t", &["id", "a"], &[]), Ok(()));
        assert_eq!(checked("test.t", &["id", "a"], &["a"]), Ok(()));
        assert_eq!(checked("test.u", &["c"], &["b"]), Ok(()));
        let hidden = checked("test.t", &["id", "a"], &["a", "b"]).unwrap_err();
        assert!(
            hidden.contains("used in the column dispatcher, table: test.t, column: b"),
            "{hidden}"
        );
        let keyless = checked("test.t", &["a", "b"], &[]).unwrap_err();
        assert!(
            keyless.starts_with("[CDC:ErrColumnSelectorFailed]no primary key"),
            "{keyless}"
        );
        let absent = checked("test.t", &["*"], &["c"]).unwrap_err();
        assert!(absent.starts_with("[CDC:ErrDispatcherFailed]"), "{absent}");
    }
}
