//! How the demo is laid out on the terminal.

use super::super::{Failure, print};

/// Where lines of an explanation are broken.
const WIDTH: usize = 100;

/// A step's heading.
pub(super) fn heading(number: usize, title: &str) -> Result<(), Failure> {
    print(&format!("\n== {number}. {title}"))
}

/// A command as one would type it.
pub(super) fn typed(prompt: &str, command: &str) -> Result<(), Failure> {
    print(&format!("\n{prompt} {command}"))
}

/// What a command printed.
pub(super) fn output(text: &str) -> Result<(), Failure> {
    match text.trim_end() {
        "" => Ok(()),
        text => print(text),
    }
}

/// An explanation of a pitfall, or of what is to be seen.
pub(super) fn note(text: &str) -> Result<(), Failure> {
    print(&format!("\n{}", wrapped(text)))
}

fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::from("  !"));
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim() != "!" {
            lines.push(std::mem::replace(&mut line, String::from("   ")));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// Rows as a terminal client shows them.
pub(super) fn grid(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    let shown = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    let cells: Vec<Vec<String>> = std::iter::once(columns.to_vec())
        .chain(rows.iter().map(|row| row.iter().map(shown).collect()))
        .collect();
    let width = |column: usize| {
        let of = |row: &Vec<String>| row.get(column).map_or(0, |cell| cell.chars().count());
        cells.iter().map(of).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let bar: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .collect();
    let line = |row: &Vec<String>| -> String {
        let cells = row.iter().zip(&widths);
        let cells: String = cells
            .map(|(cell, width)| format!("| {cell:width$} "))
            .collect();
        format!("{cells}|")
    };
    let mut lines = vec![format!("{bar}+"), line(&cells[0]), format!("{bar}+")];
    lines.extend(cells[1..].iter().map(line));
    lines.push(format!("{bar}+"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_broken_between_words() {
        let text = wrapped(&"twelve chars ".repeat(20));
        assert!(text.lines().count() > 2);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(text.starts_with("  ! twelve"));
    }

    #[test]
    fn a_long_word_is_not_lost() {
        let word = "x".repeat(150);
        assert_eq!(wrapped(&word), format!("  ! {word}"));
    }

    #[test]
    fn grids_line_up() {
        let columns = ["id".to_owned(), "word".to_owned()];
        let rows = vec![
            vec![Some("1".to_owned()), None],
            vec![Some("22".to_owned()), Some("through".to_owned())],
        ];
        let lines = [
            "+----+---------+",
            "| id | word    |",
            "+----+---------+",
            "| 1  | NULL    |",
            "| 22 | through |",
            "+----+---------+",
        ];
        assert_eq!(grid(&columns, &rows), lines.join("\n"));
    }
}
