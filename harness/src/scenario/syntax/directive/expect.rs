//! Directives that expect something.

use std::fmt;

use super::{Place, Syntax, one_word};

/// `@error`: the next statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectError(pub u16);

impl Syntax for ExpectError {
    const NAME: &'static str = "error";
    const ARGUMENTS: &'static str = "CODE";
    const PLACE: Place = Place::BeforeStatement;
    const DOCS: &'static str =
        "The statement is refused with this error code; the snapshot has the text.";

    fn parse(arguments: &str) -> Result<ExpectError, String> {
        let word = one_word(arguments, "error code")?;
        match word.parse() {
            Ok(code) if code > 0 => Ok(ExpectError(code)),
            _ => Err(format!("`{word}` is not an error code")),
        }
    }
}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Directives without arguments.
macro_rules! bare {
    ($(#[$doc:meta] $name:ident, $text:literal, $place:expr, $docs:literal;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl Syntax for $name {
            const NAME: &'static str = $text;
            const ARGUMENTS: &'static str = "";
            const PLACE: Place = $place;
            const DOCS: &'static str = $docs;

            fn parse(_: &str) -> Result<$name, String> {
                Ok($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Ok(())
            }
        }
    )*};
}
pub(super) use bare;

bare! {
    /// `@query`: the next statement's rows are expected.
    Query, "query", Place::BeforeStatement,
        "The snapshot has the statement's columns and rows, in the order in which they come.";
    /// `@messages`: the messages so far are expected.
    Messages, "messages", Place::Step,
        "The snapshot has the messages since the last `@messages`, all that there are: read after the barrier, up to each\n\
        partition's end. Times are placeholders; what they have to do with each other is checked.";
}

/// Directives about one table as Flink sees it.
macro_rules! of_table {
    ($(#[$doc:meta] $name:ident, $text:literal, $docs:literal;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub String);

        impl Syntax for $name {
            const NAME: &'static str = $text;
            const ARGUMENTS: &'static str = "TABLE";
            const PLACE: Place = Place::Step;
            const DOCS: &'static str = $docs;

            fn parse(arguments: &str) -> Result<$name, String> {
                one_word(arguments, "table").map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

of_table! {
    /// `@flink-table`: the rows that Flink sees are expected.
    FlinkTable, "flink-table",
        "The snapshot has the table's rows as Flink sees them now, sorted; they are checked against TiDB's.";
    /// `@flink-changelog`: the changes that Flink sees are expected.
    FlinkChangelog, "flink-changelog",
        "The snapshot has all changes of the table so far, as Flink reads them: `+I`, `-U`, `+U`, `-D`.";
}
