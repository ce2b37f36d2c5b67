//! What a scenario's pieces mean together: its head, and its steps in order.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::syntax::directive::{Changefeed, Directive, Place, Requires, Truth};
use super::syntax::{Kind, SyntaxError, Version, parse};
use crate::lab;

/// The session in which a scenario begins.
pub const MAIN_SESSION: &str = "main";

/// A scenario that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its file, for messages.
    pub file: PathBuf,
    /// Its name: the path below `scenarios/`, without `.sql`.
    pub name: String,
    /// What it is about as a whole.
    pub head: Head,
    /// What it does.
    pub steps: Vec<Step>,
}

/// What stands before the first statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What the lab must have.
    pub requires: Vec<Requires>,
    /// The profiles that it is for; all if empty.
    pub profiles: BTreeSet<String>,
    /// What it is about.
    pub covers: Vec<String>,
    /// How we know that the snapshot is right.
    pub truth: Vec<Truth>,
    /// Fixed names of databases; empty: one of its own.
    pub databases: Vec<String>,
    /// A fixed name of the topic.
    pub topic: Option<String>,
    /// Options of the changefeed.
    pub changefeed: Changefeed,
}

/// A step, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line, from 1.
    pub line: usize,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run a statement.
    Statement {
        /// Its text.
        sql: String,
        /// What is expected of it.
        expect: Expect,
    },
    /// Go on in this session.
    Session(String),
    /// Record the messages since the last time.
    Messages,
    /// Record a table's rows in Flink.
    FlinkTable(String),
    /// Record a table's changes in Flink.
    FlinkChangelog(String),
    /// Wait until everything is in Kafka.
    Barrier,
    /// Pause the changefeed.
    Pause,
    /// Resume the changefeed.
    Resume,
    /// Break or mend a component.
    Fault(Fault, lab::Kind),
}

/// What is expected of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// That it works.
    Success,
    /// Rows.
    Rows,
    /// An error with this code.
    Error(u16),
}

/// What is done to a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, and start again.
    Kill,
    /// SIGTERM, and start again.
    Restart,
    /// SIGTERM.
    Stop,
    /// Start.
    Start,
}

/// A scenario that cannot be run.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// Its file cannot be read.
    #[error("read scenario {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its text is wrong.
    #[error("understand scenario {}:{}", file.display(), Listed(file, errors))]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong, by line.
        errors: Vec<SyntaxError>,
    },
}

struct Listed<'a>(&'a Path, &'a [SyntaxError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.1 {
            write!(f, "\n  {}:{}: {error}", self.0.display(), error.line)?;
        }
        Ok(())
    }
}

impl Scenario {
    /// Reads a scenario's file.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn load(file: &Path, name: &str) -> Result<Scenario, ScenarioError> {
        let text = std::fs::read_to_string(file).map_err(|source| ScenarioError::File {
            file: file.to_owned(),
            source,
        })?;
        Scenario::parse(file, name, &text)
    }

    /// From a file's text.
    ///
    /// # Errors
    /// [`ScenarioError::Syntax`] with everything that is wrong.
    pub fn parse(file: &Path, name: &str, text: &str) -> Result<Scenario, ScenarioError> {
        let parsed = parse(text);
        let mut planner = Planner {
            errors: parsed.errors,
            ..Planner::default()
        };
        for element in parsed.tree.elements {
            match element.kind {
                Kind::Directive(Some(directive)) => planner.directive(element.line, directive),
                Kind::Statement(sql) => planner.statement(element.line, sql),
                Kind::Directive(None) | Kind::Comment | Kind::Space => {}
            }
        }
        planner.finish(text);
        if planner.errors.is_empty() {
            return Ok(Scenario {
                file: file.to_owned(),
                name: name.to_owned(),
                head: planner.head,
                steps: planner.steps,
            });
        }
        planner.errors.sort_by_key(|error| error.line);
        Err(ScenarioError::Syntax {
            file: file.to_owned(),
            errors: planner.errors,
        })
    }

    /// Why it does not run with this topology; `None` if it does.
    pub fn unfit(&self, topology: &lab::Topology) -> Option<String> {
        let profiles = &self.head.profiles;
        if !profiles.is_empty() && !profiles.contains(&topology.profile) {
            let names: Vec<&str> = profiles.iter().map(String::as_str).collect();
            return Some(format!("it is for profile {}", names.join(", ")));
        }
        self.head.requires.iter().find_map(|requires| {
            let found = topology.component(requires.component).ok();
            let found = found.map(|component| component.version.as_str());
            let version = found.and_then(Version::parse);
            let holds = |version: &Version| requires.comparison.holds(version, &requires.version);
            if version.as_ref().is_some_and(holds) {
                return None;
            }
            let found = found.unwrap_or("no version");
            Some(format!("it requires {requires}, and there is {found}"))
        })
    }

    /// Whether it breaks the lab, and so has to have it to itself.
    pub fn breaks_the_lab(&self) -> bool {
        let fault = |step: &Step| matches!(step.action, Action::Fault(..));
        self.steps.iter().any(fault)
    }

    /// Whether messages may come twice: the pipeline is interrupted.
    pub fn may_repeat(&self) -> bool {
        let interrupts = |step: &Step| {
            matches!(
                step.action,
                Action::Fault(..) | Action::Pause | Action::Resume
            )
        };
        self.steps.iter().any(interrupts)
    }
}

impl Default for Head {
    fn default() -> Head {
        Head {
            requires: Vec::new(),
            profiles: BTreeSet::new(),
            covers: Vec::new(),
            truth: Vec::new(),
            databases: Vec::new(),
            topic: None,
            changefeed: Changefeed(Vec::new()),
        }
    }
}

#[derive(Default)]
struct Planner {
    head: Head,
    steps: Vec<Step>,
    /// A directive that waits for its statement.
    pending: Option<(usize, Expect)>,
    stopped: BTreeSet<lab::Kind>,
    paused: bool,
    errors: Vec<SyntaxError>,
}

impl Planner {
    fn wrong(&mut self, line: usize, what: impl Into<String>, hint: &str) {
        self.errors.push(SyntaxError {
            line,
            what: what.into(),
            hint: hint.to_owned(),
        });
    }

    fn statement(&mut self, line: usize, sql: String) {
        let expect = match self.pending.take() {
            Some((_, expect)) => expect,
            None => Expect::Success,
        };
        let action = Action::Statement { sql, expect };
        self.steps.push(Step { line, action });
    }

    fn directive(&mut self, line: usize, directive: Directive) {
        if let Some((at, _)) = self.pending
            && directive.place() != Place::BeforeStatement
        {
            self.pending = None;
            self.no_statement(at);
        }
        if directive.place() == Place::Head && !self.steps.is_empty() {
            let what = format!("`@{}` after the first statement", directive.name());
            return self.wrong(line, what, "it belongs at the head of the file");
        }
        let fault = match &directive {
            Directive::Kill(kill) => Some((Fault::Kill, kill.0.0)),
            Directive::Restart(restart) => Some((Fault::Restart, restart.0.0)),
            Directive::Stop(stop) => Some((Fault::Stop, stop.0.0)),
            Directive::Start(start) => Some((Fault::Start, start.0.0)),
            _ => None,
        };
        if let Some((fault, component)) = fault {
            return self.fault(line, fault, component);
        }
        let action = match directive {
            Directive::Requires(requires) => return self.head.requires.push(requires),
            Directive::Profile(profile) => {
                self.head.profiles.insert(profile.0);
                return;
            }
            Directive::Covers(covers) => return self.head.covers.push(covers.0),
            Directive::Truth(truth) => return self.head.truth.push(truth),
            Directive::Database(database) => {
                if !self.head.databases.is_empty() {
                    return self.wrong(line, "`@database` twice", "name all in one line");
                }
                self.head.databases = database.0;
                return;
            }
            Directive::Topic(topic) => {
                if self.head.topic.replace(topic.0).is_some() {
                    self.wrong(line, "`@topic` twice", "a scenario has one topic");
                }
                return;
            }
            Directive::Changefeed(options) => return self.head.changefeed.0.extend(options.0),
            Directive::ExpectError(error) => return self.expect(line, Expect::Error(error.0)),
            Directive::Query(_) => return self.expect(line, Expect::Rows),
            Directive::Session(session) => Action::Session(session.0),
            Directive::Messages(_) => Action::Messages,
            Directive::FlinkTable(table) => Action::FlinkTable(table.0),
            Directive::FlinkChangelog(table) => Action::FlinkChangelog(table.0),
            Directive::Barrier(_) => Action::Barrier,
            Directive::Pause(_) => {
                if self.paused {
                    return self.wrong(line, "`@pause` of a paused changefeed", "");
                }
                self.paused = true;
                Action::Pause
            }
            Directive::Resume(_) => {
                if !self.paused {
                    return self.wrong(line, "`@resume` of a changefeed that is not paused", "");
                }
                self.paused = false;
                Action::Resume
            }
            Directive::Kill(_)
            | Directive::Restart(_)
            | Directive::Stop(_)
            | Directive::Start(_) => {
                return;
            }
        };
        let waits = matches!(
            action,
            Action::Messages | Action::FlinkTable(_) | Action::FlinkChangelog(_) | Action::Barrier
        );
        if waits && (self.paused || !self.stopped.is_empty()) {
            let what = "nothing arrives while the pipeline is interrupted";
            return self.wrong(line, what, "`@resume` or `@start` before it");
        }
        self.steps.push(Step { line, action });
    }

    fn fault(&mut self, line: usize, fault: Fault, component: lab::Kind) {
        let stopped = self.stopped.contains(&component);
        match (fault, stopped) {
            (Fault::Start, false) => {
                return self.wrong(
                    line,
                    format!("`@start` of {component}, which runs"),
                    "`@stop` it first",
                );
            }
            (Fault::Start, true) => drop(self.stopped.remove(&component)),
            (_, true) => {
                return self.wrong(
                    line,
                    format!("{component} does not run here"),
                    "`@start` it first",
                );
            }
            (Fault::Stop, false) => drop(self.stopped.insert(component)),
            (Fault::Kill | Fault::Restart, false) => {}
        }
        let action = Action::Fault(fault, component);
        self.steps.push(Step { line, action });
    }

    fn expect(&mut self, line: usize, expect: Expect) {
        if self.pending.is_some() {
            return self.wrong(line, "two expectations of one statement", "keep one");
        }
        self.pending = Some((line, expect));
    }

    fn no_statement(&mut self, line: usize) {
        self.wrong(
            line,
            "no statement follows",
            "this directive is about the statement right after it",
        );
    }

    fn finish(&mut self, text: &str) {
        if let Some((line, _)) = self.pending.take() {
            self.no_statement(line);
        }
        if self.errors.is_empty() && self.paused {
            self.wrong(
                last_line(text),
                "the changefeed is still paused at the end",
                "`@resume` it",
            );
        }
        if let Some(component) = self.stopped.first()
            && self.errors.is_empty()
        {
            let what = format!("{component} is still stopped at the end");
            self.wrong(last_line(text), what, "`@start` it");
        }
        let statement = |step: &Step| matches!(step.action, Action::Statement { .. });
        if self.errors.is_empty() && !self.steps.iter().any(statement) {
            self.wrong(
                last_line(text),
                "no statement in the whole file",
                "write some SQL",
            );
        }
    }
}

fn last_line(text: &str) -> usize {
    text.trim_end().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(text: &str) -> Result<Scenario, ScenarioError> {
        Scenario::parse(Path::new("scenarios/x.sql"), "x", text)
    }

    #[test]
    fn a_scenario_is_its_head_and_its_steps() {
        let text = "-- Title.\n-- @covers canal-json §4\n-- @changefeed partition-num=3 force-replicate=true\n\n\
            CREATE TABLE t (id INT);\n-- @error 1146\nINSERT INTO u VALUES (1);\n\n-- @kill pipeline\n-- @messages\n";
        let scenario = scenario(text).unwrap();
        assert_eq!(scenario.head.covers, ["canal-json §4"]);
        let file: Vec<_> = scenario.head.changefeed.file().collect();
        assert_eq!(file, [&("force-replicate".to_owned(), "true".to_owned())]);
        assert_eq!(
            scenario
                .steps
                .iter()
                .map(|step| step.line)
                .collect::<Vec<_>>(),
            [5, 7, 9, 10]
        );
        let sql = "INSERT INTO u VALUES (1)".to_owned();
        let expect = Expect::Error(1146);
        assert_eq!(scenario.steps[1].action, Action::Statement { sql, expect });
        assert!(scenario.breaks_the_lab() && scenario.may_repeat());
    }

    #[test]
    fn what_makes_no_sense_is_named_with_file_and_line() {
        for (text, at, what) in [
            (
                "SELECT 1;\n-- @topic t\n",
                2,
                "`@topic` after the first statement",
            ),
            (
                "-- @query\n-- @messages\nSELECT 1;\n",
                1,
                "no statement follows",
            ),
            ("SELECT 1;\n-- @error 5\n", 2, "no statement follows"),
            (
                "-- @query\n-- @error 1\nSELECT 1;\n",
                2,
                "two expectations of one statement",
            ),
            (
                "-- @database a\n-- @database b\nSELECT 1;\n",
                2,
                "`@database` twice",
            ),
            (
                "SELECT 1;\n-- @start pipeline\n",
                2,
                "`@start` of cdc, which runs",
            ),
            (
                "SELECT 1;\n-- @stop pipeline\n-- @messages\n-- @start pipeline\n",
                3,
                "nothing arrives",
            ),
            (
                "SELECT 1;\n-- @stop pipeline\n",
                2,
                "still stopped at the end",
            ),
            ("SELECT 1;\n-- @pause\n", 2, "still paused"),
            ("SELECT 1;\n-- @resume\n", 2, "not paused"),
            ("-- nothing\n\n", 1, "no statement in the whole file"),
            ("-- @qery\nSELECT 1;\n", 1, "unknown directive `@qery`"),
        ] {
            let error = scenario(text).unwrap_err().to_string();
            assert_eq!(error.lines().count(), 2, "{error}");
            let place = format!("scenarios/x.sql:{at}: ");
            assert!(
                error.contains(&place) && error.contains(what),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn it_knows_where_it_fits() {
        let current = lab::Topology::profile("current").unwrap();
        let seed = lab::Topology::profile("seed").unwrap();
        let only = scenario("-- @profile seed\nSELECT 1;").unwrap();
        assert!(only.unfit(&current).unwrap().contains("profile seed"));
        assert_eq!(only.unfit(&seed), None);
        let new = scenario("-- @requires tidb >= 6.5\nSELECT 1;").unwrap();
        assert_eq!(new.unfit(&current), None);
        assert_eq!(
            new.unfit(&seed).unwrap(),
            "it requires tidb >= 6.5, and there is 4.0.9"
        );
    }
}
