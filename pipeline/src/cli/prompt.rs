//! Questions to the user.

use super::Terminal;

/// What a question was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// There is nobody to answer.
    Nobody,
}

/// Reads the answer to a question that has been asked.
pub(super) fn read(terminal: &mut Terminal<'_>) -> Answer {
    let _ = terminal.out.flush();
    let mut line = String::new();
    match terminal.input.read_line(&mut line) {
        Ok(0) | Err(_) => Answer::Nobody,
        Ok(_) => match line.trim().to_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        },
    }
}

/// Reads the answer in the way of releases since v5, which say so when nobody answers.
pub(super) fn confirmed(terminal: &mut Terminal<'_>) -> bool {
    match read(terminal) {
        Answer::Yes => true,
        Answer::No => false,
        Answer::Nobody => {
            terminal.line("Received invalid input: EOF, abort the command.");
            false
        }
    }
}
