//! Lines in the log format that PD, TiKV, TiDB and TiCDC share, so that what collects their logs reads ours:
//! `[2026/11/27 21:02:09.123 +00:00] [INFO] [drive.rs:110] ["the changefeed runs"] [changefeed=f1]`.

use std::{fmt, path::Path};

use jiff::{Timestamp, tz::TimeZone};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Writes events in the shared format.
#[derive(Debug, Default)]
pub(super) struct Unified;

impl<S, N> FormatEvent<S, N> for Unified
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let level = match *meta.level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
        let file = meta.file().map(Path::new).and_then(Path::file_name);
        let file = file.map(|name| name.to_string_lossy());
        let mut parts = Parts::default();
        event.record(&mut parts);
        write!(
            out,
            "[{}.{:03} {}] [{level}] ",
            now.strftime("%Y/%m/%d %H:%M:%S"),
            now.millisecond(),
            now.strftime("%:z"),
        )?;
        match (file, meta.line()) {
            (Some(file), Some(line)) => write!(out, "[{file}:{line}]")?,
            _ => out.write_str("[<unknown>]")?,
        }
        write!(out, " [{}]", Text(&parts.message))?;
        for (name, value) in &parts.fields {
            write!(out, " [{}={}]", Text(name), Text(value))?;
        }
        out.write_char('\n')
    }
}

/// The message of an event and its fields.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push((name, format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, value.to_owned())),
        }
    }
}

/// A text as it is, or as JSON's if it holds what could be taken for an end.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delimits = |c: char| c <= ' ' || matches!(c, '"' | '=' | '[' | ']');
        if !self.0.is_empty() && !self.0.contains(delimits) {
            return f.write_str(self.0);
        }
        let quoted = serde_json::to_string(self.0).map_err(|_| fmt::Error)?;
        f.write_str(&quoted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_has_its_parts_in_brackets() {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Unified)
            .with_writer(kept.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let query = "create table t(a \"x\")\n";
            tracing::warn!(changefeed = %"f1", tables = 3, query, empty = "", "a changefeed runs");
            tracing::info!("plain");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let form = regex::Regex::new(
            r#"^\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d\] \[WARN\] \[unified\.rs:\d+\] \["a changefeed runs"\] \[changefeed=f1\] \[tables=3\] \[query="create table t\(a \\"x\\"\)\\n"\] \[empty=""\]
\[[^\]]+\] \[INFO\] \[unified\.rs:\d+\] \[plain\]
$"#,
        )
        .unwrap();
        assert!(form.is_match(&text), "{text}");
    }
}
