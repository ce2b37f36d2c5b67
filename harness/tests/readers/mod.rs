//! Parts of `java_reader.rs`.

pub mod cases;
pub mod client;
pub mod shown;
