//! Topic expressions: names of topics made from schema and table (`spec/sink-uri.md §3`).

use std::sync::LazyLock;

use regex::Regex;

use crate::coded::{Code, Coded};

#[allow(clippy::unwrap_used)]
static VALID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[A-Za-z0-9._\-]*(\{schema\})?([A-Za-z0-9._\-]*\{table\})?[A-Za-z0-9._\-]*$")
        .unwrap()
});

/// The longest name that Kafka takes.
const MAX_LENGTH: usize = 249;

/// A pattern for names of topics, or one fixed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicExpression(String);

impl TopicExpression {
    /// Checks an expression.
    ///
    /// # Errors
    /// `ErrKafkaTopicExprInvalid`.
    pub fn parse(text: &str) -> Result<Self, Coded> {
        match VALID.is_match(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(Coded::new(
                Code::ErrKafkaTopicExprInvalid,
                format!("invalid topic expression: {text} "),
            )),
        }
    }

    /// Whether the name is the same for every table.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        !self.0.is_empty() && !self.0.contains('{')
    }

    /// The topic of a table: characters that Kafka does not take are replaced by `_`, the rest cut at 249.
    #[must_use]
    pub fn topic(&self, schema: &str, table: &str) -> String {
        let name = self
            .0
            .replace("{schema}", &sanitized(schema))
            .replace("{table}", &sanitized(table));
        match name.as_str() {
            "." => "_".to_owned(),
            ".." => "__".to_owned(),
            _ => name.chars().take(MAX_LENGTH).collect(),
        }
    }
}

fn sanitized(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::recording;

    #[derive(Deserialize)]
    struct Case {
        expression: String,
        #[serde(default)]
        hard_coded: bool,
        error: Option<String>,
        #[serde(default)]
        substituted: Vec<[String; 3]>,
    }

    #[test]
    fn recorded_expressions() {
        let cases: Vec<Case> = recording("ticdc/topic-expressions.jsonl.gz");
        assert_eq!(cases.len(), 23);
        for case in cases {
            let parsed = TopicExpression::parse(&case.expression);
            match (case.error, parsed) {
                (Some(error), parsed) => assert_eq!(parsed.unwrap_err().to_string(), error),
                (None, parsed) => {
                    let expression = parsed.unwrap();
                    assert_eq!(
                        expression.is_fixed(),
                        case.hard_coded,
                        "{}",
                        case.expression
                    );
                    for [schema, table, topic] in case.substituted {
                        assert_eq!(
                            expression.topic(&schema, &table),
                            topic,
                            "{} {schema} {table}",
                            case.expression
                        );
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn topics_are_names_of_kafka(schema in ".*", table in ".{0,300}") {
            let topic = TopicExpression::parse("a.{schema}_{table}").unwrap().topic(&schema, &table);
            proptest::prop_assert!(topic.len() <= MAX_LENGTH && topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
        }
    }
}
