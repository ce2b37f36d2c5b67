//! What differs from run to run, replaced by what it is.

use std::sync::LazyLock;

use regex::Regex;

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "<uuid>",
        ),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", "<clock>"),
        (r"\b4[678]\d{16}\b", "<ts>"),
        (r"\b\d{19}\b", "<cluster>"),
        (r"v8\.[45]\.\d", "<version>"),
        (
            r"ad58c8b8ac06c26c39f6b90a7d3ef5a1d6fd2b7b|04e0284193",
            "None",
        ),
        (r"Git Branch: \w+", "Git Branch: None"),
        (r"go1\.26\.8", "None"),
        (r#""pid": \d+"#, r#""pid": <pid>"#),
        (r"TableID:\d+", "TableID:<id>"),
        (r#""\d+": \{"#, r#""<id>": {"#),
        (r#"("table_ids?": ?)\[?[\d,\s]+\]?"#, "$1<ids>"),
        (
            r#"("(?:checkpoint_tso|tso|checkpoint_ts|resolved_ts)": ?)\d+"#,
            "$1<ts>",
        ),
        (
            r#"("(?:checkpoint_tso|tso|checkpoint_ts|resolved_ts)": ?)<ts>"#,
            "$1<ts>",
        ),
        (r#"("checkpoint": )"""#, r#"$1"<clock>""#),
        (
            r#"("timestamp": |"logic_time": |"start-timestamp":)\d+"#,
            "$1<n>",
        ),
        (
            r"(\{Type:update Path:\[Config \w+\] From:<nil>) To:.*\}",
            "$1}",
        ),
        // how large, of which table and committed when is told here only
        (
            r"(message is too large): \d+ bytes for a row of .* max-message-bytes is \d+",
            "$1",
        ),
        (r#""table_id":\d+"#, r#""table_id":<id>"#),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
    .collect()
});

/// A text in which only what is promised is left.
pub fn normal(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in RULES.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    // differences come in the order of the original's struct: which come is what counts
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("<log "))
        .collect();
    if let Some(first) = lines.iter().position(|line| line.starts_with("{Type:")) {
        let count = lines[first..]
            .iter()
            .take_while(|line| line.starts_with("{Type:"))
            .count();
        lines[first..first + count].sort_unstable();
    }
    lines.join("\n").trim_end().to_owned()
}
