//! The changefeed file: TOML, in which an unknown key is an error (`spec/sink-uri.md §3`).

use std::{fs, io, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_ignored::Path as IgnoredPath;
use serde_json::Value;

use crate::compat::Compat;

/// Why a changefeed file was refused; prints as TiCDC does.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("open {path}: {reason}")]
    Read {
        /// As given.
        path: String,
        /// In the words of the operating system.
        reason: String,
    },
    /// It is not TOML, or a value has the wrong type.
    #[error("{0}")]
    Toml(String),
    /// It has keys that mean nothing.
    #[error("component {component}'s config file {path} contained unknown configuration options: {}", .keys.join(", "))]
    UnknownKeys {
        /// Which program says so.
        component: &'static str,
        /// As given.
        path: String,
        /// Dotted names in the order of the file.
        keys: Vec<String>,
    },
    /// The defaults could not be laid under the file.
    #[error("the defaults cannot be laid under {path}: {reason}")]
    Merge {
        /// As given.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Reads a file over `base`: what the file does not name stays as it is there.
///
/// # Errors
/// [`FileError`].
pub fn read<T: Serialize + DeserializeOwned>(
    path: &Path,
    base: &T,
    compat: Compat,
) -> Result<T, FileError> {
    let text = text_of(path)?;
    parse(&text, &path.display().to_string(), base, compat)
}

/// As [`read`], of a server's file (since v5).
///
/// # Errors
/// [`FileError`].
pub fn read_server<T: Serialize + DeserializeOwned>(
    path: &Path,
    base: &T,
    compat: Compat,
) -> Result<T, FileError> {
    let text = text_of(path)?;
    let shown = path.display().to_string();
    parse_of("TiCDC server", &text, &shown, base, compat)
}

fn text_of(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|error| FileError::Read {
        path: path.display().to_string(),
        reason: match error.kind() {
            io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        },
    })
}

/// As [`read`], from text; `path` is for messages.
///
/// # Errors
/// [`FileError`].
pub fn parse<T: Serialize + DeserializeOwned>(
    text: &str,
    path: &str,
    base: &T,
    compat: Compat,
) -> Result<T, FileError> {
    let component = match compat {
        Compat::V4_0_9 => "cdc",
        Compat::V6_5 | Compat::V8_5 => "TiCDC changefeed",
    };
    parse_of(component, text, path, base, compat)
}

fn parse_of<T: Serialize + DeserializeOwned>(
    component: &'static str,
    text: &str,
    path: &str,
    base: &T,
    compat: Compat,
) -> Result<T, FileError> {
    let fault = |error: &toml::de::Error| FileError::Toml(toml_fault(text, error, compat));
    let table: toml::Table = toml::from_str(text).map_err(|error| fault(&error))?;
    let mut unknown = Vec::new();
    let deserializer = toml::Deserializer::parse(text).map_err(|error| fault(&error))?;
    let _: T = serde_ignored::deserialize(deserializer, |path| unknown.push(dotted(&path)))
        .map_err(|error| fault(&error))?;
    if compat == Compat::V8_5 && table.contains_key("enable-old-value") {
        unknown.push("enable-old-value".to_owned());
    }
    if !unknown.is_empty() {
        let keys = in_file_order(text, &with_children(&table, unknown));
        return Err(FileError::UnknownKeys {
            component,
            path: path.to_owned(),
            keys,
        });
    }
    let merge = |error: serde_json::Error| FileError::Merge {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut merged = serde_json::to_value(base).map_err(merge)?;
    overlay(&mut merged, serde_json::to_value(&table).map_err(merge)?);
    serde_json::from_value(merged).map_err(merge)
}

/// `a.b.c` of a key that nothing read; positions in lists are left out, as the original does.
fn dotted(path: &IgnoredPath<'_>) -> String {
    match path {
        IgnoredPath::Root => String::new(),
        IgnoredPath::Map { parent, key } => match dotted(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        IgnoredPath::Seq { parent, .. }
        | IgnoredPath::Some { parent }
        | IgnoredPath::NewtypeStruct { parent }
        | IgnoredPath::NewtypeVariant { parent } => dotted(parent),
    }
}

/// The keys within an unknown table are unknown too.
fn with_children(table: &toml::Table, unknown: Vec<String>) -> Vec<String> {
    fn descend(name: &str, value: &toml::Value, out: &mut Vec<String>) {
        if let toml::Value::Table(table) = value {
            for (key, value) in table {
                let name = format!("{name}.{key}");
                out.push(name.clone());
                descend(&name, value, out);
            }
        }
    }
    let mut all = Vec::new();
    for name in unknown {
        let mut keys = name.split('.');
        let top = keys.next().and_then(|key| table.get(key));
        let value = keys.fold(top, |value, key| value.and_then(|value| value.get(key)));
        all.push(name.clone());
        if let Some(value) = value {
            descend(&name, value, &mut all);
        }
    }
    all
}

/// Sorts dotted keys by where their last part stands in the text.
fn in_file_order(text: &str, keys: &[String]) -> Vec<String> {
    let mut positions = Vec::new();
    if let Ok(table) = toml::de::DeTable::parse(text) {
        positions_of(table.get_ref(), "", &mut positions);
    }
    let at = |key: &String| {
        positions
            .iter()
            .find(|(name, _)| name == key)
            .map_or(usize::MAX, |(_, at)| *at)
    };
    let mut keys = keys.to_vec();
    keys.sort_by_key(at);
    keys.dedup();
    keys
}

fn positions_of(table: &toml::de::DeTable<'_>, prefix: &str, out: &mut Vec<(String, usize)>) {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        out.push((name.clone(), key.span().start));
        match value.get_ref() {
            toml::de::DeValue::Table(table) => positions_of(table, &name, out),
            toml::de::DeValue::Array(items) => {
                for item in items {
                    if let toml::de::DeValue::Table(table) = item.get_ref() {
                        positions_of(table, &name, out);
                    }
                }
            }
            _ => {}
        }
    }
}

fn overlay(base: &mut Value, top: Value) {
    match (base, top) {
        (Value::Object(base), Value::Object(top)) => {
            for (key, value) in top {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, top) => *base = top,
    }
}

/// Which line is wrong and why, in the frame that TiCDC's TOML reader of that time puts around it.
fn toml_fault(text: &str, error: &toml::de::Error, compat: Compat) -> String {
    let line = error.span().map_or(1, |span| {
        text[..span.start.min(text.len())].matches('\n').count() + 1
    });
    let reason = error.message().replace('\n', ", ");
    match compat {
        Compat::V4_0_9 => format!("Near line {line} (last key parsed ''): {reason}"),
        Compat::V6_5 | Compat::V8_5 => format!("toml: line {line}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::replica::{Nanos, ReplicaConfig};

    fn parse(text: &str, compat: Compat) -> Result<ReplicaConfig, FileError> {
        super::parse(
            text,
            "changefeed.toml",
            &ReplicaConfig::defaults(compat),
            compat,
        )
    }

    #[test]
    fn what_is_not_named_stays() {
        let config = parse(
            "case-sensitive = true\nsync-point-interval = \"5m\"\n[sink]\nprotocol = \"canal-json\"\n[sink.csv]\nquote = \"'\"",
            Compat::V8_5,
        )
        .unwrap();
        let mut expected = ReplicaConfig {
            case_sensitive: true,
            ..ReplicaConfig::default()
        };
        expected.sync_point_interval = Some(Nanos::seconds(300));
        expected.sink.protocol = Some("canal-json".to_owned());
        expected.sink.csv.as_mut().unwrap().quote = "'".to_owned();
        assert_eq!(config, expected);
    }

    #[test]
    fn unknown_keys_are_named_in_their_order() {
        let text =
            "[sink]\nno-such-key = 1\n[[filter.event-filters]]\nx = 1\n[changefeed-error]\nx = 1\n";
        let error = parse(text, Compat::V8_5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "component TiCDC changefeed's config file changefeed.toml contained unknown configuration options: \
             sink.no-such-key, filter.event-filters.x, changefeed-error, changefeed-error.x"
        );
    }

    #[test]
    fn old_value_is_a_key_of_old_releases() {
        let text = "enable-old-value = false";
        assert!(parse(text, Compat::V8_5).is_err());
        assert_eq!(
            parse(text, Compat::V6_5).unwrap().enable_old_value,
            Some(false)
        );
    }

    #[test]
    fn a_wrong_type_names_its_line() {
        let error = parse(
            "force-replicate = false\nmemory-quota = \"x\"",
            Compat::V8_5,
        )
        .unwrap_err();
        assert!(error.to_string().starts_with("toml: line 2: "), "{error}");
        let error = parse("[filter", Compat::V8_5).unwrap_err();
        assert!(error.to_string().starts_with("toml: line 1: "), "{error}");
    }
}
