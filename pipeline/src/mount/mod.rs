//! Rows and keys of TiDB, decoded from bytes.
