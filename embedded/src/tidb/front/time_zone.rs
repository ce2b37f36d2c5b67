//! Named time zones: MariaDB knows those in its tables, TiDB those of the system. A zone that a client names is put into
//! MariaDB's tables when it is first named.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::{Dst, TimeZone};

use super::session::Session;
use super::text::{Kind, Text, literal, string_value};
use super::{FrontError, Shared};
use crate::tidb::wire::{Backend, WireError};

/// MariaDB's TIMESTAMPs are within 32 bits: so are the transitions worth knowing.
const FIRST: i64 = i32::MIN as i64;
const LAST: i64 = i32::MAX as i64;

/// A zone as MariaDB's tables have it.
#[derive(Debug, PartialEq, Eq)]
struct Zone {
    /// Seconds east of UTC, whether daylight saving, abbreviation.
    kinds: Vec<(i32, bool, String)>,
    /// Second of the change, and the place of the new kind.
    changes: Vec<(i64, usize)>,
}

impl Zone {
    /// From the system's database; none if it does not have it.
    fn find(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        let first = Timestamp::from_second(FIRST).ok()?;
        let info = zone.to_offset_info(first);
        let mut out = Self {
            kinds: vec![(
                info.offset().seconds(),
                info.dst() == Dst::Yes,
                info.abbreviation().to_owned(),
            )],
            changes: vec![],
        };
        for change in zone.following(first) {
            let at = change.timestamp().as_second();
            if at > LAST {
                break;
            }
            let kind = (
                change.offset().seconds(),
                change.dst() == Dst::Yes,
                change.abbreviation().to_owned(),
            );
            let place = out.kinds.iter().position(|k| *k == kind);
            let place = place.unwrap_or_else(|| {
                out.kinds.push(kind);
                out.kinds.len() - 1
            });
            out.changes.push((at, place));
        }
        Some(out)
    }

    /// The statements that put it into MariaDB's tables.
    fn statements(&self, name: &str) -> Vec<String> {
        let mut out = vec![
            "INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')".to_owned(),
            "SET @zone = LAST_INSERT_ID()".to_owned(),
        ];
        let mut kinds = String::new();
        for (i, (offset, dst, abbreviation)) in self.kinds.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            let _ = write!(
                kinds,
                "{comma}(@zone, {i}, {offset}, {}, {})",
                i32::from(*dst),
                literal(abbreviation)
            );
        }
        out.push(format!(
            "INSERT INTO mysql.time_zone_transition_type \
             (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation) VALUES {kinds}"
        ));
        if !self.changes.is_empty() {
            let list: Vec<String> = self
                .changes
                .iter()
                .map(|(at, kind)| format!("(@zone, {at}, {kind})"))
                .collect();
            out.push(format!(
                "INSERT INTO mysql.time_zone_transition (Time_zone_id, Transition_time, Transition_type_id) VALUES {}",
                list.join(", ")
            ));
        }
        // The name last: a zone that is found is whole.
        out.push(format!(
            "INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ({}, @zone)",
            literal(name)
        ));
        out
    }
}

impl Session {
    /// Lets the session's connection to MariaDB be in UTC; gives the time zone that it was in.
    pub(super) async fn enter_utc(&mut self) -> Result<String, FrontError> {
        let zone = self.backend.value("SELECT @@time_zone").await?;
        self.leave_utc("+00:00").await?;
        Ok(zone)
    }

    /// Lets it be in a time zone again.
    pub(super) async fn leave_utc(&mut self, zone: &str) -> Result<(), FrontError> {
        let set = format!("SET time_zone = {}", literal(zone));
        self.backend.execute(&set).await?;
        Ok(())
    }
}

/// Whether a text may be the name of a zone (and not an offset).
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.eq_ignore_ascii_case("system")
        && text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b))
}

/// Makes a zone known to MariaDB. One that the system does not know is left for MariaDB to refuse.
async fn introduce(shared: &Shared, name: &str) -> Result<(), FrontError> {
    if !is_name(name) {
        return Ok(());
    }
    let mut known = shared.time_zones.lock().await;
    if known.contains(name) {
        return Ok(());
    }
    let Some(zone) = Zone::find(name) else {
        return Ok(());
    };
    let mut own = Backend::connect(&shared.socket).await?;
    let count = format!(
        "SELECT COUNT(*) FROM mysql.time_zone_name WHERE Name = {}",
        literal(name)
    );
    if own.value(&count).await? == "0" {
        own.execute("SET SESSION sql_log_bin = 0").await?;
        for statement in zone.statements(name) {
            own.execute(&statement).await?;
        }
    }
    known.insert(name.to_owned());
    Ok(())
}

impl Session {
    /// Makes the zone of a SET known.
    pub(super) async fn introduce_zone(&self, name: &str) -> Result<(), FrontError> {
        introduce(&self.shared, name).await
    }

    /// Makes the zones known that a statement converts between.
    pub(super) async fn introduce_zones(&self, text: &Text<'_>) -> Result<(), FrontError> {
        if !text.has(&["CONVERT_TZ"]) {
            return Ok(());
        }
        for token in text.tokens.iter().filter(|t| t.kind == Kind::Text) {
            match introduce(&self.shared, &string_value(text.of(token))).await {
                // Two servers on one folder cannot be: what MariaDB refuses here it refuses again by itself.
                Ok(()) | Err(FrontError::Wire(WireError::Server { .. })) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_their_kinds_and_changes() {
        let utc = Zone::find("UTC").unwrap();
        assert_eq!(utc.changes, []);
        assert_eq!(utc.kinds[0].0, 0);
        let new_york = Zone::find("America/New_York").unwrap();
        let offsets: std::collections::BTreeSet<i32> = new_york.kinds.iter().map(|k| k.0).collect();
        assert!(
            offsets.contains(&-18_000) && offsets.contains(&-14_400),
            "{offsets:?}"
        );
        assert!(new_york.changes.len() > 200, "{}", new_york.changes.len());
        assert!(new_york.changes.is_sorted());
        assert_eq!(Zone::find("Nowhere/Land"), None);
    }

    #[test]
    fn offsets_are_no_names() {
        assert!(is_name("Asia/Shanghai") && is_name("Etc/GMT+8"));
        for text in ["+08:00", "SYSTEM", "", "a'b", "08:00"] {
            assert!(!is_name(text), "{text}");
        }
    }
}
