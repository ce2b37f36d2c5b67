//! Where messages go.

pub mod kafka;
pub mod prepare;
