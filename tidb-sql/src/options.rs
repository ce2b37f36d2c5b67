//! What the reading of a text depends on.

/// The TiDB whose grammar and spelling are kept to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Release {
    /// 4.0: no clustered keys, TTL, placement policies, temporary tables.
    V4_0,
    /// 6.5.
    V6_5,
    /// 8.5 LTS.
    #[default]
    V8_5,
}

/// The modes of `sql_mode` that change how a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SqlMode {
    /// `"x"` is a name, not a string.
    pub ansi_quotes: bool,
    /// A backslash in a string is a backslash.
    pub no_backslash_escapes: bool,
    /// `a || b` joins strings; else it is OR.
    pub pipes_as_concat: bool,
    /// NOT binds as tightly as `!`.
    pub high_not_precedence: bool,
    /// REAL is FLOAT; else it is DOUBLE.
    pub real_as_float: bool,
}

impl SqlMode {
    /// From the bits that TiDB keeps in a DDL job (`sql_mode` there).
    pub fn from_bits(bits: u64) -> Self {
        let has = |bit: u32| bits & (1 << bit) != 0;
        Self {
            real_as_float: has(0),
            pipes_as_concat: has(1),
            ansi_quotes: has(2),
            no_backslash_escapes: has(20),
            high_not_precedence: has(29),
        }
    }
}

/// How to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParseOptions {
    /// The session's `sql_mode`.
    pub mode: SqlMode,
    /// Whose grammar.
    pub release: Release,
}
