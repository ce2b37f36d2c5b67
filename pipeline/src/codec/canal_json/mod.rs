//! canal-json: one message a row change, DDL statement or watermark (spec/canal-json.md).
//!
//! [`Encoder`] appends a message's value to a buffer that the caller reuses; [`Encoder::row_key`] is the record key of rows,
//! and there are no headers. Two dialects: v4.0.9, whose maps are sorted by name, and the later one.

mod compress;
mod config;
mod ddl;
mod encoder;
mod escape;
mod table;
mod types;

pub use compress::Compression;
pub use config::{ColumnSelector, Config, LargeRows};
pub use encoder::{EncodeError, Encoded, Encoder};
