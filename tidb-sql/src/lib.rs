//! The part of TiDB's SQL that change data capture has to understand.
