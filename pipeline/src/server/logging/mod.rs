//! The server's log, whose level can be changed while it runs.

mod unified;

use std::{fmt, fs::OpenOptions, path::Path, sync::Arc};

use tracing_subscriber::{
    EnvFilter, Registry, fmt::writer::BoxMakeWriter, layer::SubscriberExt, reload,
    util::SubscriberInitExt,
};

/// Levels by the names that TiCDC has for them.
const LEVELS: [(&str, &str); 8] = [
    ("debug", "debug"),
    ("info", "info"),
    ("warn", "warn"),
    ("warning", "warn"),
    ("error", "error"),
    ("dpanic", "error"),
    ("panic", "error"),
    ("fatal", "error"),
];

/// A way to change the level of the log.
#[derive(Clone)]
pub struct LogLevel(Option<reload::Handle<EnvFilter, Registry>>);

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}

fn filter(level: &str) -> Option<EnvFilter> {
    let level = level.to_lowercase();
    let (_, level) = LEVELS.iter().find(|(name, _)| *name == level)?;
    // the client library of Kafka and HTTP/2 speak of every frame
    EnvFilter::try_new(format!(
        "{level},h2=warn,hyper=warn,tower=warn,rdkafka=warn"
    ))
    .ok()
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level has no such name.
    #[error("unknown log level {0:?}, expected debug, info, warn, error or fatal")]
    Level(String),
    /// The file cannot be written.
    #[error("open the log file {path}: {source}")]
    File {
        /// As given.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl LogLevel {
    /// Opens the log: a file, or standard output if that is empty.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn open(level: &str, file: &str) -> Result<Self, LogError> {
        let filter = filter(level).ok_or_else(|| LogError::Level(level.to_owned()))?;
        let writer = match file {
            "" => BoxMakeWriter::new(std::io::stdout),
            path => {
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(Path::new(path))
                    .map_err(|source| LogError::File {
                        path: path.to_owned(),
                        source,
                    })?;
                BoxMakeWriter::new(Arc::new(file))
            }
        };
        let (filter, handle) = reload::Layer::new(filter);
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(writer)
            .event_format(unified::Unified);
        let set = tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .try_init();
        // a log that was opened before stays
        Ok(Self(set.is_ok().then_some(handle)))
    }

    /// Changes the level; whether it has that name.
    pub fn set(&self, level: &str) -> bool {
        let Some(filter) = filter(level) else {
            return false;
        };
        if let Some(Err(error)) = self.0.as_ref().map(|handle| handle.reload(filter)) {
            tracing::warn!(%error, "failed to change the level of the log");
        }
        true
    }
}
