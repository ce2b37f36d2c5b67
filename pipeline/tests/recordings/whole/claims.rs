//! Rows that are too large, stored in a folder.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Generation, Moment, V8_4, run};
use crate::{
    canonical::canonical,
    load::{self, Message},
};

/// The messages of a changefeed in a recording.
fn of<'a>(steps: &'a [load::Step], changefeed: &str) -> Vec<&'a Message> {
    let messages = steps.iter().filter_map(|step| step.cdc.get(changefeed));
    messages.flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_too_large_are_stored_and_their_places_arrive_as_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    // The configuration of a run is constant.
    let uri = format!("file://{}", folder.path().display()).leak();
    let generation = Generation {
        changefeed: "claim-check",
        parameters: "&enable-tidb-extension=true&max-message-bytes=1000",
        file: "[sink.kafka-config.large-message-handle]\nlarge-message-handle-option=\"claim-check\"\n\
               claim-check-storage-uri=\"file:///claim\"\n",
        claims: uri,
        ..V8_4
    };
    run(generation, "large", Moment::Live).await;

    let (_, steps) = load::recording("v8.4", "large");
    let stored: BTreeSet<String> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|file| value_of(&file.expect("a file").path()))
        .collect();
    // What a topic without such a limit has of the rows that went out with a place.
    let places = of(&steps, "claim-check");
    let whole = of(&steps, "tidb-extension");
    let expected: BTreeSet<String> = places
        .iter()
        .zip(&whole)
        .filter(|(place, _)| {
            place
                .value
                .as_deref()
                .is_some_and(|v| v.contains("claimCheckLocation"))
        })
        .map(|(_, whole)| canonical(whole.value.as_deref().expect("a message")))
        .collect();
    assert!(expected.len() > 5, "{expected:?}");
    assert_eq!(stored, expected);
}

/// The message in a file, made comparable.
fn value_of(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a file");
    let content: Value = serde_json::from_str(&text).expect("JSON");
    assert!(content["key"].is_null(), "{text}");
    let value = content["value"].as_str().expect("a text");
    let value = BASE64_STANDARD.decode(value).expect("base64");
    canonical(std::str::from_utf8(&value).expect("UTF-8"))
}
