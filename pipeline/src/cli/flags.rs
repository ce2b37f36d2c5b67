//! Flags as Go's pflag reads them, in its words.

use std::collections::BTreeMap;

use crate::config::golang;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// Nothing, or `=true` and the like.
    Bool,
    /// A number that is not negative.
    Uint,
    /// A length of time.
    Duration,
    /// `key=value`, again and again.
    Pairs,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Bool => "",
            Kind::Uint => "uint",
            Kind::Duration => "duration",
            Kind::Pairs => "key=value",
        }
    }
}

/// A flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
    pub(super) usage: &'static str,
    pub(super) required: bool,
    pub(super) hidden: bool,
    /// Taken by all commands below `cdc cli`.
    pub(super) global: bool,
}

impl Flag {
    pub(super) const fn new(name: &'static str, kind: Kind, usage: &'static str) -> Self {
        Self {
            name,
            short: None,
            kind,
            default: "",
            usage,
            required: false,
            hidden: false,
            global: false,
        }
    }

    pub(super) const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(super) const fn global(mut self) -> Self {
        self.global = true;
        self
    }

    /// As errors name it.
    fn shown(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }

    fn check(&self, value: &str) -> Result<(), String> {
        let wrong = match self.kind {
            Kind::Text => None,
            Kind::Bool => golang::parse_bool(value).err(),
            Kind::Uint => golang::parse_uint(value).err(),
            Kind::Duration => golang::parse_duration(value).err(),
            Kind::Pairs => {
                (!value.contains('=')).then(|| format!("{value} must be formatted as key=value"))
            }
        };
        match wrong {
            None => Ok(()),
            Some(reason) => Err(format!(
                "invalid argument {} for \"{}\" flag: {reason}",
                golang::quote(value),
                self.shown()
            )),
        }
    }

    /// A line of the usage, without its margin: the flag and what it takes, and what it is for.
    fn usage_line(&self) -> (String, String) {
        let mut left = match self.short {
            Some(short) => format!("  -{short}, --{}", self.name),
            None => format!("      --{}", self.name),
        };
        if !self.kind.name().is_empty() {
            left.push(' ');
            left.push_str(self.kind.name());
        }
        let mut right = self.usage.to_owned();
        match (self.kind, self.default) {
            (_, "" | "0" | "false") => {}
            (Kind::Text, default) => {
                right.push_str(&format!(" (default {})", golang::quote(default)))
            }
            (_, default) => right.push_str(&format!(" (default {default})")),
        }
        (left, right)
    }
}

/// The flags of a command line.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    given: BTreeMap<&'static str, Vec<String>>,
    defaults: BTreeMap<&'static str, &'static str>,
    /// `--help` was given.
    pub(super) help: bool,
}

impl Values {
    /// Reads a command's arguments; those that are no flags are passed over, as the original does.
    pub(super) fn parse(flags: &[Flag], args: &[String]) -> Result<Self, String> {
        let mut values = Self {
            defaults: flags.iter().map(|flag| (flag.name, flag.default)).collect(),
            ..Self::default()
        };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            if arg == "--" {
                break;
            }
            if let Some(long) = arg.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                if name == "help" {
                    values.help = true;
                    continue;
                }
                let flag = flags
                    .iter()
                    .find(|flag| flag.name == name)
                    .ok_or_else(|| format!("unknown flag: --{name}"))?;
                let value = match (value, flag.kind) {
                    (Some(value), _) => value,
                    (None, Kind::Bool) => "true",
                    (None, _) => args
                        .next()
                        .ok_or_else(|| format!("flag needs an argument: --{name}"))?,
                };
                values.set(flag, value)?;
            } else if let Some(shorts) = arg.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                values.parse_shorts(flags, shorts, &mut args)?;
            }
        }
        Ok(values)
    }

    fn parse_shorts<'a>(
        &mut self,
        flags: &[Flag],
        shorts: &'a str,
        args: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let mut rest = shorts;
        while let Some(short) = rest.chars().next() {
            rest = &rest[short.len_utf8()..];
            if short == 'h' && !flags.iter().any(|flag| flag.short == Some('h')) {
                self.help = true;
                continue;
            }
            let flag = flags
                .iter()
                .find(|flag| flag.short == Some(short))
                .ok_or_else(|| format!("unknown shorthand flag: '{short}' in -{shorts}"))?;
            if flag.kind == Kind::Bool && !rest.starts_with('=') {
                self.set(flag, "true")?;
                continue;
            }
            let value = match rest.strip_prefix('=').unwrap_or(rest) {
                "" => args
                    .next()
                    .ok_or_else(|| format!("flag needs an argument: '{short}' in -{shorts}"))?,
                value => value,
            };
            return self.set(flag, value);
        }
        Ok(())
    }

    fn set(&mut self, flag: &Flag, value: &str) -> Result<(), String> {
        flag.check(value)?;
        let list = self.given.entry(flag.name).or_default();
        if flag.kind != Kind::Pairs {
            list.clear();
        }
        list.push(value.to_owned());
        Ok(())
    }

    /// Required flags that were not given, as the original lists them.
    pub(super) fn missing(&self, flags: &[Flag]) -> Option<String> {
        let missing: Vec<_> = flags
            .iter()
            .filter(|flag| flag.required && !self.has(flag.name))
            .map(|flag| format!("\"{}\"", flag.name))
            .collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }

    /// Whether a flag was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The flag's value or its default.
    pub(super) fn text(&self, name: &str) -> &str {
        let given = self.given.get(name).and_then(|list| list.last());
        given.map_or_else(
            || self.defaults.get(name).copied().unwrap_or_default(),
            String::as_str,
        )
    }

    /// Whether a switch is on.
    pub(super) fn on(&self, name: &str) -> bool {
        golang::parse_bool(self.text(name)).unwrap_or_default()
    }

    /// A number; 0 if it was not given.
    pub(super) fn uint(&self, name: &str) -> u64 {
        golang::parse_uint(self.text(name)).unwrap_or_default()
    }

    /// A length of time in nanoseconds.
    pub(super) fn nanos(&self, name: &str) -> i64 {
        golang::parse_duration(self.text(name)).unwrap_or_default()
    }

    /// Pairs of a flag that is given again and again.
    pub(super) fn pairs(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.given
            .get(name)
            .into_iter()
            .flatten()
            .filter_map(|pair| pair.split_once('='))
    }
}

/// The usage of flags, one a line.
pub(super) fn usages(flags: &[&Flag]) -> String {
    let lines: Vec<_> = flags.iter().map(|flag| flag.usage_line()).collect();
    let width = lines.iter().map(|(left, _)| left.len()).max().unwrap_or(0) + 3;
    lines
        .iter()
        .map(|(left, right)| format!("{left:width$}{right}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [Flag; 5] = [
        Flag::new(
            "changefeed-id",
            Kind::Text,
            "Replication task (changefeed) ID",
        )
        .short('c')
        .required(),
        Flag::new("start-ts", Kind::Uint, "Start ts of changefeed"),
        Flag::new("no-confirm", Kind::Bool, "Don't ask user"),
        Flag::new("opts", Kind::Pairs, "Extra options"),
        Flag::new("sync-interval", Kind::Duration, "Interval").default("10m0s"),
    ];

    fn parse(args: &[&str]) -> Result<Values, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Values::parse(&FLAGS, &args)
    }

    #[test]
    fn all_ways_to_write_them() {
        let values = parse(&[
            "-c",
            "x",
            "--start-ts=5",
            "--no-confirm",
            "--opts",
            "a=b",
            "--opts=c=d",
        ])
        .unwrap();
        assert_eq!(values.text("changefeed-id"), "x");
        assert_eq!(values.uint("start-ts"), 5);
        assert!(values.on("no-confirm"));
        assert_eq!(
            values.pairs("opts").collect::<Vec<_>>(),
            [("a", "b"), ("c", "d")]
        );
        assert_eq!(values.nanos("sync-interval"), 600_000_000_000);
        assert_eq!(values.missing(&FLAGS), None);
        assert_eq!(parse(&["-cx"]).unwrap().text("changefeed-id"), "x");
        assert_eq!(parse(&["-c=x"]).unwrap().text("changefeed-id"), "x");
        assert!(parse(&["-h"]).unwrap().help);
    }

    #[test]
    fn errors_are_those_of_pflag() {
        for (args, error) in [
            (&["--nope"][..], "unknown flag: --nope"),
            (&["-z"], "unknown shorthand flag: 'z' in -z"),
            (&["--start-ts"], "flag needs an argument: --start-ts"),
            (&["-c"], "flag needs an argument: 'c' in -c"),
            (
                &["--start-ts=abc"],
                "invalid argument \"abc\" for \"--start-ts\" flag: strconv.ParseUint: parsing \"abc\": invalid syntax",
            ),
            (
                &["--no-confirm=maybe"],
                "invalid argument \"maybe\" for \"--no-confirm\" flag: strconv.ParseBool: parsing \"maybe\": invalid \
                 syntax",
            ),
        ] {
            assert_eq!(parse(args).unwrap_err(), error);
        }
        assert_eq!(
            parse(&[]).unwrap().missing(&FLAGS).as_deref(),
            Some("\"changefeed-id\"")
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(args in proptest::collection::vec(".{0,12}", 0..6)) {
            let _ = Values::parse(&FLAGS, &args);
        }
    }
}
