//! Every time lies within the run: `es` between the timestamps taken before and after, `ts` not before its `es`.

use crate::scenario::message::Message;

/// How far the clocks of PD and the pipeline may be apart, in milliseconds; they are on one machine, and PD hands out
/// time that it has reserved before.
const TOLERANCE: u64 = 1000;

/// What is wrong with the times of these messages; `window` in milliseconds.
pub fn check(messages: &[Message], window: (u64, u64)) -> Vec<String> {
    let (from, to) = window;
    let mut wrong = Vec::new();
    for message in messages {
        let (es, ts, at) = (message.es, message.ts, message.position());
        if es < from || es > to {
            wrong.push(format!(
                "`es` {es} is not within the run, {from} to {to}, at {at}"
            ));
        }
        if ts != 0 && (ts + TOLERANCE < es || ts > to + TOLERANCE) {
            wrong.push(format!(
                "`ts` {ts} is not between `es` {es} and the run's end {to}, at {at}"
            ));
        }
        if let Some(commit_ts) = message.commit_ts
            && commit_ts >> 18 != es
        {
            wrong.push(format!(
                "`es` {es} is not the time of `commitTs` {commit_ts}, at {at}"
            ));
        }
    }
    wrong
}
