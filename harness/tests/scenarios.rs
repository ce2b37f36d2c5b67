//! `cargo test scenarios`: every file below `scenarios/` is a test, run side by side on one lab.
//!
//! `CDCLAB_PROFILE` chooses the profile (default `current`), `CDCLAB_LAB` a lab that runs already; without it a lab of
//! these tests' own is started and taken down again. Snapshots are insta's (`cargo insta review`).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use harness::lab::{self, Lab, Options, Topology};
use harness::scenario::snapshot::{self, Listed};
use harness::scenario::{Found, Runner, Scenario, Snapshots, Update, find};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

/// Scenarios wait more than they work.
const SIDE_BY_SIDE: usize = 6;
/// The test that looks after the snapshots.
const SNAPSHOTS: &str = "scenarios/all-snapshots-are-used";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: failed to {error}");
            ExitCode::FAILURE
        }
    }
}

/// A file with what it says.
struct Case {
    found: Found,
    scenario: Result<Scenario, String>,
    /// Why it does not run with this profile.
    unfit: Option<String>,
}

impl Case {
    fn test_name(&self) -> String {
        format!("scenarios/{}", self.found.name)
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = Arc::new(Runtime::new()?);
    let running = match std::env::var("CDCLAB_LAB") {
        Ok(name) => Some(Lab::attach(&name)?),
        Err(_) => None,
    };
    let topology = match &running {
        Some(lab) => lab.topology().clone(),
        None => {
            let profile = std::env::var("CDCLAB_PROFILE");
            Topology::profile(profile.as_deref().unwrap_or(lab::DEFAULT_PROFILE))?
        }
    };
    let root = lab::repository().join("scenarios");
    let cases: Vec<Case> = find(&root)?
        .into_iter()
        .map(|found| {
            let scenario = Scenario::load(&found.file, &found.name);
            Case {
                unfit: scenario.as_ref().ok().and_then(|it| it.unfit(&topology)),
                scenario: scenario.map_err(|error| format!("failed to {error}")),
                found,
            }
        })
        .collect();
    let wanted = |case: &Case| {
        case.scenario.is_ok() && case.unfit.is_none() && selected(arguments, &case.test_name())
    };
    let needs_lab = !arguments.list && cases.iter().any(wanted);
    let own = needs_lab && running.is_none();
    let runner = match (needs_lab, running) {
        (false, _) => None,
        (true, Some(lab)) => Some(Arc::new(Runner::new(lab))),
        (true, None) => Some(Arc::new(Runner::new(start(&runtime, &topology)?))),
    };
    let snapshots = Snapshots::new(
        root.with_file_name("snapshots"),
        &topology.profile,
        Update::from_environment(),
    );
    let trials = cases
        .into_iter()
        .map(|case| trial(case, runner.clone(), &snapshots, &runtime))
        .chain([Trial::test(SNAPSHOTS, move || used(&root))])
        .collect();
    let conclusion = libtest_mimic::run(arguments, trials);
    let mut ended = Ok(());
    if let Some(runner) = runner {
        ended = runtime.block_on(runner.close());
        if own {
            let name = runner.lab().name().to_owned();
            lab::down(&name)?;
            if !conclusion.has_failed() {
                lab::purge(&name)?;
            }
        }
    }
    ended?;
    Ok(conclusion.exit_code())
}

/// Whether a test runs, by the rules of the test program.
fn selected(arguments: &Arguments, name: &str) -> bool {
    let matches = |filter: &String| match arguments.exact {
        true => filter == name,
        false => name.contains(filter.as_str()),
    };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// Starts a lab of these tests' own; what was left of it goes first. It ends with Ctrl-C too.
fn start(runtime: &Runtime, topology: &Topology) -> Result<Lab, Box<dyn Error>> {
    let name = format!("scenarios-{}", topology.profile);
    lab::down(&name)?;
    lab::purge(&name)?;
    let options = Options {
        smoke: false,
        ..Options::profile(&name, &topology.profile)?
    };
    let (lab, started) = runtime.block_on(Lab::up(&options))?;
    eprintln!("lab {name} is up in {:.1} s", started.took.as_secs_f32());
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let ended = tokio::task::spawn_blocking(move || lab::down(&name)).await;
            if let Ok(Err(error)) = ended {
                eprintln!("error: failed to {error}");
            }
            std::process::exit(130);
        }
    });
    Ok(lab)
}

fn trial(
    case: Case,
    runner: Option<Arc<Runner>>,
    snapshots: &Snapshots,
    runtime: &Arc<Runtime>,
) -> Trial {
    let name = case.test_name();
    let ignored = case.unfit.is_some();
    let kind = case.unfit.clone().unwrap_or_default();
    let (snapshots, runtime) = (snapshots.clone(), runtime.clone());
    let test = move || {
        let scenario = case.scenario.map_err(Failed::from)?;
        let runner = runner.ok_or("no lab was started for it")?;
        let outcome = runtime.block_on(runner.run(&scenario, Some(&snapshots)));
        match outcome.failures.is_empty() {
            true => Ok(()),
            false => Err(outcome.shown(&shown(&case.found.file)).into()),
        }
    };
    Trial::test(name, test)
        .with_ignored_flag(ignored)
        .with_kind(kind)
}

/// A file's path from the repository's root.
fn shown(file: &Path) -> PathBuf {
    file.strip_prefix(lab::repository())
        .unwrap_or(file)
        .to_owned()
}

/// Every snapshot belongs to a scenario that runs with its profile, and none waits for a review.
fn used(root: &Path) -> Result<(), Failed> {
    let listed = snapshot::list(&root.with_file_name("snapshots"));
    let known = find(root).map_err(|error| format!("failed to {error}"))?;
    let Listed {
        snapshots,
        pending,
        others,
    } = listed.map_err(|error| format!("failed to {error}"))?;
    let pending = pending
        .iter()
        .map(|file| format!("snapshots/{file} waits for a review: cargo insta review"));
    let others = others
        .iter()
        .map(|file| format!("snapshots/{file} is no snapshot"));
    let orphans = snapshots
        .iter()
        .filter(|(name, profile)| !runs(&known, name, profile.as_deref()))
        .map(|(name, profile)| {
            let suffix = profile.iter().map(|profile| format!("@{profile}"));
            let suffix: String = suffix.collect();
            format!("snapshots/{name}{suffix}.snap belongs to no scenario that runs")
        });
    let wrong: Vec<String> = pending.chain(others).chain(orphans).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n").into()),
    }
}

/// Whether there is a scenario of this name that runs with the profile, or with any.
fn runs(known: &[Found], name: &str, profile: Option<&str>) -> bool {
    let Some(found) = known.iter().find(|found| found.name == name) else {
        return false;
    };
    let Ok(scenario) = Scenario::load(&found.file, &found.name) else {
        // Its own test says what is wrong with it.
        return true;
    };
    Topology::profiles()
        .filter(|known| profile.is_none_or(|profile| profile == *known))
        .filter_map(|profile| Topology::profile(profile).ok())
        .any(|topology| scenario.unfit(&topology).is_none())
}
