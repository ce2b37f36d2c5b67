//! canal's own `FlatMessage` (`com.alibaba.otter:canal.protocol`) finds in every recorded message what is in it. The recordings are of
//! the real TiCDC; that the pipeline's messages are equal to them is tested there (`pipeline/tests/recordings`).

#![allow(missing_docs)]

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use flate2::read::GzDecoder;
use harness::lab;
use harness::scenario::message::HEAD;
use serde_json::Value;

const PROGRAM: &str = "clients/java/FlatMessages.java";
const MANIFEST: &str = "canal-protocol-1.1.7";
const RELEASES: [&str; 3] = ["v4.0", "v6.5", "v8.4"];
/// The texts of all recorded messages of a release.
fn recorded(release: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let folder = lab::repository()
        .join("fixtures/golden/ticdc")
        .join(release);
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".jsonl.gz") {
            continue;
        }
        for line in BufReader::new(GzDecoder::new(File::open(&path)?)).lines() {
            collect(&serde_json::from_str(&line?)?, &mut messages);
        }
    }
    Ok(messages)
}

/// Messages stand as `value` by changefeed, in lists under `cdc`.
fn collect(step: &Value, messages: &mut Vec<String>) {
    let changefeeds = step["cdc"].as_object().into_iter().flatten();
    let texts = changefeeds
        .filter_map(|(_, sent)| sent.as_array())
        .flatten()
        .filter_map(|message| message["value"].as_str())
        // Compressed ones: consumers open them first.
        .filter(|text| !text.starts_with("hex:"));
    messages.extend(texts.map(|text| text.trim_end().to_owned()));
}

#[test]
fn every_recorded_message_is_canals() -> Result<(), Box<dyn Error>> {
    for release in RELEASES {
        let messages = recorded(release)?;
        assert!(
            messages.len() > 100,
            "{release}: {} messages",
            messages.len()
        );
        let mut child = lab::java_source(PROGRAM, &[MANIFEST], &[])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no stdin")?;
        let asked = messages.clone();
        let writer = std::thread::spawn(move || {
            asked
                .iter()
                .try_for_each(|message| writeln!(input, "{message}"))
        });
        let output = child.wait_with_output()?;
        writer.join().map_err(|_| "the writer panicked")??;
        assert!(output.status.success(), "{}", output.status);
        let told = String::from_utf8(output.stdout)?;
        assert_eq!(told.lines().count(), messages.len(), "{release}");
        for (message, found) in messages.iter().zip(told.lines()) {
            let (sent, found): (Value, Value) =
                (serde_json::from_str(message)?, serde_json::from_str(found)?);
            assert_eq!(found.get("error"), None, "{message}");
            // TiDB's own members are not canal's.
            for member in HEAD.into_iter().chain(["data", "old"]) {
                assert_eq!(found[member], sent[member], "{member} of {message}");
            }
        }
        println!("{release}: {} messages", messages.len());
    }
    Ok(())
}
