//! Hints about what is easily taken for something else (`spec/sink-uri.md §4`). They go to standard error.

use super::Terminal;
use crate::{compat::Compat, config::uri::SinkUri};

/// What is worth saying about a sink URI on the command line.
pub(super) fn of_uri(text: &str, compat: Compat, old_value: bool) -> Vec<String> {
    let Ok(uri) = SinkUri::parse(text) else {
        return Vec::new();
    };
    let mut hints = Vec::new();
    if uri.param("enable-old-value").is_some() {
        hints.push(match compat {
            Compat::V4_0_9 => format!(
                "enable-old-value in the sink URI has no effect: {} (it is set in the file given with --config{})",
                if old_value { "old values are on" } else { "old values are off" },
                if old_value { ", where it is on" } else { ": enable-old-value = true" },
            ),
            Compat::V6_5 | Compat::V8_5 => {
                "enable-old-value in the sink URI has no effect: old values are always on".to_owned()
            }
        });
    }
    let wants_row_key = matches!(
        uri.param("output-row-key"),
        Some("true" | "True" | "TRUE" | "t" | "T" | "1")
    );
    let extended = uri.param("enable-tidb-extension").is_some();
    if wants_row_key && (compat < Compat::V8_5 || !extended) {
        hints.push(match compat < Compat::V8_5 {
            true => format!("output-row-key has no effect: {compat} does not know it"),
            false => "output-row-key has no effect without enable-tidb-extension".to_owned(),
        });
    }
    let parameters = text.split_once('?').map_or("", |(_, query)| query);
    if uri.is_kafka()
        && !parameters.is_empty()
        && !parameters.contains('&')
        && uri.param("protocol").is_none()
    {
        hints.push(format!(
            "the sink URI has the one parameter `{parameters}` and no protocol: a shell cuts an unquoted URI at its \
             first `&`; put it in quotes"
        ));
    }
    hints
}

/// Prints hints.
pub(super) fn print(terminal: &mut Terminal<'_>, hints: impl IntoIterator<Item = String>) {
    for hint in hints {
        terminal.note(format_args!("[HINT] {hint}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTICLE: &str = "kafka://127.0.0.1:9092/ticdc-test?kafka-version=2.7.0&partition-num=1&enable-old-value=true&\
                           protocol=canal-json";

    #[test]
    fn the_articles_uri() {
        let hints = of_uri(ARTICLE, Compat::V4_0_9, true);
        assert_eq!(hints.len(), 1);
        assert!(
            hints[0].contains("has no effect: old values are on"),
            "{hints:?}"
        );
        assert!(of_uri(ARTICLE, Compat::V4_0_9, false)[0].contains("enable-old-value = true"));
        assert!(of_uri(ARTICLE, Compat::V8_5, false)[0].contains("always on"));
    }

    #[test]
    fn row_keys_need_the_extension() {
        let uri = "kafka://h:1/t?protocol=canal-json&output-row-key=true";
        assert!(of_uri(uri, Compat::V8_5, false)[0].contains("enable-tidb-extension"));
        assert!(of_uri(uri, Compat::V6_5, false)[0].contains("v6.5 does not know it"));
        let extended = format!("{uri}&enable-tidb-extension=true");
        assert!(of_uri(&extended, Compat::V8_5, false).is_empty());
    }

    #[test]
    fn a_uri_that_a_shell_has_cut() {
        let cut = ARTICLE.split('&').next().unwrap();
        let hints = of_uri(cut, Compat::V8_5, false);
        assert!(hints.len() == 1 && hints[0].contains("quotes"), "{hints:?}");
        assert!(of_uri("kafka://h:1/t?protocol=canal-json", Compat::V8_5, false).is_empty());
        assert!(of_uri("kafka://h:1/t", Compat::V8_5, false).is_empty());
        assert!(of_uri(":", Compat::V8_5, false).is_empty());
    }
}
