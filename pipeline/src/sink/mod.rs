//! Where messages go.

pub mod claims;
pub mod kafka;
pub mod prepare;
