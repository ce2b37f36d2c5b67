//! A release of TiCDC, and what of its messages changed from one to the next (spec/canal-json.md §0).

use std::{fmt, str::FromStr};

use super::Compat;

/// A release: major, minor, patch. Ordered by number, which within one branch is by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(u8, u8, u8);

/// The oldest and the newest release whose messages are known: the ones after it are of another architecture.
const KNOWN: (Release, Release) = (Release(4, 0, 9), Release(8, 5, 3));

impl Release {
    /// Whose command line, API, state and options it has: messages are known of more releases than these.
    #[must_use]
    pub fn compat(self) -> Compat {
        match self.0 {
            0..5 => Compat::V4_0_9,
            5..7 => Compat::V6_5,
            _ => Compat::V8_5,
        }
    }

    /// From the first to before the second.
    fn within(self, from: Release, before: Release) -> bool {
        (from..before).contains(&self)
    }

    /// The first dialect: integers promoted by one size, no `unsigned`, `old` an array always, `ts` 0, no `_tidb`.
    #[must_use]
    pub fn has_first_dialect(self) -> bool {
        self < Release(5, 4, 0)
    }

    /// Rows are written member by member of a structure, `data` before `old`, with sorted keys; not in the order of columns.
    #[must_use]
    pub fn sorts_columns(self) -> bool {
        self < Release(6, 1, 3) || self.within(Release(6, 2, 0), Release(6, 5, 0))
    }

    /// FLOAT values are widened to 64 bits before they are written.
    #[must_use]
    pub fn widens_floats(self) -> bool {
        self < Release(6, 1, 6)
            || self.within(Release(6, 2, 0), Release(6, 5, 2))
            || self.within(Release(6, 6, 0), Release(7, 0, 0))
    }

    /// `zerofill` in `mysqlType`.
    #[must_use]
    pub fn shows_zerofill(self) -> bool {
        self.within(Release(6, 5, 6), Release(6, 6, 0))
            || self.within(Release(7, 1, 3), Release(7, 2, 0))
            || self >= Release(7, 5, 3)
    }

    /// Rows in Kafka end with the terminator that was meant for storage sinks, CR and LF.
    #[must_use]
    pub fn terminates_rows(self) -> bool {
        self.within(Release(6, 5, 0), Release(6, 5, 12))
            || self.within(Release(6, 6, 0), Release(7, 1, 0))
    }

    /// The messages of rows have a record key, an empty one.
    #[must_use]
    pub fn has_empty_keys(self) -> bool {
        self >= Release(6, 3, 0)
    }

    /// DDL messages go to every partition; later to the first one.
    #[must_use]
    pub fn broadcasts_ddl(self) -> bool {
        self < Release(6, 1, 0)
    }

    /// What of DDL came to be `ALTER` and not `QUERY`: visibility of indexes and several changes in one.
    #[must_use]
    pub fn knows_multi_schema_changes(self) -> bool {
        self >= Release(6, 2, 0)
    }

    /// The same of partitions that are reorganized.
    #[must_use]
    pub fn knows_reorganized_partitions(self) -> bool {
        self >= Release(7, 0, 0)
    }

    /// The same of tables that become partitioned, or no longer are.
    #[must_use]
    pub fn knows_changed_partitioning(self) -> bool {
        self >= Release(7, 4, 0)
    }

    /// From how many changes of a transaction in one table on an update of a key becomes a delete and an insert; none: it
    /// never does (spec/canal-json.md §9).
    #[must_use]
    pub fn splits_updates_from(self) -> Option<usize> {
        let all = self.within(Release(6, 5, 5), Release(6, 6, 0))
            || self.within(Release(7, 1, 2), Release(7, 2, 0))
            || self >= Release(7, 4, 0);
        match (all, self == Release(6, 5, 4)) {
            (true, _) => Some(1),
            (_, true) => Some(2),
            _ => None,
        }
    }

    /// Whether `output-raw-change-event` can be asked for.
    #[must_use]
    pub fn has_raw_changes(self) -> bool {
        self.within(Release(6, 5, 10), Release(6, 6, 0))
            || self.within(Release(7, 1, 6), Release(7, 2, 0))
            || self.within(Release(7, 5, 3), Release(7, 6, 0))
            || self >= Release(8, 1, 1)
    }
}

/// The release that stands for a level.
impl From<Compat> for Release {
    fn from(compat: Compat) -> Self {
        match compat {
            Compat::V4_0_9 => Release(4, 0, 9),
            Compat::V6_5 => Release(6, 5, 3),
            Compat::V8_5 => Release(8, 5, 3),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Not a release whose behaviour is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown release {0:?}, expected v4.0.9, v6.5, v8.5, or a release from {first} to {last} with its three numbers",
    first = KNOWN.0,
    last = KNOWN.1
)]
pub struct UnknownRelease(pub String);

impl FromStr for Release {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(level) = Compat::ALL.into_iter().find(|level| level.name() == text) {
            return Ok(level.into());
        }
        let unknown = || UnknownRelease(text.to_owned());
        let numbers = text.strip_prefix('v').ok_or_else(unknown)?;
        let numbers: Result<Vec<u8>, _> = numbers.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([major, minor, patch]) => Some(Release(*major, *minor, *patch)),
            _ => None,
        }
        .filter(|release| (KNOWN.0..=KNOWN.1).contains(release))
        .ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn names_parse_back() {
        for (text, shown) in [
            ("v4.0.9", "v4.0.9"),
            ("v6.5", "v6.5.3"),
            ("v8.5", "v8.5.3"),
            ("v7.1.5", "v7.1.5"),
        ] {
            assert_eq!(release(text).to_string(), shown);
        }
        for wrong in [
            "v4.0.8",
            "v8.5.4",
            "v7.1",
            "6.5.3",
            "v6.5.3-alpha",
            "",
            "v300.1.1",
        ] {
            let error = wrong.parse::<Release>().unwrap_err();
            assert_eq!(error, UnknownRelease(wrong.to_owned()));
        }
        assert_eq!(
            "v5.0".parse::<Release>().unwrap_err().to_string(),
            "unknown release \"v5.0\", expected v4.0.9, v6.5, v8.5, or a release from v4.0.9 to v8.5.3 with its three numbers"
        );
    }

    /// The first and the last release of each side of every change.
    #[test]
    fn what_changed_changed_on_its_branch() {
        let check = |what: &str, of: fn(Release) -> bool, yes: &[&str], no: &[&str]| {
            for text in yes {
                assert!(of(release(text)), "{text}: {what}");
            }
            for text in no {
                assert!(!of(release(text)), "{text}: not {what}");
            }
        };
        check(
            "first dialect",
            Release::has_first_dialect,
            &["v4.0.9", "v5.3.4"],
            &["v5.4.0", "v8.5.3"],
        );
        check(
            "sorted columns",
            Release::sorts_columns,
            &["v4.0.9", "v5.4.0", "v6.1.2", "v6.2.0", "v6.4.0"],
            &["v6.1.3", "v6.1.7", "v6.5.0", "v8.5.3"],
        );
        check(
            "wide floats",
            Release::widens_floats,
            &["v4.0.9", "v6.1.5", "v6.2.0", "v6.5.1", "v6.6.0"],
            &["v6.1.6", "v6.5.2", "v6.5.12", "v7.0.0", "v8.5.3"],
        );
        check(
            "zerofill",
            Release::shows_zerofill,
            &["v6.5.6", "v6.5.12", "v7.1.3", "v7.5.3", "v7.6.0", "v8.5.3"],
            &["v4.0.9", "v6.5.5", "v6.6.0", "v7.1.2", "v7.2.0", "v7.5.2"],
        );
        check(
            "terminated rows",
            Release::terminates_rows,
            &["v6.5.0", "v6.5.11", "v6.6.0", "v7.0.0"],
            &["v6.4.0", "v6.5.12", "v7.1.0", "v8.5.3"],
        );
        check(
            "empty keys",
            Release::has_empty_keys,
            &["v6.3.0", "v8.5.3"],
            &["v4.0.9", "v6.2.0"],
        );
        check(
            "DDL everywhere",
            Release::broadcasts_ddl,
            &["v4.0.9", "v6.0.0"],
            &["v6.1.0", "v8.5.3"],
        );
        check(
            "split updates",
            |release| release.splits_updates_from() == Some(1),
            &["v6.5.5", "v6.5.12", "v7.1.2", "v7.1.6", "v7.4.0", "v8.5.3"],
            &[
                "v4.0.9", "v6.5.3", "v6.5.4", "v6.6.0", "v7.1.1", "v7.2.0", "v7.3.0",
            ],
        );
        assert_eq!(release("v6.5.4").splits_updates_from(), Some(2));
        check(
            "raw changes",
            Release::has_raw_changes,
            &["v6.5.10", "v7.1.6", "v7.5.3", "v8.1.1", "v8.5.3"],
            &["v6.5.9", "v6.6.0", "v7.1.5", "v7.5.2", "v7.6.0", "v8.1.0"],
        );
    }
}
