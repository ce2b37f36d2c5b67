//! Running a scenario on a lab.
//!
//! The barrier instead of sleeps: a TSO taken after the last statement is above its commit-ts; once the changefeed's
//! checkpoint has passed it, everything is in Kafka, and what lies up to the partitions' ends is all that there will be.

mod claims;
mod failure;
mod hops;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

pub use failure::{Failure, Shown, Trouble};

use super::check::{self, Evidence, Options, recorded::Recording};
use super::message::{Message, Placeholders};
use super::plan::{Action, Expect, Fault, MAIN_SESSION, Scenario, Step};
use super::record::{self, Record, one_line};
use super::snapshot::Snapshots;
use super::syntax::directive::Truth;
use super::tables::{self, Table};
use crate::lab::{Kind, Lab, LabError};
use crate::observe::flink::table::{Column, Source};
use crate::observe::flink::{Flink, FlinkError};
use crate::observe::pd;
use crate::observe::sql::{Session, SqlError};
use claims::Claims;
use stage::Stage;

/// How long the pipeline may take to bring everything to Kafka.
const BARRIER: Duration = Duration::from_secs(60);
/// The same where something is interrupted on the way.
const BARRIER_AFTER_FAULTS: Duration = Duration::from_secs(180);
/// Of a millisecond, in a TSO.
const LOGICAL_BITS: u32 = 18;

/// Runs scenarios on one lab.
pub struct Runner {
    lab: Lab,
    /// Shared: opening one is slow where Flink has no gateway.
    flink: Mutex<Option<Arc<Flink>>>,
}

/// What came of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What it recorded, as far as it came.
    pub record: Record,
    /// What is wrong; nothing if it passed.
    pub failures: Vec<Failure>,
    /// How many messages it made.
    pub messages: usize,
    /// How long it ran.
    pub took: Duration,
}

impl Outcome {
    /// 0: passed; 1: an expectation was not met; 4: the lab broke.
    pub fn exit_code(&self) -> u8 {
        match self.failures.iter().all(|failure| failure.is_verdict) {
            _ if self.failures.is_empty() => 0,
            true => 1,
            false => 4,
        }
    }

    /// All failures, for people.
    pub fn shown(&self, file: &Path) -> String {
        let failures: Vec<String> = self
            .failures
            .iter()
            .map(|failure| Shown(file, failure).to_string())
            .collect();
        failures.join("\n")
    }
}

impl Runner {
    /// On this lab.
    pub fn new(lab: Lab) -> Runner {
        Runner {
            lab,
            flink: Mutex::new(None),
        }
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Leaves nothing running.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn close(&self) -> Result<(), FlinkError> {
        match self.flink.lock().await.take().and_then(Arc::into_inner) {
            Some(flink) => flink.close().await,
            None => Ok(()),
        }
    }

    /// Runs a scenario, checks it, and compares its record with its snapshot. What it made in the lab is removed again.
    pub async fn run(&self, scenario: &Scenario, snapshots: Option<&Snapshots>) -> Outcome {
        let began = Instant::now();
        let mut outcome = Outcome::default();
        let whole = |title: &str, trouble: Trouble| told(None, title, &trouble);
        let stage = match Stage::new(scenario, &self.lab) {
            Ok(stage) => stage,
            Err(trouble) => {
                outcome.failures.push(whole("finding the lab", trouble));
                return outcome;
            }
        };
        let claims = stage.claims(scenario.breaks_the_lab());
        let claims = match Claims::take(&self.lab.paths().lab, &claims).await {
            Ok(claims) => claims,
            Err(trouble) => {
                outcome.failures.push(whole("claiming its names", trouble));
                return outcome;
            }
        };
        match stage.set_up().await {
            Ok(()) => {
                let mut run = Run::new(self, scenario, &stage);
                run.go().await;
                run.mend().await;
                outcome.messages = run.messages.len();
                outcome.failures = run.failures;
                outcome.record = run.record;
            }
            Err(trouble) => outcome.failures.push(whole("setting up", trouble)),
        }
        if let Err(trouble) = stage.take_down().await {
            outcome.failures.push(whole("cleaning up", trouble));
        }
        drop(claims);
        if outcome.failures.is_empty()
            && let Some(snapshots) = snapshots
        {
            match snapshots.compare(&scenario.name, &outcome.record) {
                Ok(differences) => {
                    outcome
                        .failures
                        .extend(differences.into_iter().map(|found| Failure {
                            line: found.line,
                            title: found.title,
                            what: found.what,
                            is_verdict: true,
                        }));
                }
                Err(error) => outcome.failures.push(whole("comparing", error.into())),
            }
        }
        outcome.took = began.elapsed();
        outcome
    }

    async fn flink(&self) -> Result<Arc<Flink>, FlinkError> {
        let mut shared = self.flink.lock().await;
        if let Some(flink) = &*shared {
            return Ok(flink.clone());
        }
        let flink = Arc::new(self.lab.flink().await?);
        *shared = Some(flink.clone());
        Ok(flink)
    }
}

/// A trouble as a failure.
fn told(line: Option<usize>, title: &str, trouble: &Trouble) -> Failure {
    let hop = trouble.hop();
    let what = match trouble {
        Trouble::Unexpected(_) => trouble.to_string(),
        _ => format!("failed at {hop}: {trouble}"),
    };
    Failure {
        line,
        title: title.to_owned(),
        what,
        is_verdict: trouble.is_verdict(),
    }
}

/// One run of one scenario.
struct Run<'a> {
    runner: &'a Runner,
    scenario: &'a Scenario,
    stage: &'a Stage,
    sessions: BTreeMap<String, Session>,
    session: String,
    stopped: BTreeSet<Kind>,
    /// All messages so far, by partition and offset.
    messages: Vec<Message>,
    /// How many messages the last `@messages` had seen of each partition.
    shown: BTreeMap<i32, usize>,
    /// The changefeed is paused.
    paused: bool,
    record: Record,
    failures: Vec<Failure>,
}

impl<'a> Run<'a> {
    fn new(runner: &'a Runner, scenario: &'a Scenario, stage: &'a Stage) -> Run<'a> {
        Run {
            runner,
            scenario,
            stage,
            sessions: BTreeMap::new(),
            session: MAIN_SESSION.to_owned(),
            stopped: BTreeSet::new(),
            messages: Vec::new(),
            shown: BTreeMap::new(),
            paused: false,
            record: Record::default(),
            failures: Vec::new(),
        }
    }

    fn lab(&self) -> &Lab {
        &self.runner.lab
    }

    /// Runs all steps, then checks; stops at the first step that cannot be done.
    async fn go(&mut self) {
        let from = match pd::tso(&self.stage.pd).await {
            Ok(from) => from >> LOGICAL_BITS,
            Err(error) => return self.fail(None, "taking the time", &error.into()),
        };
        let truth = match self.truth() {
            Ok(truth) => truth,
            Err(failure) => return self.failures.push(failure),
        };
        for step in &self.scenario.steps {
            if let Err(trouble) = self.step(step).await {
                let title = title(&step.action);
                self.fail(Some(step.line), &title, &trouble);
                break;
            }
        }
        if self.failures.is_empty()
            && let Err(trouble) = self.judge(from, truth.as_deref()).await
        {
            self.fail(None, "checking", &trouble);
        }
        for (_, session) in std::mem::take(&mut self.sessions) {
            session.close().await;
        }
    }

    fn fail(&mut self, line: Option<usize>, title: &str, trouble: &Trouble) {
        self.failures.push(told(line, title, trouble));
    }

    /// The snapshot's head, and what a real system wrote for these statements.
    fn truth(&mut self) -> Result<Option<Vec<Message>>, Failure> {
        let mut expected = None;
        let head = &self.scenario.head;
        for truth in &head.truth {
            let line = match truth {
                Truth::Written => "written by hand, before the chain had run".to_owned(),
                Truth::Spec(part) => format!("specification: {part}"),
                Truth::Recorded(name) => {
                    let dialect = self.lab().topology().compat;
                    let database = &self.stage.databases[0];
                    let recording = Recording::load(name, dialect);
                    let found = recording.and_then(|recording| {
                        let messages = recording.expected(self.scenario, database)?;
                        Ok((recording, messages))
                    });
                    let (recording, messages) = found.map_err(|error| Failure {
                        line: None,
                        title: format!("@truth recorded {name}"),
                        what: error.to_string(),
                        is_verdict: true,
                    })?;
                    expected.get_or_insert_with(Vec::new).extend(messages);
                    format!(
                        "messages recorded from {}: {}",
                        recording.writer,
                        recording.shown()
                    )
                }
            };
            self.record.truth.push(line);
        }
        if head.truth.is_empty() {
            self.record.truth.push("only ours".to_owned());
        }
        Ok(expected)
    }

    async fn step(&mut self, step: &Step) -> Result<(), Trouble> {
        match &step.action {
            Action::Statement { sql, expect } => self.statement(step.line, sql, *expect).await,
            Action::Session(name) => {
                self.session.clone_from(name);
                Ok(())
            }
            Action::Messages => {
                self.catch_up().await?;
                self.show_messages(step.line);
                Ok(())
            }
            Action::FlinkTable(table) => self.flink_table(step.line, table).await,
            Action::FlinkChangelog(table) => self.flink_changelog(step.line, table).await,
            Action::Barrier => self.barrier().await,
            Action::Pause => self.changefeed("pause", true).await,
            Action::Resume => self.changefeed("resume", false).await,
            Action::Fault(fault, component) => self.fault(*fault, *component).await,
        }
    }

    async fn changefeed(&mut self, command: &str, paused: bool) -> Result<(), Trouble> {
        let id = &self.stage.changefeed;
        self.stage
            .cdc
            .cli(&["changefeed", command, "-c", id])
            .await?;
        self.paused = paused;
        Ok(())
    }

    async fn statement(&mut self, line: usize, sql: &str, expect: Expect) -> Result<(), Trouble> {
        if !self.sessions.contains_key(&self.session) {
            let opened = self.stage.session().await?;
            self.sessions.insert(self.session.clone(), opened);
        }
        let Some(session) = self.sessions.get_mut(&self.session) else {
            return Ok(());
        };
        let text = one_line(sql);
        match (session.run(sql).await, expect) {
            (Ok(_), Expect::Success) => Ok(()),
            (Ok(rows), Expect::Rows) => {
                self.record
                    .add(line, format!("@query {text}"), record::rows(&rows));
                Ok(())
            }
            (
                Err(SqlError::Server {
                    code,
                    state,
                    message,
                }),
                Expect::Error(expected),
            ) if code == expected => {
                let body = format!("ERROR {code} ({state}): {message}\n");
                self.record.add(line, format!("@error {code} {text}"), body);
                Ok(())
            }
            (Ok(_), Expect::Error(expected)) => Err(Trouble::Unexpected(format!(
                "the statement works, and error {expected} was expected"
            ))),
            (Err(error @ SqlError::Server { .. }), Expect::Error(expected)) => Err(
                Trouble::Unexpected(format!("{error}, and error {expected} was expected")),
            ),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Waits until everything so far is in Kafka.
    async fn barrier(&self) -> Result<(), Trouble> {
        let target = pd::tso(&self.stage.pd).await?;
        let deadline = match self.scenario.may_repeat() {
            true => BARRIER_AFTER_FAULTS,
            false => BARRIER,
        };
        let (cdc, id) = (&self.stage.cdc, &self.stage.changefeed);
        match cdc.reach(id, target, deadline).await {
            Ok(()) => Ok(()),
            Err(source) => {
                let hop = hops::stalled(self.lab(), cdc, id, target).await;
                let hop = Some(hop);
                Err(Trouble::Pipeline { source, hop })
            }
        }
    }

    /// The barrier, then all messages.
    async fn catch_up(&mut self) -> Result<(), Trouble> {
        self.barrier().await?;
        let records = self.stage.kafka.read(&self.stage.topic, &[]).await?;
        let messages: Result<Vec<Message>, _> = records.iter().map(Message::read).collect();
        self.messages = messages?;
        Ok(())
    }

    fn show_messages(&mut self, line: usize) {
        let evidence = self.evidence(Vec::new(), (0, u64::MAX));
        let (once, _) = evidence.once();
        let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
        let shown = self.shown.clone();
        let new: Vec<&Message> = once
            .into_iter()
            .filter(|message| {
                let count = counts.entry(message.partition).or_default();
                *count += 1;
                *count > shown.get(&message.partition).copied().unwrap_or(0)
            })
            .collect();
        let placeholders = Placeholders::of(&evidence.messages);
        let body = record::messages(&new, &placeholders);
        self.record.add(line, "@messages", body);
        self.shown = counts;
    }

    fn evidence(&self, tables: Vec<Table>, window: (u64, u64)) -> Evidence {
        Evidence {
            dialect: self.lab().topology().compat,
            options: Options::of(&self.scenario.head.changefeed),
            databases: self.stage.databases.clone(),
            messages: self.messages.clone(),
            may_repeat: self.scenario.may_repeat(),
            window,
            tables,
        }
    }

    async fn tables(&self) -> Result<Vec<Table>, Trouble> {
        // A session of its own: the scenario's may be in the middle of a transaction.
        let mut session = self.stage.session().await?;
        let databases = &self.stage.databases;
        let tables = tables::read(&mut session, databases, self.lab().topology().compat).await;
        session.close().await;
        Ok(tables?)
    }

    async fn flink_table(&mut self, line: usize, name: &str) -> Result<(), Trouble> {
        let (table, changelog) = self.ask_flink(name).await?;
        let rows =
            check::flink::fold(&changelog, &table.primary_key()).map_err(Trouble::Unexpected)?;
        let body = record::flink_rows(&changelog.columns, &rows);
        let title = format!("@flink-table {name}");
        for what in check::flink::check(&table, &rows, self.lab().topology().compat) {
            self.failures.push(Failure {
                line: Some(line),
                title: title.clone(),
                what,
                is_verdict: true,
            });
        }
        self.record.add(line, title, body);
        Ok(())
    }

    async fn flink_changelog(&mut self, line: usize, name: &str) -> Result<(), Trouble> {
        let (_, changelog) = self.ask_flink(name).await?;
        let body = record::flink_changes(&changelog);
        self.record
            .add(line, format!("@flink-changelog {name}"), body);
        Ok(())
    }

    /// What TiDB and Flink have of a table now.
    async fn ask_flink(
        &mut self,
        name: &str,
    ) -> Result<(Table, crate::observe::flink::Changelog), Trouble> {
        self.catch_up().await?;
        let table = self
            .tables()
            .await?
            .into_iter()
            .find(|table| table.name == name);
        let table = table.ok_or_else(|| Trouble::NoTable(name.to_owned()))?;
        let source = self.source(&table);
        let flink = self.runner.flink().await?;
        let asked = flink.changelog(&source).await;
        if let Err(FlinkError::Runner { .. } | FlinkError::Late { .. }) = &asked {
            // It is of no more use.
            self.runner.flink.lock().await.take();
        }
        Ok((table, asked?))
    }

    fn source(&self, table: &Table) -> Source {
        let of_table = |message: &&Message| {
            !message.is_ddl && message.database == table.database && message.table == table.name
        };
        let changes = self
            .messages
            .iter()
            .filter(of_table)
            .map(|message| if message.kind == "UPDATE" { 2 } else { 1 })
            .sum();
        Source {
            bootstrap: self.stage.kafka.bootstrap().to_owned(),
            topic: self.stage.topic.clone(),
            database: table.database.clone(),
            table: table.name.clone(),
            columns: table.columns.iter().map(Column::clone).collect(),
            ignore_parse_errors: !self.messages.iter().all(Message::flink_reads),
            changes,
        }
    }

    async fn fault(&mut self, fault: Fault, component: Kind) -> Result<(), Trouble> {
        let lab = self.lab().clone();
        let ended = match fault {
            Fault::Kill => Some(blocking(move || lab.kill(component)).await?),
            Fault::Restart | Fault::Stop => Some(blocking(move || lab.stop(component)).await?),
            Fault::Start => None,
        };
        if ended.is_some() {
            self.stopped.insert(component);
        }
        if component != Kind::Cdc {
            // Their connections are gone, or will be.
            self.sessions.clear();
        }
        if fault != Fault::Stop {
            self.lab().start(component).await?;
            self.stopped.remove(&component);
        }
        Ok(())
    }

    /// Leaves the lab whole, whatever happened.
    async fn mend(&mut self) {
        for component in std::mem::take(&mut self.stopped) {
            if let Err(error) = self.lab().start(component).await {
                let title = format!("starting {component} again");
                self.fail(None, &title, &error.into());
            }
        }
    }

    /// What every scenario is checked for.
    async fn judge(&mut self, from: u64, recorded: Option<&[Message]>) -> Result<(), Trouble> {
        self.catch_up().await?;
        let tables = self.tables().await?;
        let to = pd::tso(&self.stage.pd).await? >> LOGICAL_BITS;
        let evidence = self.evidence(tables, (from, to));
        let mut violations = check::all(&evidence);
        if let Some(recorded) = recorded {
            let (messages, _) = evidence.once();
            let found = check::recorded::check(&messages, recorded);
            violations.extend(found.into_iter().map(|what| check::Violation {
                check: "recorded",
                what,
            }));
        }
        self.failures
            .extend(violations.into_iter().map(|violation| Failure {
                line: None,
                title: format!("check {}", violation.check),
                what: violation.what,
                is_verdict: true,
            }));
        Ok(())
    }
}

/// How a step is called in messages.
fn title(action: &Action) -> String {
    match action {
        Action::Statement { sql, .. } => one_line(sql),
        Action::Session(name) => format!("@session {name}"),
        Action::Messages => "@messages".to_owned(),
        Action::FlinkTable(table) => format!("@flink-table {table}"),
        Action::FlinkChangelog(table) => format!("@flink-changelog {table}"),
        Action::Barrier => "@barrier".to_owned(),
        Action::Pause => "@pause".to_owned(),
        Action::Resume => "@resume".to_owned(),
        Action::Fault(fault, component) => {
            let fault = match fault {
                Fault::Kill => "kill",
                Fault::Restart => "restart",
                Fault::Stop => "stop",
                Fault::Start => "start",
            };
            format!("@{fault} {component}")
        }
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<(), LabError> + Send + 'static,
) -> Result<(), LabError> {
    tokio::task::spawn_blocking(work).await?
}
