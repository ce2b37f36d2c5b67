//! Nothing of other tables, and nothing of tables that are not replicated.

use std::collections::BTreeSet;

use super::Evidence;
use crate::scenario::message::Message;

/// What does not belong into the topic.
pub fn check(messages: &[&Message], evidence: &Evidence) -> Vec<String> {
    let of_ddl = messages.iter().filter(|message| message.is_ddl);
    let existing = evidence.tables.iter().map(|table| table.place());
    let known: BTreeSet<String> = of_ddl
        .map(|message| message.place())
        .chain(existing)
        .collect();
    let mut wrong = Vec::new();
    for message in messages {
        let (place, at) = (message.place(), message.position());
        if !evidence.databases.contains(&message.database) {
            let databases = evidence.databases.join(", ");
            wrong.push(format!(
                "a message of {place}, at {at}: the changefeed is for {databases}"
            ));
        } else if !message.is_ddl && !known.contains(&place) {
            wrong.push(format!(
                "a row of {place}, at {at}: there never was such a table"
            ));
        }
        let table = evidence.tables.iter().find(|table| table.place() == place);
        if let Some(table) = table
            && !message.is_ddl
            && !table.eligible
            && !evidence.options.force_replicate
        {
            wrong.push(format!(
                "a row of {place}, at {at}: the table has no key, and is not replicated"
            ));
        }
    }
    wrong
}
