//! The directives: each is a small type that parses, prints and describes itself.

mod expect;
mod fault;
mod head;

use std::fmt;

pub use expect::{ExpectError, FlinkChangelog, FlinkTable, Messages, Query};
pub use fault::{Barrier, Kill, Pause, Restart, Resume, Session, Start, Stop, Victim};
pub use head::{Changefeed, Covers, Database, Profile, Requires, Topic, Truth};

/// Where a directive may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the first statement and the first step.
    Head,
    /// Right before a statement, which it is about.
    BeforeStatement,
    /// Between statements: a step of its own.
    Step,
}

impl Place {
    /// In the middle of a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Place::Head => "before the first statement",
            Place::BeforeStatement => "right before a statement",
            Place::Step => "between statements",
        }
    }
}

/// What every directive is.
pub trait Syntax: Sized + fmt::Display {
    /// Its name, without `@`.
    const NAME: &'static str;
    /// Its arguments, for people; empty if there are none.
    const ARGUMENTS: &'static str;
    /// Where it may stand.
    const PLACE: Place;
    /// What it does, for people.
    const DOCS: &'static str;

    /// From its arguments, trimmed. The error says what is wrong with them.
    ///
    /// # Errors
    /// What is wrong, as part of a sentence.
    fn parse(arguments: &str) -> Result<Self, String>;
}

/// What is known of a directive without having one.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name, without `@`.
    pub name: &'static str,
    /// Its arguments, for people.
    pub arguments: &'static str,
    /// Where it may stand.
    pub place: Place,
    /// What it does.
    pub docs: &'static str,
    parse: fn(&str) -> Result<Directive, String>,
}

impl Definition {
    /// `-- @name ARGUMENTS`.
    pub fn usage(&self) -> String {
        format!("-- @{} {}", self.name, self.arguments)
            .trim_end()
            .to_owned()
    }
}

macro_rules! directives {
    ($($name:ident),* $(,)?) => {
        /// A directive with its arguments.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Directive {
            $(#[doc = "See the type of the same name."] $name($name)),*
        }

        /// All directives, in the order in which they are explained.
        pub const DEFINITIONS: &[Definition] = &[
            $(Definition {
                name: $name::NAME,
                arguments: $name::ARGUMENTS,
                place: $name::PLACE,
                docs: $name::DOCS,
                parse: |arguments| $name::parse(arguments).map(Directive::$name),
            }),*
        ];

        impl Directive {
            /// What is known of its kind.
            pub fn place(&self) -> Place {
                match self { $(Directive::$name(_) => $name::PLACE),* }
            }

            /// Its name, without `@`.
            pub fn name(&self) -> &'static str {
                match self { $(Directive::$name(_) => $name::NAME),* }
            }
        }

        impl fmt::Display for Directive {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let arguments = match self { $(Directive::$name(directive) => directive.to_string()),* };
                write!(f, "{}", format!("-- @{} {arguments}", self.name()).trim_end())
            }
        }
    };
}

directives! {
    Requires, Profile, Covers, Truth, Database, Topic, Changefeed,
    ExpectError, Query,
    Session, Messages, FlinkTable, FlinkChangelog, Barrier, Pause, Resume, Kill, Restart, Stop, Start,
}

impl Directive {
    /// Reads a directive line, which begins with `--`, blanks and `@`.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn parse(line: &str) -> Result<Directive, (String, String)> {
        let text = line.trim_start_matches("--").trim();
        let text = text.strip_prefix('@').unwrap_or(text);
        let (name, arguments) = match text.split_once(char::is_whitespace) {
            Some((name, arguments)) => (name, arguments.trim()),
            None => (text, ""),
        };
        let Some(definition) = DEFINITIONS.iter().find(|known| known.name == name) else {
            return Err((format!("unknown directive `@{name}`"), like(name)));
        };
        if definition.arguments.is_empty() && !arguments.is_empty() {
            let what = format!("`@{name}` takes nothing, not `{arguments}`");
            return Err((what, format!("write `{}`", definition.usage())));
        }
        (definition.parse)(arguments).map_err(|what| {
            let hint = format!("write `{}`", definition.usage());
            (format!("`@{name}`: {what}"), hint)
        })
    }
}

/// The hint about a name that there is not.
fn like(name: &str) -> String {
    let names = DEFINITIONS.iter().map(|known| known.name);
    let nearest = names
        .clone()
        .map(|known| (similarity(known, name), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((ratio, known)) if ratio > 0.6 => format!("did you mean `@{known}`?"),
        _ => {
            let all: Vec<String> = names.map(|known| format!("@{known}")).collect();
            format!("there are {}", all.join(", "))
        }
    }
}

fn similarity(a: &str, b: &str) -> f32 {
    similar::TextDiff::from_chars(a, b).ratio()
}

/// The explanation of all directives, for people.
pub fn help() -> String {
    let mut text = String::new();
    for place in [Place::Head, Place::BeforeStatement, Place::Step] {
        text.push_str(&format!("Directives that stand {}:\n", place.name()));
        for known in DEFINITIONS.iter().filter(|known| known.place == place) {
            text.push_str(&format!("  {}\n", known.usage()));
            for line in known.docs.lines() {
                text.push_str(&format!("      {}\n", line.trim()));
            }
        }
        text.push('\n');
    }
    text
}

/// The only word of the arguments.
fn one_word(arguments: &str, what: &str) -> Result<String, String> {
    let mut words = arguments.split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => Err(format!("no {what}")),
        (Some(word), None) => Ok(word.to_owned()),
        (Some(_), Some(more)) => Err(format!("one {what} expected, then `{more}`")),
    }
}

/// Arguments that must not be empty.
fn some_text(arguments: &str, what: &str) -> Result<String, String> {
    match arguments {
        "" => Err(format!("no {what}")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_unique_and_explained() {
        let names: BTreeSet<&str> = DEFINITIONS.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), DEFINITIONS.len());
        for known in DEFINITIONS {
            assert!(known.docs.ends_with('.'), "{}", known.name);
            assert!(help().contains(&known.usage()));
        }
    }

    #[test]
    fn every_directive_prints_what_it_was_read_from() {
        let lines = [
            "-- @requires tidb >= 6.5",
            "-- @profile current",
            "-- @covers canal-json §5, §9",
            "-- @truth spec canal-json §9",
            "-- @truth recorded dml",
            "-- @truth written",
            "-- @database test",
            "-- @database a b",
            "-- @topic ticdc-test",
            "-- @changefeed partition-num=3 sink.dispatchers=[{matcher = ['a.*'], partition = \"ts\"}]",
            "-- @error 1062",
            "-- @query",
            "-- @session A",
            "-- @messages",
            "-- @flink-table t1",
            "-- @flink-changelog t1",
            "-- @barrier",
            "-- @pause",
            "-- @resume",
            "-- @kill pipeline",
            "-- @restart tikv",
            "-- @stop pipeline",
            "-- @start pipeline",
        ];
        let mut seen = BTreeSet::new();
        for line in lines {
            let directive = Directive::parse(line).unwrap();
            assert_eq!(directive.to_string(), line);
            seen.insert(directive.name());
        }
        assert_eq!(seen.len(), DEFINITIONS.len());
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (line, what) in [
            (
                "-- @requires tidb",
                "a component, a comparison and a version expected",
            ),
            ("-- @requires tidbx >= 6", "no component `tidbx`"),
            ("-- @requires tidb ~ 6", "no comparison `~`"),
            ("-- @requires tidb >= six", "`six` is not a version"),
            ("-- @profile next", "no profile `next`"),
            ("-- @covers", "nothing is named"),
            ("-- @truth maybe", "`maybe` is not"),
            ("-- @topic a b", "one topic expected, then `b`"),
            (
                "-- @changefeed partition-num",
                "`partition-num` is not key=value",
            ),
            ("-- @error x", "`x` is not an error code"),
            ("-- @messages now", "takes nothing, not `now`"),
            ("-- @kill kafka", "no component `kafka` to do that to"),
        ] {
            let (message, hint) = Directive::parse(line).unwrap_err();
            assert!(message.contains(what), "{line}: {message}");
            assert!(hint.starts_with("write `-- @"), "{line}: {hint}");
        }
    }

    fn any_directive() -> impl Strategy<Value = String> {
        let word = "[a-z][a-z0-9_]{0,8}";
        prop_oneof![
            word.prop_map(|w| format!("-- @flink-table {w}")),
            word.prop_map(|w| format!("-- @session {w}")),
            (1_u16..).prop_map(|code| format!("-- @error {code}")),
            proptest::collection::vec((word, "[a-z0-9.]{1,5}"), 1..4).prop_map(|pairs| {
                let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("-- @changefeed {}", pairs.join(" "))
            }),
            (
                "(tidb|tikv|pd)",
                "(>=|<|=)",
                "[0-9]{1,2}(\\.[0-9]{1,2}){0,2}"
            )
                .prop_map(|(c, o, v)| format!("-- @requires {c} {o} {v}")),
        ]
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(line in any_directive()) {
            let directive = Directive::parse(&line).unwrap();
            let again = Directive::parse(&directive.to_string()).unwrap();
            prop_assert_eq!(directive, again);
        }

        #[test]
        fn any_line_is_answered(line in "-- @.{0,40}") {
            let _ = Directive::parse(&line);
        }
    }
}
