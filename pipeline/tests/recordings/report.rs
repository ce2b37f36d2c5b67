//! What came of a recording.

use std::collections::BTreeMap;

/// Counts of a recording, with what was wrong in words.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) equal: usize,
    /// By reason.
    pub(crate) on_purpose: BTreeMap<&'static str, usize>,
    /// By reason.
    pub(crate) out_of_scope: BTreeMap<&'static str, usize>,
    pub(crate) partitions_equal: usize,
    pub(crate) wrong: Vec<String>,
}

pub(crate) fn print(version: &str, reports: &[Report]) {
    println!(
        "{version:<24} {:>6} {:>10} {:>12} {:>6}  partitions",
        "equal", "on purpose", "out of scope", "wrong"
    );
    for report in reports {
        let on_purpose: usize = report.on_purpose.values().sum();
        let out_of_scope: usize = report.out_of_scope.values().sum();
        println!(
            "{:<24} {:>6} {on_purpose:>10} {out_of_scope:>12} {:>6}  {:>10}",
            report.name,
            report.equal,
            report.wrong.len(),
            report.partitions_equal
        );
        for (reason, count) in report.on_purpose.iter().chain(&report.out_of_scope) {
            println!("    {count:>4}  {reason}");
        }
    }
    let sum = |count: fn(&Report) -> usize| reports.iter().map(count).sum::<usize>();
    println!(
        "{:<24} {:>6} {:>10} {:>12} {:>6}  {:>10}",
        "all",
        sum(|r| r.equal),
        "",
        "",
        sum(|r| r.wrong.len()),
        sum(|r| r.partitions_equal)
    );
}

pub(crate) fn assert_none_wrong(reports: &[Report]) {
    const SHOWN: usize = 12;
    let wrong: Vec<_> = reports
        .iter()
        .flat_map(|r| r.wrong.iter().map(move |w| format!("{}: {w}", r.name)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} differences, the first:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(SHOWN)].join("\n")
    );
}
