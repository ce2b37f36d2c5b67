//! A topology becomes a running lab: the graph of dependencies is started as wide as it allows.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::process::Child;
use tokio::sync::watch;

use super::components::{Context, Plan, Probe};
use super::error::LabError;
use super::fetch::build::Builder;
use super::fetch::{Fetcher, Progress};
use super::logs;
use super::paths::Paths;
use super::process::{self, Found, Id};
use super::smoke::smoke;
use super::state::{Lock, Record, State};
use super::status::{Status, status};
use super::topology::{Kind, Topology};
use super::{Lab, ports};
use crate::observe::poll;

/// How long a component may take to become ready: the first start of MariaDB on a busy machine is the longest. The time in which
/// our programs are built, which takes all of a small machine, does not count.
const READY: Duration = Duration::from_secs(120);
/// How long one answer to a probe may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long what was left of an earlier run, or of a failed one, may take to end.
const LEFTOVERS: Duration = Duration::from_secs(10);
/// The lab with the well-known ports.
pub const DEFAULT_NAME: &str = "default";

/// What is asked of [`up`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The lab's name.
    pub name: String,
    /// What it shall consist of.
    pub topology: Topology,
    /// Only these components and what they need; all if empty.
    pub only: Vec<Kind>,
    /// Send a row through the chain at the end, if all of the chain is there.
    pub smoke: bool,
    /// Show nothing but errors.
    pub quiet: bool,
}

impl Options {
    /// The lab of this name with a whole profile, smoke probe included.
    ///
    /// # Errors
    /// [`LabError::UnknownProfile`].
    pub fn profile(name: &str, profile: &str) -> Result<Options, LabError> {
        Ok(Options {
            name: name.to_owned(),
            topology: Topology::profile(profile)?,
            only: Vec::new(),
            smoke: true,
            quiet: false,
        })
    }
}

/// What [`up`] did.
#[derive(Debug, Clone)]
pub struct Started {
    /// The lab as it is now.
    pub status: Status,
    /// Everything ran already and was left alone.
    pub already: bool,
    /// From the first look at the cache until the last component was ready.
    pub took: Duration,
    /// How long the row took through the chain, if one was sent.
    pub smoke: Option<Duration>,
}

/// Brings a lab up. What runs and answers is left alone; what a killed or failed run left is ended first; whatever fails,
/// everything that was started here is stopped again.
///
/// # Errors
/// [`LabError`].
pub async fn up(options: &Options) -> Result<Started, LabError> {
    let paths = Paths::of(&options.name)?;
    let mut topology = options.topology.clone();
    topology.select(&options.only)?;
    let lock = Lock::try_take(&paths.lab).map_err(LabError::file("lock", &paths.lab))?;
    let _lock = lock.ok_or_else(|| LabError::Busy(options.name.clone()))?;
    let before = State::load(&options.name, &paths)?;
    if let Some(state) = &before
        && state.topology.profile != topology.profile
    {
        return Err(LabError::OtherProfile {
            name: options.name.clone(),
            found: state.topology.profile.clone(),
            wanted: topology.profile,
        });
    }
    let progress = Progress::new(options.quiet);
    let running = tokio::select! {
        running = Running::look(before.as_ref(), &paths) => running,
        () = interrupted() => return Err(LabError::Interrupted),
    };
    let plain = |topology: &Topology| {
        let kafka = topology.components.get(&Kind::Kafka);
        kafka.is_some_and(|kafka| !kafka.secured)
    };
    if running.healthy.contains(&Kind::Kafka)
        && before.as_ref().is_some_and(|state| plain(&state.topology))
        && topology.components.contains_key(&Kind::Kafka)
        && !plain(&topology)
    {
        return Err(LabError::RunsUnsecured(options.name.clone()));
    }
    // What runs stays part of the lab, also when only other parts are asked for.
    for (kind, component) in running.components(before.as_ref()) {
        topology.components.insert(kind, component);
    }
    if topology
        .components
        .keys()
        .all(|kind| running.healthy.contains(kind))
    {
        let status = status(&options.name).await?;
        return Ok(Started {
            status,
            already: true,
            took: Duration::ZERO,
            smoke: None,
        });
    }
    if !running.leftovers.is_empty() {
        let (count, name) = (running.leftovers.len(), &options.name);
        progress.line(&format!(
            "lab `{name}` was left half up: {count} of its processes are ended first"
        ));
        running.end_leftovers().await?;
    }
    let mut state = State {
        name: options.name.clone(),
        ports: before
            .as_ref()
            .map(|state| state.ports.clone())
            .unwrap_or_default(),
        started: before.map(|state| state.started).unwrap_or_default(),
        topology,
    };
    give_ports(&mut state)?;
    free_ports(&state, &running.healthy)?;
    state
        .started
        .retain(|kind, _| running.healthy.contains(kind));
    state.save(&paths)?;
    let outcome = tokio::select! {
        outcome = start(options, state, &running, &paths, progress) => outcome,
        () = interrupted() => Err(LabError::Interrupted),
    };
    if outcome.is_err() {
        running.end_others(&paths).await?;
    }
    outcome
}

/// Ctrl-C, SIGTERM or a closed terminal.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let mut signals: FuturesUnordered<_> = kinds
        .into_iter()
        // Without a handler the signal does what it does by default.
        .filter_map(|kind| signal(kind).ok())
        .map(|mut signal| async move { signal.recv().await })
        .collect();
    if signals.next().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// What is there before anything is started.
struct Running {
    /// Components that run and answer.
    healthy: BTreeSet<Kind>,
    /// Their processes.
    kept: Vec<Found>,
    /// Everything else that carries the lab's label.
    leftovers: Vec<Found>,
}

impl Running {
    async fn look(before: Option<&State>, paths: &Paths) -> Running {
        let found = process::find(&paths.lab);
        let mut healthy = BTreeSet::new();
        if let Some(state) = before {
            let runs = |kind: &Kind| {
                let process = state.started.get(kind).and_then(|record| record.process);
                process.is_some_and(Id::alive)
            };
            let kinds: Vec<Kind> = state
                .topology
                .components
                .keys()
                .copied()
                .filter(runs)
                .collect();
            let probes = kinds
                .iter()
                .map(|kind| probe(kind.spec().ready, &state.topology, ANSWER));
            let answers = join_all(probes).await;
            healthy.extend(
                kinds
                    .into_iter()
                    .zip(answers)
                    .filter(|(_, answer)| answer.is_ok())
                    .map(|(kind, _)| kind),
            );
        }
        let (kept, leftovers) = found
            .into_iter()
            .partition(|found| found.component.is_some_and(|kind| healthy.contains(&kind)));
        Running {
            healthy,
            kept,
            leftovers,
        }
    }

    /// The healthy components as they were started.
    fn components(&self, before: Option<&State>) -> BTreeMap<Kind, super::topology::Component> {
        let all = before
            .map(|state| state.topology.components.clone())
            .unwrap_or_default();
        all.into_iter()
            .filter(|(kind, _)| self.healthy.contains(kind))
            .collect()
    }

    async fn end_leftovers(&self) -> Result<(), LabError> {
        let leftovers = self.leftovers.clone();
        blocking(move || process::end(&leftovers, LEFTOVERS)).await
    }

    /// Ends what was started since.
    async fn end_others(&self, paths: &Paths) -> Result<(), LabError> {
        let mut others = process::find(&paths.lab);
        others.retain(|found| !self.kept.iter().any(|kept| kept.id == found.id));
        blocking(move || process::end(&others, LEFTOVERS)).await
    }
}

/// Runs what blocks beside the runtime's own work.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, LabError> {
    tokio::task::spawn_blocking(work).await?
}

/// Completes the ports: those of the topology, else those that the lab had, else the well-known ones in the first lab and
/// free ones in others.
fn give_ports(state: &mut State) -> Result<(), LabError> {
    let mut taken: BTreeSet<u16> = state
        .ports
        .values()
        .flat_map(|ports| ports.values().copied())
        .collect();
    for kind in state
        .topology
        .components
        .keys()
        .copied()
        .collect::<Vec<_>>()
    {
        let endpoints = state.topology.endpoints(kind);
        let component = state.topology.components.get_mut(&kind);
        let Some(component) = component else { continue };
        let had = state.ports.entry(kind).or_default();
        for endpoint in endpoints {
            let given = component
                .ports
                .get(endpoint.name)
                .or(had.get(endpoint.name));
            let port = match given {
                Some(port) => *port,
                None if state.name == DEFAULT_NAME => endpoint.port,
                None => ports::free(&state.name, &taken).map_err(|source| LabError::NoPort {
                    name: state.name.clone(),
                    source,
                })?,
            };
            taken.insert(port);
            component.ports.insert(endpoint.name.to_owned(), port);
            had.insert(endpoint.name.to_owned(), port);
        }
    }
    Ok(())
}

fn free_ports(state: &State, healthy: &BTreeSet<Kind>) -> Result<(), LabError> {
    let mut used = Vec::new();
    for (kind, component) in &state.topology.components {
        let ports = component
            .ports
            .iter()
            .filter(|(_, port)| !healthy.contains(kind) && ports::used(**port));
        used.extend(ports.map(|(endpoint, port)| {
            format!(
                "port {port} ({kind} {endpoint}) is used by {}",
                ports::holder(*port)
            )
        }));
    }
    if used.is_empty() {
        return Ok(());
    }
    let name = state.name.clone();
    Err(LabError::PortsUsed { name, used })
}

/// Starts what is not healthy, waits until all of it is ready, and sends a row through it.
async fn start(
    options: &Options,
    state: State,
    running: &Running,
    paths: &Paths,
    progress: Progress,
) -> Result<Started, LabError> {
    let began = Instant::now();
    let fetcher = Fetcher::for_lab(paths, progress)?;
    let kinds: Vec<Kind> = state.topology.components.keys().copied().collect();
    let launcher = Launcher::new(state, paths.clone(), fetcher);
    let ready: BTreeMap<Kind, watch::Sender<bool>> = kinds
        .iter()
        .map(|kind| (*kind, watch::Sender::new(running.healthy.contains(kind))))
        .collect();
    let started = kinds.iter().filter(|kind| !running.healthy.contains(kind));
    let mut watched: FuturesUnordered<_> =
        started.map(|kind| launcher.keep(*kind, &ready)).collect();
    let all_ready = async {
        for sender in ready.values() {
            // The sender lives as long as this waits.
            let _ = sender.subscribe().wait_for(|ready| *ready).await;
        }
    };
    let chain = Kind::ALL.iter().all(|kind| kinds.contains(kind));
    let rest = async {
        all_ready.await;
        let took = began.elapsed();
        let probe = Instant::now();
        if options.smoke && chain {
            let task = launcher
                .fetcher
                .progress
                .task("sending a row through the chain", 0);
            smoke(&Lab::of(launcher.state(), paths.clone())).await?;
            task.done();
            return Ok((took, Some(probe.elapsed())));
        }
        Ok((took, None))
    };
    let (took, smoke) = tokio::select! {
        // A component that ends while others are still starting, or while the row is on its way.
        Some(Err(error)) = watched.next() => Err(error),
        done = rest => done,
    }?;
    Ok(Started {
        status: status(&options.name).await?,
        already: false,
        took,
        smoke,
    })
}

/// Starts components of one lab, and writes down what it does.
pub(super) struct Launcher {
    state: Mutex<State>,
    topology: Arc<Topology>,
    paths: Paths,
    pub(super) fetcher: Fetcher,
    builder: Arc<Builder>,
}

impl Launcher {
    fn new(state: State, paths: Paths, fetcher: Fetcher) -> Launcher {
        let builder = Builder::new(fetcher.clone());
        Launcher::with(state, paths, fetcher, builder)
    }

    pub(super) fn with(state: State, paths: Paths, fetcher: Fetcher, builder: Builder) -> Launcher {
        Launcher {
            topology: Arc::new(state.topology.clone()),
            state: Mutex::new(state),
            paths,
            fetcher,
            builder: Arc::new(builder),
        }
    }

    /// The lab's memory as it is now.
    pub(super) fn state(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, kind: Kind, record: Record) -> Result<(), LabError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.started.insert(kind, record);
        state.save(&self.paths)
    }

    /// Starts a component as soon as what it needs is ready, and watches it; ends only with the component.
    async fn keep(
        &self,
        kind: Kind,
        ready: &BTreeMap<Kind, watch::Sender<bool>>,
    ) -> Result<Infallible, LabError> {
        // Fetching does not wait for anything.
        let plan = self.plan(kind).await?;
        for needed in kind.spec().needs {
            if let Some(sender) = ready.get(needed) {
                // The sender lives as long as this waits.
                let _ = sender.subscribe().wait_for(|ready| *ready).await;
            }
        }
        let mut launched = self.launch(kind, plan).await?;
        if let Some(sender) = ready.get(&kind) {
            sender.send_replace(true);
        }
        let ended = launched.child.wait().await;
        Err(launched.died(ended, kind, &self.paths))
    }

    /// Fetches what a component needs.
    pub(super) async fn plan(&self, kind: Kind) -> Result<Plan, LabError> {
        let (topology, paths) = (self.topology.clone(), self.paths.clone());
        let (builder, fetcher) = (self.builder.clone(), self.fetcher.clone());
        blocking(move || {
            (kind.spec().plan)(&Context {
                topology: &topology,
                paths: &paths,
                programs: &builder,
                fetcher: &fetcher,
            })
        })
        .await
    }

    /// Starts a component and waits until it is ready.
    pub(super) async fn launch(&self, kind: Kind, plan: Plan) -> Result<Launched, LabError> {
        let spec = kind.spec();
        let (data, log) = (self.paths.data(kind), self.paths.log(kind));
        for folder in [&data, &self.paths.logs(), &self.paths.conf(kind)] {
            std::fs::create_dir_all(folder).map_err(LabError::file("make", folder))?;
        }
        for (file, text) in &plan.files {
            std::fs::write(file, text).map_err(LabError::file("write", file))?;
        }
        let from = logs::rotate(&log).map_err(LabError::file("rotate", &log))?;
        let since = Instant::now();
        let not_ready = |missing: String| LabError::NotReady {
            component: kind,
            waited: since.elapsed(),
            missing,
            tail: logs::tail(&log, from),
            log: log.clone(),
        };
        if let Some(before) = spec.before {
            self.wait(before).await.map_err(not_ready)?;
        }
        let task = self.fetcher.progress.task(&format!("starting {kind}"), 0);
        let began = Instant::now();
        for arguments in plan.first {
            let run = Plan {
                program: plan.program.clone(),
                arguments,
                environment: plan.environment.clone(),
                files: Vec::new(),
                first: Vec::new(),
                version: String::new(),
            };
            let mut child = process::spawn(&self.paths.lab, kind, &run, &data, &log)?;
            let Ok(ended) = tokio::time::timeout(READY, child.wait()).await else {
                // Whoever takes the lab down finds it by its label if it cannot be ended.
                let killed = child.kill().await;
                let missing = format!("its set-up has not ended (killed: {killed:?})");
                return Err(not_ready(missing));
            };
            if !matches!(&ended, Ok(status) if status.success()) {
                return Err(Launched { child, from }.died(ended, kind, &self.paths));
            }
        }
        let plan = Plan {
            first: Vec::new(),
            ..plan
        };
        let mut record = Record {
            program: plan.program.clone(),
            version: plan.version.clone(),
            process: None,
            ready_ms: None,
        };
        self.note(kind, record.clone())?;
        let child = process::spawn(&self.paths.lab, kind, &plan, &data, &log)?;
        record.process = child.id().and_then(|pid| Id::of(pid as i32));
        self.note(kind, record.clone())?;
        let mut launched = Launched { child, from };
        tokio::select! {
            ended = launched.child.wait() => return Err(launched.died(ended, kind, &self.paths)),
            ready = self.wait(spec.ready) => ready.map_err(not_ready)?,
        }
        record.ready_ms = Some(began.elapsed().as_millis() as u64);
        self.note(kind, record)?;
        task.done();
        Ok(launched)
    }

    /// Waits until a condition holds; what is missing if it does not in time.
    async fn wait(&self, condition: Probe) -> Result<(), String> {
        let mut patience = READY;
        loop {
            let asked = poll::until(patience, || async {
                Ok::<_, Infallible>(probe(condition, &self.topology, ANSWER).await)
            });
            let outcome = match asked.await {
                Ok(outcome) => outcome,
                Err(never) => match never {},
            };
            match more_patience(self.builder.idle()) {
                Some(more) if outcome.is_err() => patience = more,
                _ => return outcome,
            }
        }
    }
}

/// How much longer to wait when patience is at its end and nothing has been built for so long.
fn more_patience(idle: Option<Duration>) -> Option<Duration> {
    let left = READY.saturating_sub(idle?);
    (!left.is_zero()).then_some(left)
}

/// A component that was started here. It goes on when this is dropped.
pub(super) struct Launched {
    child: Child,
    /// Where its part of the log begins.
    from: u64,
}

impl Launched {
    fn died(
        &self,
        ended: std::io::Result<std::process::ExitStatus>,
        component: Kind,
        paths: &Paths,
    ) -> LabError {
        let log = paths.log(component);
        LabError::Died {
            component,
            status: ended.map_or_else(|error| error.to_string(), |status| status.to_string()),
            tail: logs::tail(&log, self.from),
            log,
        }
    }
}

/// One answer to a probe.
pub(super) async fn probe(
    probe: Probe,
    topology: &Topology,
    within: Duration,
) -> Result<(), String> {
    match tokio::time::timeout(within, probe(topology)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", within.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(name: &str) -> State {
        State {
            name: name.to_owned(),
            topology: Topology::profile("current").unwrap(),
            ports: BTreeMap::new(),
            started: BTreeMap::new(),
        }
    }

    #[test]
    fn the_time_of_a_build_does_not_count() {
        assert_eq!(more_patience(None), None);
        assert_eq!(more_patience(Some(Duration::ZERO)), Some(READY));
        let (while_ago, rest) = (READY / 3, READY - READY / 3);
        assert_eq!(more_patience(Some(while_ago)), Some(rest));
        assert_eq!(more_patience(Some(READY)), None);
        assert_eq!(more_patience(Some(READY * 2)), None);
    }

    #[test]
    fn the_first_lab_has_the_well_known_ports() {
        let mut state = lab(DEFAULT_NAME);
        give_ports(&mut state).unwrap();
        for (kind, endpoint, port) in [
            (Kind::Pd, "client", 12379),
            (Kind::Tidb, "mysql", 14000),
            (Kind::Tidb, "status", 12080),
            (Kind::Tikv, "grpc", 12160),
            (Kind::Cdc, "api", 18300),
            (Kind::Zookeeper, "client", 2181),
            (Kind::Kafka, "bootstrap", 9092),
            (Kind::Flink, "rest", 8081),
        ] {
            assert_eq!(state.topology.port(kind, endpoint).unwrap(), port);
        }
    }

    #[test]
    fn other_labs_have_ports_of_their_own_and_keep_them() {
        let mut first = lab("other");
        first
            .topology
            .components
            .get_mut(&Kind::Kafka)
            .unwrap()
            .ports
            .insert("bootstrap".to_owned(), 29092);
        give_ports(&mut first).unwrap();
        assert_eq!(
            first.topology.port(Kind::Kafka, "bootstrap").unwrap(),
            29092
        );
        let all: Vec<u16> = first
            .ports
            .values()
            .flat_map(|ports| ports.values().copied())
            .collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(!all.contains(&14000));
        let mut again = lab("other");
        again.ports = first.ports.clone();
        give_ports(&mut again).unwrap();
        assert_eq!(again.ports, first.ports);
    }

    #[test]
    fn every_used_port_is_named_with_its_holder() {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut state = lab("other");
        state
            .topology
            .components
            .get_mut(&Kind::Etcd)
            .unwrap()
            .ports
            .insert("client".to_owned(), port);
        give_ports(&mut state).unwrap();
        let error = free_ports(&state, &BTreeSet::new()).unwrap_err();
        let expected = format!(
            "port {port} (etcd client) is used by process {}",
            std::process::id()
        );
        assert!(error.to_string().contains(&expected), "{error}");
        assert_eq!(error.exit_code(), 3);
        assert!(free_ports(&state, &BTreeSet::from([Kind::Etcd])).is_ok());
    }
}
