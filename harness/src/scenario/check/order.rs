//! Order: per key as committed and in one partition, and DDLs between what came before and after them.

use std::collections::HashMap;

use super::Options;
use crate::scenario::message::Message;

/// What is out of order; `messages` by partition and offset.
pub fn check(messages: &[&Message], options: Options) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last: HashMap<(String, String), &Message> = HashMap::new();
    // The newest message of each partition, and its newest DDL.
    let mut newest: HashMap<i32, &Message> = HashMap::new();
    let mut ddl: HashMap<i32, &Message> = HashMap::new();
    for message in messages {
        let partition = message.partition;
        if let Some(before) = ddl.get(&partition)
            && time(message) < time(before)
        {
            wrong.push(behind(message, before, "of the DDL"));
        }
        if message.is_ddl {
            if let Some(before) = newest.get(&partition)
                && time(message) < time(before)
            {
                wrong.push(behind(message, before, "before this DDL"));
            }
            ddl.insert(partition, message);
        } else if message
            .pk_names
            .as_ref()
            .is_some_and(|names| !names.is_empty())
        {
            let key = (message.place(), format!("{:?}", message.key()));
            if let Some(before) = last.insert(key, message) {
                if time(message) < time(before) {
                    wrong.push(behind(message, before, "of the same key"));
                }
                if before.partition != partition && !options.partition_by_ts {
                    wrong.push(format!(
                        "one key in two partitions, {} and {}: {} {:?}",
                        before.partition,
                        partition,
                        message.place(),
                        message.key()
                    ));
                }
            }
        }
        let later = newest
            .get(&partition)
            .is_none_or(|before| time(before) <= time(message));
        if later {
            newest.insert(partition, message);
        }
    }
    wrong
}

/// The commit-ts as far as it is known, and the milliseconds of it.
fn time(message: &Message) -> (u64, Option<u64>) {
    (message.es, message.commit_ts)
}

fn behind(message: &Message, before: &Message, which: &str) -> String {
    format!(
        "`es` {} at {} is behind `es` {} {which}, at {}\n  {}\n  {}",
        message.es,
        message.position(),
        before.es,
        before.position(),
        before.text,
        message.text
    )
}
