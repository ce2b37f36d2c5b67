//! Directives that do something between statements.

use std::fmt;

use super::expect::bare;
use super::{Place, Syntax, one_word};
use crate::lab;

/// A component that a scenario may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Victim(pub lab::Kind);

impl Victim {
    /// By name: `pipeline` is the CDC server.
    const ALL: [(&'static str, lab::Kind); 4] = [
        ("pipeline", lab::Kind::Cdc),
        ("tidb", lab::Kind::Tidb),
        ("tikv", lab::Kind::Tikv),
        ("pd", lab::Kind::Pd),
    ];

    fn parse(arguments: &str) -> Result<Victim, String> {
        let name = one_word(arguments, "component")?;
        let found = Victim::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, kind)| Victim(*kind))
            .ok_or_else(|| format!("no component `{name}` to do that to"))
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Victim::ALL.iter().find(|(_, kind)| *kind == self.0);
        f.write_str(found.map_or(self.0.name(), |(name, _)| name))
    }
}

macro_rules! of_component {
    ($(#[$doc:meta] $name:ident, $text:literal, $docs:literal;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub Victim);

        impl Syntax for $name {
            const NAME: &'static str = $text;
            const ARGUMENTS: &'static str = "pipeline|tidb|tikv|pd";
            const PLACE: Place = Place::Step;
            const DOCS: &'static str = $docs;

            fn parse(arguments: &str) -> Result<$name, String> {
                Victim::parse(arguments).map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

of_component! {
    /// `@kill`: SIGKILL, and start again.
    Kill, "kill",
        "Kill the component with SIGKILL, start it again and wait until it is ready.\n\
        The scenario then has the lab to itself, and messages may be repeated.";
    /// `@restart`: SIGTERM, and start again.
    Restart, "restart",
        "End the component with SIGTERM, start it again and wait until it is ready; else as `@kill`.";
    /// `@stop`: SIGTERM.
    Stop, "stop",
        "End the component with SIGTERM; it stays down until `@start`, or the scenario's end. Else as `@kill`.";
    /// `@start`: start what was stopped.
    Start, "start",
        "Start a component that was stopped, and wait until it is ready.";
}

bare! {
    /// `@barrier`: everything so far is in Kafka.
    Barrier, "barrier", Place::Step,
        "Wait until everything so far has been acknowledged by Kafka. `@messages` and `@flink-…` do that themselves.";
    /// `@pause`: the changefeed is paused.
    Pause, "pause", Place::Step,
        "Pause the changefeed.";
    /// `@resume`: the changefeed goes on.
    Resume, "resume", Place::Step,
        "Resume the paused changefeed.";
}

/// `@session`: who runs the following statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(pub String);

impl Syntax for Session {
    const NAME: &'static str = "session";
    const ARGUMENTS: &'static str = "NAME";
    const PLACE: Place = Place::Step;
    const DOCS: &'static str = "The following statements run in the session of this name; it is opened when it is first used.\n\
        The scenario begins in the session `main`.";

    fn parse(arguments: &str) -> Result<Session, String> {
        one_word(arguments, "name").map(Session)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
