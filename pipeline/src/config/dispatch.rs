//! Rules that give tables their topic and partitioning, and choose their columns.

use super::{
    filter::{ColumnRules, Rules, shown},
    legacy::LegacyConfig,
    replica::ReplicaConfig,
    topic::TopicExpression,
};
use crate::coded::{Code, Coded};

/// What decides a row's partition (`spec/canal-json.md §15`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partitioning {
    /// Its table.
    Table,
    /// Its commit-ts.
    Ts,
    /// The values of its handle key, or of an index.
    IndexValue {
        /// The index, none for the handle key.
        index: Option<String>,
    },
    /// The values of columns.
    Columns(Vec<String>),
}

/// What happens to the tables that match.
#[derive(Debug, Clone)]
pub struct DispatchRule {
    matcher: Rules,
    /// The topic's name, none for the default topic.
    pub topic: Option<TopicExpression>,
    /// Its partition.
    pub partitioning: Partitioning,
}

/// Rules in order; the first that matches decides.
#[derive(Debug, Clone)]
pub struct DispatchRules {
    rules: Vec<DispatchRule>,
    /// What tables have that no rule names.
    fallback: DispatchRule,
}

fn matcher(rules: &[String], case_sensitive: bool) -> Result<Rules, Coded> {
    Rules::parse(rules, case_sensitive).map_err(|reason| refused(rules, &reason))
}

fn refused(rules: &[String], reason: &str) -> Coded {
    Coded::new(
        Code::ErrFilterRuleInvalid,
        format!("filter rule is invalid {}: {reason}", shown(rules)),
    )
}

impl DispatchRules {
    /// The rules of a changefeed.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`, `ErrKafkaTopicExprInvalid`.
    pub fn new(config: &ReplicaConfig) -> Result<Self, Coded> {
        let rules = config
            .sink
            .dispatchers
            .iter()
            .flatten()
            .map(|rule| {
                let name = match rule.partition.as_str() {
                    "" => rule.dispatcher.as_str(),
                    name => name,
                };
                let index = Some(rule.index.clone()).filter(|index| !index.is_empty());
                Ok(DispatchRule {
                    matcher: matcher(&rule.matcher, config.case_sensitive)?,
                    topic: match rule.topic.as_str() {
                        "" => None,
                        text => Some(TopicExpression::parse(text)?),
                    },
                    partitioning: partitioning(
                        name,
                        index,
                        rule.columns.clone().unwrap_or_default(),
                    ),
                })
            })
            .collect::<Result<_, Coded>>()?;
        Self::with_fallback(rules)
    }

    /// The rules of a changefeed of v4.0.9, which knows one topic.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`.
    pub fn legacy(config: &LegacyConfig) -> Result<Self, Coded> {
        let rules = config
            .sink
            .dispatchers
            .iter()
            .flatten()
            .map(|rule| {
                Ok(DispatchRule {
                    matcher: matcher(&rule.matcher, config.case_sensitive)?,
                    topic: None,
                    partitioning: partitioning(&rule.dispatcher, None, Vec::new()),
                })
            })
            .collect::<Result<_, Coded>>()?;
        Self::with_fallback(rules)
    }

    fn with_fallback(rules: Vec<DispatchRule>) -> Result<Self, Coded> {
        let all = ["*.*".to_owned()];
        let fallback = DispatchRule {
            matcher: matcher(&all, false)?,
            topic: None,
            partitioning: Partitioning::Table,
        };
        Ok(Self { rules, fallback })
    }

    /// The rule for a table.
    #[must_use]
    pub fn of(&self, schema: &str, table: &str) -> &DispatchRule {
        self.rules
            .iter()
            .find(|rule| rule.matcher.matches_table(schema, table))
            .unwrap_or(&self.fallback)
    }
}

/// Unknown names are taken for the default with a warning, as in the original.
fn partitioning(name: &str, index: Option<String>, columns: Vec<String>) -> Partitioning {
    match name.to_lowercase().as_str() {
        "" | "default" | "table" => Partitioning::Table,
        "ts" => Partitioning::Ts,
        "index-value" => Partitioning::IndexValue { index },
        "rowid" => {
            tracing::warn!("the rowid dispatcher is the index-value dispatcher by its old name");
            Partitioning::IndexValue { index }
        }
        "columns" => Partitioning::Columns(columns),
        _ => {
            tracing::warn!(name, "this dispatcher is not known, the default is used");
            Partitioning::Table
        }
    }
}

/// Which columns of which tables are sent; the first rule that matches a table decides.
#[derive(Debug, Clone)]
pub struct ColumnSelectors(Vec<(Rules, ColumnRules)>);

impl ColumnSelectors {
    /// The selectors of a changefeed, none if it has none.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`.
    pub fn new(config: &ReplicaConfig) -> Result<Option<Self>, Coded> {
        let selectors = config
            .sink
            .column_selectors
            .iter()
            .flatten()
            .map(|selector| {
                let tables = matcher(&selector.matcher, config.case_sensitive)?;
                let columns = ColumnRules::parse(&selector.columns)
                    .map_err(|reason| refused(&selector.columns, &reason))?;
                Ok((tables, columns))
            })
            .collect::<Result<Vec<_>, Coded>>()?;
        Ok(if selectors.is_empty() {
            None
        } else {
            Some(Self(selectors))
        })
    }

    /// Whether one of them is about a table.
    #[must_use]
    pub fn concern(&self, schema: &str, table: &str) -> bool {
        let mut selectors = self.0.iter();
        selectors.any(|(tables, _)| tables.matches_table(schema, table))
    }

    /// Whether a column is sent.
    #[must_use]
    pub fn selects(&self, schema: &str, table: &str, column: &str) -> bool {
        let found = self
            .0
            .iter()
            .find(|(tables, _)| tables.matches_table(schema, table));
        found.is_none_or(|(_, columns)| columns.matches(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::replica;

    #[test]
    fn the_first_rule_that_matches_decides() {
        let mut config = ReplicaConfig::default();
        let rule = |matcher: &str, partition: &str, topic: &str| replica::DispatchRule {
            matcher: vec![matcher.to_owned()],
            partition: partition.to_owned(),
            topic: topic.to_owned(),
            ..Default::default()
        };
        config.sink.dispatchers = Some(vec![
            rule("test.a", "INDEX-VALUE", ""),
            rule("test.*", "ts", "{schema}_x"),
        ]);
        let rules = DispatchRules::new(&config).unwrap();
        assert_eq!(
            rules.of("test", "a").partitioning,
            Partitioning::IndexValue { index: None }
        );
        assert_eq!(rules.of("test", "b").partitioning, Partitioning::Ts);
        assert_eq!(
            rules
                .of("test", "b")
                .topic
                .as_ref()
                .unwrap()
                .topic("test", "b"),
            "test_x"
        );
        assert_eq!(rules.of("other", "b").partitioning, Partitioning::Table);
        assert!(rules.of("other", "b").topic.is_none());
    }

    #[test]
    fn selectors_leave_other_tables_alone() {
        let mut config = ReplicaConfig::default();
        assert!(ColumnSelectors::new(&config).unwrap().is_none());
        config.sink.column_selectors = Some(vec![replica::ColumnSelector {
            matcher: vec!["test.t".to_owned()],
            columns: vec!["*".to_owned(), "!b".to_owned()],
        }]);
        let selectors = ColumnSelectors::new(&config).unwrap().unwrap();
        assert!(selectors.selects("test", "t", "a") && !selectors.selects("test", "t", "B"));
        assert!(selectors.selects("test", "u", "b"));
    }
}
