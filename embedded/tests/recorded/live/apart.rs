//! Where the embedded TiDB answers otherwise than the real one, and why: `apart.txt`.
//!
//! A statement that is not in the list must be as recorded; one that is must differ in just the aspects that it names. With
//! `CDCLAB_APART=write` the list is written anew: reasons are kept, what is new gets [`TO_DO`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::Differences;
use crate::report::Verdict;

/// The reason of what no reason was given for.
const TO_DO: &str = "not done yet";

const HEAD: &str = "\
# Statements that end otherwise here than on the real TiDB: recording, step, what differs, why.
# The test `recordings` holds every other statement to its recording, and these to this list.
";

/// The list of one folder of recordings.
pub(crate) struct Apart {
    folder: String,
    listed: BTreeMap<(String, u64), (String, String)>,
    found: BTreeMap<(String, u64), String>,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/live/apart.txt")
}

fn parse(line: &str) -> ((String, u64), (String, String)) {
    let mut words = line.splitn(4, ' ');
    let mut next = || {
        words
            .next()
            .unwrap_or_else(|| panic!("a word is missing: {line}"))
    };
    let key = (next().to_owned(), next().parse().unwrap());
    (key, (next().to_owned(), next().to_owned()))
}

pub(super) fn read() -> BTreeMap<(String, u64), (String, String)> {
    let text = std::fs::read_to_string(path()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(parse).collect()
}

impl Apart {
    /// The list of a folder.
    pub(crate) fn of(folder: &str) -> Self {
        let listed = read();
        let prefix = format!("{folder}/");
        Self {
            listed: listed
                .into_iter()
                .filter(|((file, _), _)| file.starts_with(&prefix))
                .collect(),
            folder: prefix,
            found: BTreeMap::new(),
        }
    }

    /// The verdict on a statement with these differences.
    pub(crate) fn verdict(
        &mut self,
        recording: &str,
        step: u64,
        differences: &Differences,
    ) -> Verdict {
        let mut aspects: Vec<&str> = differences.iter().map(|(aspect, _)| *aspect).collect();
        aspects.dedup();
        let aspects = aspects.join(",");
        let key = (recording.to_owned(), step);
        if !aspects.is_empty() {
            self.found.insert(key.clone(), aspects.clone());
        }
        let lines = || {
            let lines: Vec<String> = differences
                .iter()
                .map(|(aspect, how)| format!("{aspect}: {how}"))
                .collect();
            lines.join("\n    ")
        };
        match self.listed.get(&key) {
            None if aspects.is_empty() => Verdict::Equal,
            None => Verdict::Wrong(lines()),
            Some((listed, why)) if *listed == aspects => {
                show(recording, step, &lines());
                Verdict::Diverges(why.clone())
            }
            Some(_) if aspects.is_empty() => {
                Verdict::Wrong("it is as recorded: take it off the list".to_owned())
            }
            Some((listed, _)) => Verdict::Wrong(format!("the list says {listed}\n    {}", lines())),
        }
    }

    /// Writes this folder's part of the list anew if that was asked for; `ran` are the recordings that were run.
    pub(crate) fn finish(self, ran: &[String]) {
        if std::env::var("CDCLAB_APART").as_deref() != Ok("write") {
            return;
        }
        // The folders' tests run at the same time, and each writes its part.
        static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _held = WRITING.lock().unwrap();
        let mut all = read();
        all.retain(|(file, _), _| !ran.contains(file) && !file.is_empty());
        for (key, aspects) in self.found {
            let why = self
                .listed
                .get(&key)
                .map_or(TO_DO, |(_, why)| why)
                .to_owned();
            all.insert(key, (aspects, why));
        }
        debug_assert!(ran.iter().all(|file| file.starts_with(&self.folder)));
        let mut text = HEAD.to_owned();
        for ((file, step), (aspects, why)) in all {
            writeln!(text, "{file} {step} {aspects} {why}").unwrap();
        }
        std::fs::write(path(), text).unwrap();
    }
}

/// Shows how a listed statement differs, where that is asked for.
fn show(recording: &str, step: u64, lines: &str) {
    if std::env::var_os("CDCLAB_APART").is_some() {
        println!("{recording} {step}\n    {lines}");
    }
}
