//! Which TiCDC's observable behaviour the pipeline has: message dialect, sink-URI rules, command line, state layout.

mod release;

use std::fmt;

pub use self::release::{Release, UnknownRelease};

/// The TiCDC release whose observable behaviour is kept to.
///
/// Ordered by age, so that `compat >= Compat::V6_5` reads as "since v6.5".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compat {
    /// TiCDC v4.0.9: no HTTP API, no namespace, `enable-old-value` in the changefeed file.
    V4_0_9,
    /// TiCDC v6.5: the HTTP API v2, messages before the unification of v7.
    V6_5,
    /// TiCDC v8.5: what a current cluster runs.
    V8_5,
}

impl Compat {
    /// All of them, oldest first.
    pub const ALL: [Compat; 3] = [Compat::V4_0_9, Compat::V6_5, Compat::V8_5];

    /// The name on the command line: `v4.0.9`, `v6.5`, `v8.5`.
    pub fn name(self) -> &'static str {
        match self {
            Compat::V4_0_9 => "v4.0.9",
            Compat::V6_5 => "v6.5",
            Compat::V8_5 => "v8.5",
        }
    }
}

impl fmt::Display for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
