//! A lab with some components, for a test that looks at it.

use std::error::Error;

use harness::lab::{self, Kind, Lab, Options};

/// Brings a lab up with these components and what they need, lets `read` read it, and takes it down; its folder stays if reading failed.
pub(crate) fn on_a_lab(
    name: &str,
    profile: &str,
    only: &[Kind],
    read: impl AsyncFnOnce(&Lab) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    lab::down(name)?;
    lab::purge(name)?;
    let options = Options {
        only: only.to_vec(),
        smoke: false,
        ..Options::profile(name, profile)?
    };
    let (lab, _) = runtime.block_on(Lab::up(&options))?;
    let read = runtime.block_on(read(&lab));
    lab::down(name)?;
    read?;
    lab::purge(name)?;
    Ok(())
}

/// Creates a changefeed into the topic of its name, for the tables of a database, with `_tidb` in its messages. `sink` is the rest of its file.
#[allow(dead_code)]
pub(crate) async fn changefeed(
    lab: &Lab,
    (name, partitions): (&str, i32),
    database: &str,
    sink: &str,
) -> Result<(), String> {
    let failed = |error: &dyn Error| format!("failed to create the changefeed {name}: {error}");
    let file = lab.paths().conf(Kind::Cdc).join(format!("{name}.toml"));
    let text = format!("[filter]\nrules = ['{database}.*']\n{sink}");
    std::fs::write(&file, text).map_err(|error| failed(&error))?;
    let kafka = lab.kafka().map_err(|error| failed(&error))?;
    let uri = format!(
        "--sink-uri=kafka://{}/{name}?protocol=canal-json&enable-tidb-extension=true&partition-num={partitions}&replication-factor=1",
        kafka.bootstrap()
    );
    let file = format!("--config={}", file.display());
    let create = [
        "changefeed",
        "create",
        &uri,
        "-c",
        name,
        &file,
        "--no-confirm",
    ];
    let cdc = lab.cdc().map_err(|error| failed(&error))?;
    cdc.cli(&create).await.map_err(|error| failed(&error))?;
    Ok(())
}
