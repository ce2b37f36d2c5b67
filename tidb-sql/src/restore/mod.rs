//! Statements in TiDB's own spelling.
