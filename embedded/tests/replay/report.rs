//! Counts exchanges that are equal, diverge on purpose, or are wrong, file by file.

use std::collections::BTreeMap;

#[derive(Default)]
struct Counts {
    equal: usize,
    diverge: BTreeMap<&'static str, usize>,
    wrong: usize,
}

/// The verdicts of all files.
#[derive(Default)]
pub(crate) struct Report {
    files: BTreeMap<String, Counts>,
    wrong: Vec<String>,
}

impl Report {
    /// Takes note of an exchange that was compared.
    pub(crate) fn add(&mut self, file: &str, subject: &str, verdict: Result<(), String>) {
        let counts = self.files.entry(file.to_owned()).or_default();
        match verdict {
            Ok(()) => counts.equal += 1,
            Err(how) => {
                counts.wrong += 1;
                self.wrong.push(format!("{file} {subject}\n    {how}"));
            }
        }
    }

    /// Takes note of exchanges that are different, and why they may be.
    pub(crate) fn diverge(&mut self, file: &str, why: &'static str) {
        let counts = self.files.entry(file.to_owned()).or_default();
        *counts.diverge.entry(why).or_default() += 1;
    }

    /// Prints the counts and fails if anything was wrong or fewer than `at_least` exchanges were equal.
    pub(crate) fn finish(self, at_least: usize) {
        let (mut equal, mut diverge) = (0, 0);
        for (file, counts) in &self.files {
            let on_purpose: usize = counts.diverge.values().sum();
            equal += counts.equal;
            diverge += on_purpose;
            println!(
                "{file:28} {:4} equal {on_purpose:4} diverge on purpose {:4} wrong",
                counts.equal, counts.wrong
            );
            for (why, n) in &counts.diverge {
                println!("        {n:3} {why}");
            }
        }
        println!(
            "{equal} equal, {diverge} diverge on purpose, {} wrong",
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
            "only {equal} of at least {at_least} exchanges were compared"
        );
    }
}
