//! The tree of commands, with their flags and help.

mod options;

use self::options::{COMPAT, globals};
use super::flags::{Flag, Kind, usages};
use crate::compat::Compat;

/// Which command line: that of v4.0.9, or that of releases since v5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// v4.0.9: reads and writes etcd itself.
    Legacy,
    /// Since v5: asks a server.
    Modern,
}

impl Generation {
    pub(super) fn of(compat: Compat) -> Self {
        match compat {
            Compat::V4_0_9 => Generation::Legacy,
            Compat::V6_5 | Compat::V8_5 => Generation::Modern,
        }
    }
}

/// A command, or a group of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Root,
    Server,
    Version,
    Cli,
    Changefeed,
    Create,
    List,
    Query,
    Pause,
    Resume,
    Remove,
    Update,
    Statistics,
    Capture,
    CaptureList,
    Processor,
    ProcessorList,
    ProcessorQuery,
    Tso,
    TsoQuery,
    Unsafe,
    UnsafeReset,
    UnsafeShowMetadata,
    UnsafeDeleteSafepoint,
    UnsafeResolveLock,
}

use Command::*;

/// Name, parent, what it is for.
const TREE: [(Command, &str, Command, &str); 24] = [
    (Server, "server", Root, "Start a TiCDC capture server"),
    (Version, "version", Root, "Output version information"),
    (
        Cli,
        "cli",
        Root,
        "Manage replication task and TiCDC cluster",
    ),
    (
        Changefeed,
        "changefeed",
        Cli,
        "Manage changefeed (changefeed is a replication task)",
    ),
    (
        Create,
        "create",
        Changefeed,
        "Create a new replication task (changefeed)",
    ),
    (
        List,
        "list",
        Changefeed,
        "List all replication tasks (changefeeds) in TiCDC cluster",
    ),
    (
        Query,
        "query",
        Changefeed,
        "Query information and status of a replication task (changefeed)",
    ),
    (
        Pause,
        "pause",
        Changefeed,
        "Pause a replication task (changefeed)",
    ),
    (
        Resume,
        "resume",
        Changefeed,
        "Resume a paused replication task (changefeed)",
    ),
    (
        Remove,
        "remove",
        Changefeed,
        "Remove a replication task (changefeed)",
    ),
    (
        Update,
        "update",
        Changefeed,
        "Update config of an existing replication task (changefeed)",
    ),
    (
        Statistics,
        "statistics",
        Changefeed,
        "Periodically check and output the status of a replication task (changefeed)",
    ),
    (
        Capture,
        "capture",
        Cli,
        "Manage capture (capture is a CDC server instance)",
    ),
    (
        CaptureList,
        "list",
        Capture,
        "List all captures in TiCDC cluster",
    ),
    (
        Processor,
        "processor",
        Cli,
        "Manage processor (processor is a sub replication task running on a specified capture)",
    ),
    (
        ProcessorList,
        "list",
        Processor,
        "List all processors in TiCDC cluster",
    ),
    (
        ProcessorQuery,
        "query",
        Processor,
        "Query information and status of a sub replication task (processor)",
    ),
    (Tso, "tso", Cli, "Manage tso"),
    (TsoQuery, "query", Tso, "Get tso from PD"),
    (Unsafe, "unsafe", Cli, ""),
    (
        UnsafeReset,
        "reset",
        Unsafe,
        "Reset the status of the TiCDC cluster, delete all meta data in etcd, confirm that you know what this command will do and use it at your own risk",
    ),
    (
        UnsafeShowMetadata,
        "show-metadata",
        Unsafe,
        "Show metadata stored in PD",
    ),
    (
        UnsafeDeleteSafepoint,
        "delete-service-gc-safepoint",
        Unsafe,
        "Delete CDC service GC safepoint in PD, confirm that you know what this command will do and use it at your own risk",
    ),
    (
        UnsafeResolveLock,
        "resolve-lock",
        Unsafe,
        "resolve locks in regions",
    ),
];

/// What a command line names.
#[derive(Debug)]
pub(super) enum Found {
    /// A command and its arguments.
    Command(Command, Vec<String>),
    /// Nothing that `cdc` knows.
    Unknown(String),
}

/// Finds the command that arguments name. Flags may stand before the names, as the original allows.
pub(super) fn find(args: &[String], generation: Generation) -> Found {
    let mut command = Root;
    let mut rest = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg.starts_with('-') {
            rest.push(arg.clone());
            let takes_value = !arg.contains('=')
                && command
                    .all_flags(generation)
                    .iter()
                    .any(|flag| flag.kind != Kind::Bool && named(flag, arg));
            if takes_value && let Some(value) = args.next() {
                rest.push(value.clone());
            }
            continue;
        }
        let child = TREE
            .iter()
            .find(|(child, name, parent, _)| {
                name == arg && *parent == command && child.exists(generation)
            })
            .map(|(child, ..)| *child);
        match child {
            Some(child) => command = child,
            None if command == Root => return Found::Unknown(arg.clone()),
            None => rest.push(arg.clone()),
        }
    }
    Found::Command(command, rest)
}

fn named(flag: &Flag, arg: &str) -> bool {
    arg.strip_prefix("--") == Some(flag.name)
        || flag
            .short
            .is_some_and(|short| arg.strip_prefix('-') == Some(short.to_string().as_str()))
}

impl Command {
    fn entry(self) -> Option<&'static (Command, &'static str, Command, &'static str)> {
        TREE.iter().find(|(command, ..)| *command == self)
    }

    /// Whether the release has it.
    fn exists(self, generation: Generation) -> bool {
        self != UnsafeResolveLock || generation == Generation::Modern
    }

    /// Whether it only holds other commands.
    pub(super) fn is_group(self) -> bool {
        TREE.iter().any(|(_, _, parent, _)| *parent == self) || self == Root
    }

    fn below_cli(self) -> bool {
        self == Cli
            || self
                .entry()
                .is_some_and(|(_, _, parent, _)| parent.below_cli())
    }

    /// All flags that it takes.
    pub(super) fn flags(self, generation: Generation) -> Vec<Flag> {
        self.all_flags(generation)
    }

    fn all_flags(self, generation: Generation) -> Vec<Flag> {
        let mut flags = self.own_flags(generation);
        flags.sort_by_key(|flag| flag.name);
        if self.below_cli() {
            flags.extend(globals(generation));
        } else if !flags.iter().any(|flag| flag.name == COMPAT.name) {
            flags.push(COMPAT.global());
        }
        flags
    }

    /// `cdc cli changefeed`.
    fn path(self) -> String {
        match self.entry() {
            Some((_, name, parent, _)) => format!("{} {name}", parent.path()),
            None => "cdc".to_owned(),
        }
    }

    /// How to use it, as the original lays it out.
    pub(super) fn usage(self, generation: Generation) -> String {
        let mut text = String::from("Usage:\n");
        let children: Vec<_> = TREE
            .iter()
            .filter(|(child, _, parent, about)| {
                *parent == self && child.exists(generation) && !about.is_empty()
            })
            .collect();
        if self.is_group() {
            text.push_str(&format!(
                "  {} [command]\n\nAvailable Commands:\n",
                self.path()
            ));
            let width = children
                .iter()
                .map(|(_, name, ..)| name.len())
                .max()
                .unwrap_or(0);
            for (_, name, _, about) in &children {
                text.push_str(&format!("  {name:width$} {about}\n"));
            }
        } else {
            text.push_str(&format!("  {} [flags]\n", self.path()));
        }
        let mut flags = self.all_flags(generation);
        let help = Flag::new("help", Kind::Bool, "help for this command").short('h');
        let at = flags
            .iter()
            .position(|flag| flag.global || flag.name > help.name)
            .unwrap_or(flags.len());
        flags.insert(at, help);
        let shown = |global: bool| -> Vec<&Flag> {
            flags
                .iter()
                .filter(|flag| flag.global == global && !flag.hidden)
                .collect()
        };
        text.push_str(&format!("\nFlags:\n{}", usages(&shown(false))));
        let global = shown(true);
        if !global.is_empty() {
            text.push_str(&format!("\nGlobal Flags:\n{}", usages(&global)));
        }
        text
    }

    /// What it is for and how to use it.
    pub(super) fn help(self, generation: Generation) -> String {
        let about = self.entry().map_or("CDC", |(_, _, _, about)| about);
        format!("{about}\n\n{}", self.usage(generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, generation: Generation) -> (Command, Vec<String>) {
        let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
        match find(&args, generation) {
            Found::Command(command, rest) => (command, rest),
            Found::Unknown(name) => panic!("{name} is unknown"),
        }
    }

    #[test]
    fn commands_are_found() {
        let (command, rest) = found("cli changefeed create --pd=x -c y", Generation::Modern);
        assert_eq!((command, rest.len()), (Create, 3));
        let (command, rest) = found("cli --pd http://h:1 changefeed list", Generation::Legacy);
        assert_eq!((command, rest.len()), (List, 2));
        assert_eq!(
            found("cli changefeed nope", Generation::Modern).0,
            Changefeed
        );
        assert_eq!(
            found("cli unsafe resolve-lock", Generation::Legacy).0,
            Unsafe
        );
        let args = ["nope".to_owned()];
        assert!(matches!(find(&args, Generation::Modern), Found::Unknown(name) if name == "nope"));
    }

    #[test]
    fn every_command_has_a_usage() {
        for (command, name, ..) in TREE {
            for generation in [Generation::Legacy, Generation::Modern] {
                let help = command.help(generation);
                assert!(
                    help.contains("Usage:\n  cdc ") && help.contains(name),
                    "{help}"
                );
                assert!(help.contains("-h, --help"), "{help}");
            }
        }
    }
}
