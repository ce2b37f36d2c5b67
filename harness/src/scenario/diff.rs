//! Differences of two texts, for people: `(-expected|+actual)`.

use similar::{ChangeTag, TextDiff};

/// Lines around a difference that are shown.
const CONTEXT: usize = 2;

/// The lines that differ, with a little around them.
pub(super) fn lines(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let mut text = String::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            text.push_str("    …\n");
        }
        for op in group {
            for change in diff.iter_changes(op) {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                text.push_str(&format!(
                    "    {sign}{}\n",
                    change.value().trim_end_matches('\n')
                ));
            }
        }
    }
    text
}

/// Every line moved to the right.
pub(super) fn indented(text: &str, by: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{by}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_with_its_neighbours() {
        let text = lines("a\nb\nc\nd\ne\n", "a\nb\nc\nX\ne\n");
        assert_eq!(text, "     b\n     c\n    -d\n    +X\n     e\n");
        assert_eq!(lines("a\n", "a\n"), "");
    }
}
