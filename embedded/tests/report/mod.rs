//! Counts what was equal, diverges for a reason, or is wrong, file by file.

// Not every test needs all of it.
#![allow(dead_code)]

use std::collections::BTreeMap;

/// How one comparison ended.
pub(crate) enum Verdict {
    Equal,
    /// Different from the real one, or not comparable, and why that may be.
    Diverges(String),
    /// Different from the real one, and how.
    Wrong(String),
}

impl From<Result<(), String>> for Verdict {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Wrong, |()| Self::Equal)
    }
}

#[derive(Default)]
struct Counts {
    equal: usize,
    diverge: BTreeMap<String, usize>,
    wrong: usize,
}

/// The verdicts of all files.
#[derive(Default)]
pub(crate) struct Report {
    files: BTreeMap<String, Counts>,
    wrong: Vec<String>,
}

impl Report {
    /// Takes note of a verdict on `subject`.
    pub(crate) fn add(&mut self, file: &str, subject: &str, verdict: impl Into<Verdict>) {
        let counts = self.files.entry(file.to_owned()).or_default();
        match verdict.into() {
            Verdict::Equal => counts.equal += 1,
            Verdict::Diverges(why) => *counts.diverge.entry(why).or_default() += 1,
            Verdict::Wrong(how) => {
                counts.wrong += 1;
                self.wrong.push(format!("{file} {subject}\n    {how}"));
            }
        }
    }

    /// Takes note of something that diverges, and why it may.
    pub(crate) fn diverge(&mut self, file: &str, why: &str) {
        self.add(file, "", Verdict::Diverges(why.to_owned()));
    }

    /// Prints the counts and fails if anything was wrong or fewer than `at_least` comparisons were equal.
    pub(crate) fn finish(self, what: &str, at_least: usize) {
        let (mut equal, mut diverge) = (0, 0);
        println!("{what}");
        for (file, counts) in &self.files {
            let apart: usize = counts.diverge.values().sum();
            equal += counts.equal;
            diverge += apart;
            println!(
                "{file:36} {:4} equal {apart:4} diverge {:4} wrong",
                counts.equal, counts.wrong
            );
            for (why, n) in &counts.diverge {
                println!("        {n:3} {why}");
            }
        }
        println!(
            "{equal} equal, {diverge} diverge, {} wrong",
            self.wrong.len()
        );
        assert!(
            self.wrong.is_empty(),
            "{} wrong:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
        assert!(
            equal >= at_least,
            "only {equal} of at least {at_least} comparisons were equal"
        );
    }
}
