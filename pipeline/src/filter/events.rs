//! Event filters: `[[filter.event-filters]]` of a changefeed's file (`spec/sink-uri.md §3`).
//!
//! Each names tables, kinds of events, patterns of the text of DDL, and conditions on rows. What one of them drops is not
//! sent. A DDL statement that is dropped changes the schema all the same.

use std::sync::OnceLock;

use jiff::tz::TimeZone;
use regex::Regex;

use super::{
    expr::{self, CompileError, Expr},
    kinds,
};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::{filter, kafka::unsupported, replica::EventFilterRule},
    model::ChangeKind,
    mount::{RowEvent, Value},
    schema::{DdlEvent, TableInfo, TableKind},
};

/// The event filters of a changefeed.
#[derive(Debug)]
pub struct EventFilters {
    compat: Compat,
    time_zone: TimeZone,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    tables: filter::Rules,
    /// As [`kinds`] calls them.
    kinds: Vec<&'static str>,
    sql: Option<Regex>,
    conditions: [Condition; 4],
}

/// A condition on rows, as it is written.
#[derive(Debug, Clone)]
struct Condition {
    on: On,
    text: String,
}

/// Which rows a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Insert,
    UpdateOld,
    UpdateNew,
    Delete,
}

impl On {
    fn option(self) -> &'static str {
        match self {
            Self::Insert => "ignore-insert-value-expr",
            Self::UpdateOld => "ignore-update-old-value-expr",
            Self::UpdateNew => "ignore-update-new-value-expr",
            Self::Delete => "ignore-delete-value-expr",
        }
    }

    /// The row that it looks at, if the change has such a one.
    fn row<'a>(self, event: &'a RowEvent<'_>) -> Option<&'a [Value<'a>]> {
        let row = match (self, event.kind()) {
            (Self::Insert, ChangeKind::Insert) | (Self::UpdateNew, ChangeKind::Update) => {
                &event.new
            }
            (Self::UpdateOld, ChangeKind::Update) | (Self::Delete, ChangeKind::Delete) => {
                &event.old
            }
            _ => return None,
        };
        row.as_deref()
    }
}

impl Rule {
    fn new(config: &EventFilterRule, compat: Compat) -> Result<Self, Coded> {
        let invalid = |what: &str, reason: String| {
            Coded::new(
                Code::ErrFilterRuleInvalid,
                format!("filter rule is invalid {what}: {reason}"),
            )
        };
        // With regard to case, whatever `case-sensitive` says.
        let tables = filter::Rules::parse(&config.matcher, true)
            .map_err(|reason| invalid(&filter::shown(&config.matcher), reason))?;
        let mut known = Vec::with_capacity(config.ignore_event.len());
        for name in &config.ignore_event {
            known.push(kinds::known(name, compat).ok_or_else(|| {
                Coded::new(
                    Code::ErrInvalidIgnoreEventType,
                    format!("invalid ignore event type: '{name}'"),
                )
            })?);
        }
        let sql = match config.ignore_sql.as_slice() {
            [] => None,
            patterns => {
                let pattern = format!("(?i){}", patterns.join("|"));
                // TiCDC writes a line into its log and does without the rule.
                let regex = Regex::new(&pattern).map_err(|error| {
                    let reason = format!(
                        "compile regular expression {}: {error}",
                        filter::shown(patterns)
                    );
                    invalid("failed to create binlog event filter", reason)
                })?;
                Some(regex)
            }
        };
        let condition = |on, text: &str| Condition {
            on,
            text: text.to_owned(),
        };
        Ok(Self {
            tables,
            kinds: known,
            sql,
            conditions: [
                condition(On::Insert, &config.ignore_insert_value_expr),
                condition(On::UpdateOld, &config.ignore_update_old_value_expr),
                condition(On::UpdateNew, &config.ignore_update_new_value_expr),
                condition(On::Delete, &config.ignore_delete_value_expr),
            ],
        })
    }

    /// The conditions that there are.
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.conditions
            .iter()
            .filter(|condition| !condition.text.is_empty())
    }
}

impl Condition {
    fn compiled(
        &self,
        table: &TableInfo,
        time_zone: &TimeZone,
        compat: Compat,
    ) -> Result<Expr, Coded> {
        let place = format!("{}.{}", table.schema, table.name);
        Expr::new(&self.text, table, time_zone, compat).map_err(|error| match error {
            CompileError::Syntax(error) => self.misread(&error),
            CompileError::UnknownColumn { column } => Coded::new(
                Code::ErrExpressionColumnNotFound,
                format!(
                    "invalid filter expression(s). Cannot find column '{column}' from table '{place}' in: {}",
                    self.text
                ),
            ),
            CompileError::Unsupported { part, what } => unsupported(format_args!(
                "{part} in {} = '{}' for the table {place} ({what})",
                self.on.option(),
                self.text
            )),
        })
    }

    fn misread(&self, error: &dyn std::error::Error) -> Coded {
        Coded::new(
            Code::ErrInvalidFilterExpression,
            format!(
                "invalid filter expressions. There is a syntax error in: '{}' ({}: failed to {error})",
                self.text,
                self.on.option()
            ),
        )
    }
}

impl EventFilters {
    /// Those of a configuration. TIMESTAMP columns are as a clock in `time_zone` shows them.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`, `ErrInvalidIgnoreEventType`.
    pub fn new(
        rules: Option<&[EventFilterRule]>,
        compat: Compat,
        time_zone: TimeZone,
    ) -> Result<Self, Coded> {
        let rules = rules.unwrap_or_default().iter();
        let rules: Result<_, Coded> = rules.map(|rule| Rule::new(rule, compat)).collect();
        Ok(Self {
            compat,
            time_zone,
            rules: rules?,
        })
    }

    /// Whether all conditions can be read, and fit the tables that there are.
    ///
    /// # Errors
    /// `ErrInvalidFilterExpression`, `ErrExpressionColumnNotFound`; `ErrUnsupportedByPipeline` for what TiDB evaluates and
    /// this pipeline does not.
    pub fn verify<'t>(
        &self,
        tables: impl IntoIterator<Item = &'t TableInfo> + Clone,
    ) -> Result<(), Coded> {
        for rule in &self.rules {
            for condition in rule.conditions() {
                expr::parse(&condition.text).map_err(|error| condition.misread(&error))?;
            }
            for table in tables.clone() {
                let rows = table.kind == TableKind::Table;
                if !rows || !rule.tables.matches_table(&table.schema, &table.name) {
                    continue;
                }
                for condition in rule.conditions() {
                    condition.compiled(table, &self.time_zone, self.compat)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a DDL statement is not sent.
    ///
    /// # Errors
    /// `ErrConvertDDLToEventTypeFailed` of v6.5 for a statement that cannot be read, `ErrTableIneligible` for a table renamed
    /// that was not known (since v8.5).
    pub fn drop_ddl(&self, event: &DdlEvent) -> Result<bool, Coded> {
        // v6.5 asks for the kind of a statement whether or not there is a rule.
        if self.rules.is_empty() && self.compat != Compat::V6_5 {
            return Ok(false);
        }
        let unreadable = |error: &dyn std::error::Error| {
            Coded::new(
                Code::ErrConvertDDLToEventTypeFailed,
                format!(
                    "failed to convert ddl '{}' to filter event type: failed to {error}",
                    event.query
                ),
            )
        };
        let of_event = match kinds::of_partitions(event.action) {
            _ if self.compat >= Compat::V8_5 => kinds::of_job(event.action),
            Some(kind) => vec![kind],
            None => {
                let statement = event.statement().map_err(|error| unreadable(&error))?;
                kinds::of_statement(&statement).into_iter().collect()
            }
        };
        let Some(kind) = of_event.first() else {
            return Ok(false);
        };
        let by_old_name = *kind == kinds::RENAME_TABLE && self.compat >= Compat::V8_5;
        let (schema, table) = match (&event.pre_info, by_old_name) {
            (Some(before), true) => (&before.schema, &before.name),
            (None, true) => {
                return Err(Coded::new(
                    Code::ErrTableIneligible,
                    format!(
                        "some tables are not eligible to replicate({}.{}), if you want to ignore these tables, please set \
                         ignore_ineligible_table to true",
                        event.schema, event.table
                    ),
                ));
            }
            (_, false) => (&event.schema, &event.table),
        };
        let query = match self.rules.iter().any(|rule| rule.sql.is_some()) {
            true => Some(event.own_query().map_err(|error| unreadable(&error))?),
            false => None,
        };
        Ok(self.rules.iter().any(|rule| {
            let concerned = match table.is_empty() {
                true => rule.tables.matches_schema(schema),
                false => rule.tables.matches_table(schema, table),
            };
            let named = |kind: &&str| *kind == kinds::ALL_DDL || of_event.contains(kind);
            concerned
                && (rule.kinds.iter().any(named)
                    || rule
                        .sql
                        .as_ref()
                        .zip(query.as_ref())
                        .is_some_and(|(sql, query)| sql.is_match(query)))
        }))
    }

    /// What concerns the rows of a version of a table; nothing if nothing does.
    #[must_use]
    pub fn of_rows(&self, table: &TableInfo) -> Option<RowFilters> {
        let concerned = |rule: &&Rule| rule.tables.matches_table(&table.schema, &table.name);
        let mut kinds = Vec::new();
        let mut conditions = Vec::new();
        for rule in self.rules.iter().filter(concerned) {
            kinds.extend_from_slice(&rule.kinds);
            conditions.extend(rule.conditions().cloned().map(|condition| Compiled {
                condition,
                expr: OnceLock::new(),
            }));
        }
        let of_rows = |kind: ChangeKind| {
            kinds.contains(&kinds::ALL_DML) || kinds.contains(&kinds::of_row(kind))
        };
        let dropped: Vec<_> = [ChangeKind::Insert, ChangeKind::Update, ChangeKind::Delete]
            .into_iter()
            .filter(|kind| of_rows(*kind))
            .collect();
        (!dropped.is_empty() || !conditions.is_empty()).then(|| RowFilters {
            time_zone: self.time_zone.clone(),
            compat: self.compat,
            dropped,
            conditions,
        })
    }
}

/// The event filters of one version of a table.
#[derive(Debug)]
pub struct RowFilters {
    time_zone: TimeZone,
    compat: Compat,
    dropped: Vec<ChangeKind>,
    conditions: Vec<Compiled>,
}

/// A condition that is compiled when a row needs it: a column that it names may be gone, and no such row come.
#[derive(Debug)]
struct Compiled {
    condition: Condition,
    expr: OnceLock<Result<Expr, Coded>>,
}

impl RowFilters {
    /// Whether a change is not sent. `event` is of the version of the table that this was made for.
    ///
    /// # Errors
    /// Those of [`EventFilters::verify`]; `ErrFailedToFilterDML` if a condition has no value for the row.
    pub fn drop_row(&self, event: &RowEvent<'_>) -> Result<bool, Coded> {
        if self.dropped.contains(&event.kind()) {
            return Ok(true);
        }
        for compiled in &self.conditions {
            let Some(row) = compiled.condition.on.row(event) else {
                continue;
            };
            let expr = compiled.expr.get_or_init(|| {
                compiled
                    .condition
                    .compiled(event.table, &self.time_zone, self.compat)
            });
            let expr = expr.as_ref().map_err(Clone::clone)?;
            let holds = expr.is_one(row).map_err(|error| {
                Coded::new(
                    Code::ErrFailedToFilterDML,
                    format!(
                        "failed to filter dml event: the row {} of {}.{}, {} = '{}': failed to {error}",
                        hex::encode(event.key),
                        event.table.schema,
                        event.table.name,
                        compiled.condition.on.option(),
                        compiled.condition.text
                    ),
                )
            })?;
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
