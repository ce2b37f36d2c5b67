//! Counts what was equal, out of scope, or wrong, file by file.

use std::collections::BTreeMap;

/// How one comparison ended.
pub(crate) enum Verdict {
    Equal,
    /// Not served by the embedded TiDB, and why.
    OutOfScope(String),
    /// Different from the real TiDB, and how.
    Wrong(String),
}

#[derive(Default)]
struct Counts {
    equal: usize,
    out_of_scope: BTreeMap<String, usize>,
}

/// The verdicts of all files.
#[derive(Default)]
pub(crate) struct Report {
    files: BTreeMap<String, Counts>,
    wrong: Vec<String>,
}

impl Report {
    /// Takes note of a verdict on `subject`.
    pub(crate) fn add(&mut self, file: &str, subject: &str, verdict: Verdict) {
        let counts = self.files.entry(file.to_owned()).or_default();
        match verdict {
            Verdict::Equal => counts.equal += 1,
            Verdict::OutOfScope(why) => *counts.out_of_scope.entry(why).or_default() += 1,
            Verdict::Wrong(how) => self.wrong.push(format!("{file} {subject}\n    {how}")),
        }
    }

    /// Prints the counts and fails if anything was wrong or fewer than `at_least` comparisons were equal.
    pub(crate) fn finish(self, what: &str, at_least: usize) {
        let mut equal = 0;
        println!("{what}");
        for (file, counts) in &self.files {
            equal += counts.equal;
            let wrong = self
                .wrong
                .iter()
                .filter(|w| w.starts_with(&format!("{file} ")))
                .count();
            let out: usize = counts.out_of_scope.values().sum();
            println!(
                "{file:36} {:4} equal {out:4} out of scope {wrong:4} wrong",
                counts.equal
            );
            for (why, n) in &counts.out_of_scope {
                println!("        {n:3} {why}");
            }
        }
        println!("{equal} equal, {} wrong", self.wrong.len());
        assert!(
            self.wrong.is_empty(),
            "{} wrong:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
        assert!(
            equal >= at_least,
            "only {equal} of at least {at_least} comparisons were made"
        );
    }
}
