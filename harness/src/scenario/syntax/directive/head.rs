//! Directives about the scenario as a whole.

use std::fmt;

use super::super::version::{Comparison, Version};
use super::{Place, Syntax, one_word, some_text};
use crate::lab;

/// `@requires`: what the lab must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requires {
    /// The component.
    pub component: lab::Kind,
    /// The comparison.
    pub comparison: Comparison,
    /// The version.
    pub version: Version,
}

impl Syntax for Requires {
    const NAME: &'static str = "requires";
    const ARGUMENTS: &'static str = "COMPONENT >=|<|= VERSION";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str = "Run only where this component has such a version, e.g. `tidb >= 6.5`.\n\
        Elsewhere the scenario is skipped, and counted as skipped.";

    fn parse(arguments: &str) -> Result<Requires, String> {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let [component, sign, version] = words[..] else {
            return Err("a component, a comparison and a version expected".to_owned());
        };
        Ok(Requires {
            component: lab::Kind::parse(component)
                .ok_or_else(|| format!("no component `{component}`"))?,
            comparison: Comparison::ALL
                .into_iter()
                .find(|(_, known)| *known == sign)
                .map(|(comparison, _)| comparison)
                .ok_or_else(|| format!("no comparison `{sign}`"))?,
            version: Version::parse(version)
                .ok_or_else(|| format!("`{version}` is not a version"))?,
        })
    }
}

impl fmt::Display for Requires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (component, sign) = (self.component, self.comparison.sign());
        write!(f, "{component} {sign} {}", self.version)
    }
}

/// `@profile`: the profiles that the scenario is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(pub String);

impl Syntax for Profile {
    const NAME: &'static str = "profile";
    const ARGUMENTS: &'static str = "NAME";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str = "Run only with this profile; without it, with every one.";

    fn parse(arguments: &str) -> Result<Profile, String> {
        let name = one_word(arguments, "profile")?;
        let mut known = lab::Topology::profiles();
        if known.any(|profile| profile == name) {
            return Ok(Profile(name));
        }
        let known: Vec<&str> = lab::Topology::profiles().collect();
        Err(format!(
            "no profile `{name}`; there are {}",
            known.join(", ")
        ))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `@covers`: which part of a specification it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covers(pub String);

impl Syntax for Covers {
    const NAME: &'static str = "covers";
    const ARGUMENTS: &'static str = "WHAT";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str = "Which part of the specification this is about, e.g. `canal-json §9`; for readers and reports.";

    fn parse(arguments: &str) -> Result<Covers, String> {
        match arguments {
            "" => Err("nothing is named".to_owned()),
            what => Ok(Covers(what.to_owned())),
        }
    }
}

impl fmt::Display for Covers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `@truth`: how we know that the snapshot is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// The real system wrote these messages for these statements; checked at every run.
    Recorded(String),
    /// It follows from this part of the specification.
    Spec(String),
    /// Somebody wrote it down before the chain had run.
    Written,
}

impl Syntax for Truth {
    const NAME: &'static str = "truth";
    const ARGUMENTS: &'static str = "recorded RECORDING | spec PART | written";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str = "How we know that the snapshot is right; it stands at the snapshot's head.\n\
        `recorded dml`: the real TiCDC wrote these messages for these statements, in the recording `dml` of the\n\
        profile's version (fixtures/golden/ticdc); this is checked at every run.\n\
        `spec canal-json §9`: it follows from there. `written`: written by hand before the chain had run.\n\
        Without it, the snapshot is only what our chain did.";

    fn parse(arguments: &str) -> Result<Truth, String> {
        let (kind, rest) = arguments
            .split_once(char::is_whitespace)
            .unwrap_or((arguments, ""));
        match kind {
            "recorded" => one_word(rest, "recording").map(Truth::Recorded),
            "spec" => some_text(rest.trim(), "part of the specification").map(Truth::Spec),
            "written" if rest.is_empty() => Ok(Truth::Written),
            other => Err(format!("`{other}` is not `recorded`, `spec` or `written`")),
        }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Truth::Recorded(name) => write!(f, "recorded {name}"),
            Truth::Spec(part) => write!(f, "spec {part}"),
            Truth::Written => f.write_str("written"),
        }
    }
}

/// `@database`: fixed names of databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database(pub Vec<String>);

impl Syntax for Database {
    const NAME: &'static str = "database";
    const ARGUMENTS: &'static str = "NAME [NAME…]";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str = "Use these databases instead of one of the scenario's own; no other scenario has them meanwhile.\n\
        The first is made beforehand and is the sessions' default; the scenario makes the others itself.\n\
        The changefeed replicates all of them.";

    fn parse(arguments: &str) -> Result<Database, String> {
        let names: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        if names.is_empty() {
            return Err("no name".to_owned());
        }
        let plain = |name: &&String| {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !name.chars().all(good)
        };
        match names.iter().find(plain) {
            // The changefeed's filter takes such names without quotes.
            Some(name) => Err(format!(
                "`{name}` is not made of letters, digits and `_` only"
            )),
            None => Ok(Database(names)),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// `@topic`: a fixed name of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic(pub String);

impl Syntax for Topic {
    const NAME: &'static str = "topic";
    const ARGUMENTS: &'static str = "NAME";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str =
        "Use this topic instead of one of the scenario's own; no other scenario has it meanwhile.";

    fn parse(arguments: &str) -> Result<Topic, String> {
        let name = one_word(arguments, "topic")?;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.len() > 249 || !name.chars().all(good) {
            return Err(format!(
                "`{name}` is not 1 to 249 letters, digits, `.`, `_` and `-`"
            ));
        }
        Ok(Topic(name))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `@changefeed`: options of the changefeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changefeed(pub Vec<(String, String)>);

/// Keys of the changefeed file that are not in a table of it.
const FILE_KEYS: [&str; 7] = [
    "case-sensitive",
    "enable-old-value",
    "force-replicate",
    "ignore-ineligible-table",
    "check-gc-safe-point",
    "bdr-mode",
    "memory-quota",
];

impl Changefeed {
    /// The options that belong into the changefeed file.
    pub fn file(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter().filter(|(key, _)| of_file(key))
    }

    /// The options that are parameters of the sink URI.
    pub fn uri(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter().filter(|(key, _)| !of_file(key))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }
}

fn of_file(key: &str) -> bool {
    key.contains('.') || FILE_KEYS.contains(&key)
}

impl Syntax for Changefeed {
    const NAME: &'static str = "changefeed";
    const ARGUMENTS: &'static str = "KEY=VALUE…";
    const PLACE: Place = Place::Head;
    const DOCS: &'static str = "Options of the changefeed: keys of its file (`force-replicate=true`, `sink.protocol=…`, TOML values), all others\n\
        as parameters of the sink URI (`partition-num=3`, `enable-tidb-extension=true`).";

    /// A new pair begins where a word has the form `key=…`; so values may hold blanks.
    fn parse(arguments: &str) -> Result<Changefeed, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for word in arguments.split(' ').filter(|word| !word.is_empty()) {
            let key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            match (word.split_once('='), pairs.last_mut()) {
                (Some((name, value)), _) if !name.is_empty() && name.chars().all(key) => {
                    pairs.push((name.to_owned(), value.to_owned()));
                }
                (_, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(word);
                }
                (_, None) => return Err(format!("`{word}` is not key=value")),
            }
        }
        if pairs.is_empty() {
            return Err("no option".to_owned());
        }
        if pairs.iter().any(|(key, _)| key == "filter.rules") {
            return Err("`filter.rules` is made of the scenario's databases".to_owned());
        }
        Ok(Changefeed(pairs))
    }
}

impl fmt::Display for Changefeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        f.write_str(&pairs.join(" "))
    }
}
