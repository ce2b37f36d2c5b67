//! `PREPARE name FROM …` and `EXECUTE name`: MariaDB keeps the statement, the front its text, with which it gives TiDB's values to
//! each run.

use super::errors;
use super::policy::{self, Class};
use super::rewrite::Rewritten;
use super::session::Session;
use super::statement::{Route, Routed, unclosed};
use super::text::{Kind, Text, literal};
use crate::tidb::wire::WireError;

impl Session {
    /// `PREPARE name FROM 'text'`, `PREPARE name FROM @variable`: the text must be one that MariaDB may run.
    pub(super) async fn prepare_text(&mut self, text: &Text<'_>) -> Routed {
        let Some(name) = text.name(1) else {
            return Ok(Err(errors::syntax_at_token(text, 1)));
        };
        let is_variable = policy::is_kind(text, 3, Kind::UserVariable) && text.get(3).len() > 1;
        let given = text.string(3);
        if !text.is(2, "FROM") || text.tokens.len() != 4 || !is_variable && given.is_none() {
            let at = if text.is(2, "FROM") { 3 } else { 2 };
            return Ok(Err(errors::syntax_at_token(text, at)));
        }
        let inner = match given {
            Some(inner) => inner,
            None => {
                let query = format!("SELECT {}", text.get(3));
                match self.backend.value(&query).await {
                    Ok(inner) => inner,
                    Err(WireError::Server { error, .. }) => return Ok(Err(error)),
                    Err(other) => return Err(other.into()),
                }
            }
        };
        // What has an effect, or an answer of its own, must not be routed here.
        let class = match self.plain(&inner).and_then(|plain| {
            let text = Text::new(&plain)?;
            Ok((policy::classify(&text), text.get(0).to_ascii_uppercase()))
        }) {
            Ok(class) => class,
            Err(broken) => return Ok(Err(unclosed(&inner, &broken))),
        };
        match class {
            (Ok(Class::Query | Class::Dml | Class::Plain), word) if word != "EXECUTE" => {}
            (Err(refusal), word) if !word.is_empty() => return Ok(Err(refusal)),
            (Err(_), _) => {}
            (Ok(_), word) => {
                let what = format!("PREPARE … FROM a {word} statement");
                return Ok(Err(errors::unsupported(&what)));
            }
        }
        let route = Box::pin(self.route_prepared(&inner)).await?;
        Ok(route.map(|route| match route {
            Route::Forward { rewritten, .. } => {
                self.texts.insert(name.to_lowercase(), inner);
                let sql = format!("PREPARE {} FROM {}", text.get(1), literal(&rewritten.sql));
                let rewritten = Rewritten {
                    sql,
                    carriers: rewritten.carriers,
                    renames: vec![],
                };
                Route::Forward {
                    rewritten,
                    target: None,
                }
            }
            other => other,
        }))
    }

    /// `EXECUTE name [USING …]`: TiDB's values are those of the moment of execution.
    pub(super) async fn execute_text(&mut self, text: &Text<'_>) -> Routed {
        let inner = text
            .name(1)
            .and_then(|name| self.texts.get(&name.to_lowercase()).cloned());
        let own = match self.forwarded(text).await? {
            Ok(Route::Forward { rewritten, .. }) => rewritten,
            other => return Ok(other),
        };
        let Some(inner) = inner else {
            // MariaDB says that there is none.
            return Ok(Ok(Route::as_is(own.sql)));
        };
        let route = Box::pin(self.route_prepared(&inner)).await?;
        Ok(route.map(|route| match route {
            Route::Forward { rewritten, target } => Route::Forward {
                rewritten: Rewritten {
                    sql: own.sql,
                    ..rewritten
                },
                target,
            },
            other => other,
        }))
    }
}
