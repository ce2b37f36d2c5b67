//! Settings that can be changed while the store runs, as by `POST /config` of TiKV's status port.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::feed::hub::Hub;

/// Shortest time between two resolved-ts.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
const LONGEST_TICK: Duration = Duration::from_secs(60);

/// The settings in force.
pub(crate) struct Settings {
    tick: watch::Sender<Duration>,
    hub: Arc<Hub>,
    /// 0: regions are not split by size.
    split_size: AtomicU64,
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// A name that is none, or of a setting that cannot change.
    #[error(
        "set {0}: it cannot be changed while the store runs (expected cdc.min-ts-interval, cdc.sink-memory-quota or coprocessor.region-split-size)"
    )]
    Unknown(String),
    /// A value that cannot be.
    #[error("set {name} to {value}: {why}")]
    Value {
        name: String,
        value: Value,
        why: String,
    },
}

impl Settings {
    pub(crate) fn new(tick: Duration, hub: Arc<Hub>, split_size: u64) -> Self {
        Self {
            tick: watch::Sender::new(tick),
            hub,
            split_size: AtomicU64::new(split_size),
        }
    }

    /// The time between two resolved-ts, and its changes.
    pub(crate) fn tick(&self) -> watch::Receiver<Duration> {
        self.tick.subscribe()
    }

    /// Bytes from which on a region is split; 0 for never.
    pub(crate) fn split_size(&self) -> u64 {
        self.split_size.load(Ordering::Relaxed)
    }

    /// Changes settings by their names, all or none: `{"cdc.min-ts-interval": "100ms"}`, nested or not.
    pub(crate) fn change(&self, wanted: &Value) -> Result<(), SettingError> {
        let mut flat = Vec::new();
        flatten(String::new(), wanted, &mut flat);
        let mut changes = Vec::with_capacity(flat.len());
        for (name, value) in flat {
            let refused = |why: String| SettingError::Value {
                name: name.clone(),
                value: value.clone(),
                why,
            };
            let text = value.as_str().unwrap_or_default();
            changes.push(match name.as_str() {
                "cdc.min-ts-interval" => Change::Tick(tick(text).map_err(refused)?),
                "cdc.sink-memory-quota" => Change::Quota(size_of(&value).map_err(refused)?),
                "coprocessor.region-split-size" => {
                    Change::SplitSize(size_of(&value).map_err(refused)?)
                }
                _ => return Err(SettingError::Unknown(name)),
            });
        }
        for change in changes {
            match change {
                Change::Tick(tick) => {
                    self.tick.send_replace(tick);
                }
                Change::Quota(bytes) => self.hub.set_quota(bytes),
                Change::SplitSize(bytes) => self.split_size.store(bytes, Ordering::Relaxed),
            }
        }
        Ok(())
    }
}

enum Change {
    Tick(Duration),
    Quota(u64),
    SplitSize(u64),
}

fn flatten(name: String, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = match name.is_empty() {
                    true => field.clone(),
                    false => format!("{name}.{field}"),
                };
                flatten(name, value, out);
            }
        }
        value => out.push((name, value.clone())),
    }
}

/// Reads `20ms`, `1s` or `1m`.
pub(super) fn tick(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str =
        "expected a whole number with its unit, such as 20ms or 1s, from 10ms to 60s";
    let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
    let read = units.iter().find_map(|(unit, ms)| {
        let digits = text.strip_suffix(unit)?;
        Some(Duration::from_millis(
            digits.parse::<u64>().ok()?.checked_mul(*ms)?,
        ))
    });
    match read {
        Some(tick) if (SHORTEST_TICK..=LONGEST_TICK).contains(&tick) => Ok(tick),
        _ => Err(EXPECTED.to_owned()),
    }
}

fn size_of(value: &Value) -> Result<u64, String> {
    match value {
        Value::Number(bytes) => bytes.as_u64().ok_or_else(|| SIZE.to_owned()),
        Value::String(text) => size(text),
        _ => Err(SIZE.to_owned()),
    }
}

const SIZE: &str = "expected a number of bytes, such as 512MB, 2MiB or 4096";

/// Reads a size; `MB` is 2^20 bytes, as in TiKV.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let shift = match unit {
        "" | "B" => 0,
        "KB" | "KiB" => 10,
        "MB" | "MiB" => 20,
        "GB" | "GiB" => 30,
        _ => return Err(SIZE.to_owned()),
    };
    let bytes = digits.parse::<u64>().ok();
    let bytes = bytes.and_then(|n| n.checked_mul(1 << shift));
    bytes.ok_or_else(|| SIZE.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_tikv_reads_them() {
        assert_eq!(size("2MB"), Ok(2 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("512"), Ok(512));
        for odd in ["", "MB", "2 MB", "2mb", "99999999999GB", "-1"] {
            assert!(size(odd).is_err(), "{odd}");
        }
        assert_eq!(tick("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(tick("1m"), Ok(Duration::from_secs(60)));
        for odd in ["9ms", "61s", "1", "ms", "1.5s"] {
            assert!(tick(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn changes_are_made_all_or_none() {
        let hub = Arc::new(Hub::new(1 << 20));
        let settings = Settings::new(Duration::from_secs(1), hub, 0);
        let both =
            json!({ "cdc": { "min-ts-interval": "20ms" }, "coprocessor.region-split-size": "1MB" });
        settings.change(&both).unwrap();
        assert_eq!(*settings.tick().borrow(), Duration::from_millis(20));
        assert_eq!(settings.split_size(), 1 << 20);
        let error = settings
            .change(&json!({ "cdc.min-ts-interval": "30ms", "storage.data-dir": "x" }))
            .unwrap_err();
        assert!(error.to_string().contains("storage.data-dir"), "{error}");
        assert_eq!(*settings.tick().borrow(), Duration::from_millis(20));
        let error = settings
            .change(&json!({ "cdc.sink-memory-quota": "much" }))
            .unwrap_err();
        assert!(error.to_string().contains("number of bytes"), "{error}");
    }
}
