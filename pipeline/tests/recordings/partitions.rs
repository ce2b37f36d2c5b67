//! Partitions of rows under every rule, against recorded ones.

use std::collections::BTreeMap;

use pipeline::{
    codec::dispatch::{DispatchRule, Dispatcher},
    mount::RowEvent,
};

use crate::{
    expected,
    feed::Feed,
    load::{Dispatch, Step},
    replay::Txn,
    report::Report,
};

/// Every rule's partition of every row event of a changefeed with default options.
pub(crate) fn compare(report: &mut Report, step: &Step, txns: &[Txn<'_>], feed: &Feed) {
    let mut recorded: BTreeMap<&str, Vec<&Dispatch>> = BTreeMap::new();
    for dispatch in &step.dispatch {
        recorded.entry(&dispatch.table).or_default().push(dispatch);
    }
    let mut ours: BTreeMap<String, Vec<RowEvent<'_>>> = BTreeMap::new();
    for (table, rows) in txns.iter().filter(|(table, _)| table.is_eligible(false)) {
        let events = feed
            .mounter
            .mount_txn(rows.iter().copied(), table)
            .expect("rows that have been compared");
        ours.entry(format!("{}.{}", table.schema, table.name))
            .or_default()
            .extend(events);
    }
    for (table, recorded) in recorded {
        let events = ours.remove(table).unwrap_or_default();
        if events.len() != recorded.len() {
            let counts = format!("{} of {} rows of {table}", events.len(), recorded.len());
            report
                .wrong
                .push(format!("step {}, partitions: {counts}", step.step));
            continue;
        }
        for (event, dispatch) in events.iter().zip(recorded) {
            for (rule, theirs) in &dispatch.partition {
                one(report, step, feed, event, dispatch, rule, *theirs);
            }
        }
    }
}

fn one(
    report: &mut Report,
    step: &Step,
    feed: &Feed,
    event: &RowEvent<'_>,
    dispatch: &Dispatch,
    rule: &str,
    theirs: i64,
) {
    let (rule, failed) = rule
        .split_once(" error: ")
        .map_or((rule, false), |(rule, _)| (rule, true));
    let ours = partition(rule, event, feed);
    let equal = match &ours {
        Ok(_) if failed => {
            *report.on_purpose.entry(expected::PANICS).or_default() += 1;
            return;
        }
        Ok(ours) => theirs == i64::from(*ours),
        // Where v8.4.0 panics over a virtual column the rule is refused.
        Err(_) => failed,
    };
    if equal {
        report.partitions_equal += 1;
        return;
    }
    let row = format!("a {} of {}", dispatch.kind, dispatch.table);
    report.wrong.push(format!(
        "step {}, partition by {rule} of {row}: recorded {theirs} (failed: {failed}), ours {ours:?}",
        step.step
    ));
}

/// `rule[:names]/number of partitions`.
fn partition(rule: &str, event: &RowEvent<'_>, feed: &Feed) -> Result<u32, String> {
    let (rule, partitions) = rule.rsplit_once('/').expect("a number of partitions");
    let rule = match rule.split_once(':').unwrap_or((rule, "")) {
        ("default" | "table", _) => DispatchRule::Table,
        ("ts", _) => DispatchRule::Ts,
        ("index-value", "") => DispatchRule::IndexValue { index: None },
        ("index-value", name) => DispatchRule::IndexValue {
            index: Some(name.to_owned()),
        },
        ("columns", names) => DispatchRule::Columns {
            columns: names.split(',').map(str::to_owned).collect(),
        },
        (other, _) => return Err(format!("rule {other}")),
    };
    let dispatcher = Dispatcher::new(&rule, event.table).map_err(|error| error.to_string())?;
    dispatcher
        .partition(
            event,
            &feed.mounter.text,
            partitions.parse().expect("a number"),
        )
        .map_err(|e| e.to_string())
}
